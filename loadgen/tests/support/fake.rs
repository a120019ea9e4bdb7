//! A server that follows a script: right or wrong, as the test wants it.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// One byte of the second block is another.
    WrongByte,
    /// The file ends after its first block.
    Short,
    /// It never ends.
    Long,
    /// No answer at all.
    Silence,
    /// No answer after the first block.
    SilenceLater,
    /// An OACK with an option that nobody asked for.
    UnaskedOption,
    /// Each DATA comes a second time from another port.
    SecondPort,
    /// ERROR 2 to every request.
    Refusal,
}

pub struct Fake {
    pub addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Serves this content under every name, in blocks of 512 bytes from the port that is asked.
    pub fn start(content: Vec<u8>, fault: Fault) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let other = UdpSocket::bind("127.0.0.1:0").expect("another port");
        let patience = Some(Duration::from_millis(20));
        socket.set_read_timeout(patience).expect("a timeout");
        let addr = socket.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || serve(&socket, &other, &content, fault, &stop)
        });
        Self {
            addr,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, other: &UdpSocket, content: &[u8], fault: Fault, stop: &AtomicBool) {
    let mut packet = [0; 1500];
    let mut acked: HashMap<SocketAddr, u16> = HashMap::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok((len, peer)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let (opcode, number) = (packet[1], u16::from_be_bytes([packet[2], packet[3]]));
        let answer = match opcode {
            1 => request(content, fault, &packet[..len]),
            4 if fault == Fault::SilenceLater => None,
            // An ACK that was answered is not answered again: Sorcerer's Apprentice.
            4 if number > 0 && acked.get(&peer) == Some(&number) => None,
            4 => data(content, fault, number),
            _ => None,
        };
        if opcode == 4 {
            acked.insert(peer, number);
        } else {
            acked.remove(&peer);
        }
        let Some(answer) = answer else { continue };
        let _ = socket.send_to(&answer, peer);
        if fault == Fault::SecondPort {
            let _ = other.send_to(&answer, peer);
        }
    }
}

fn request(content: &[u8], fault: Fault, packet: &[u8]) -> Option<Vec<u8>> {
    let asks_for_size = packet.windows(6).any(|word| word == b"tsize\0");
    match fault {
        Fault::Silence => None,
        Fault::Refusal => Some(b"\0\x05\0\x02not for you\0".to_vec()),
        Fault::UnaskedOption => Some(b"\0\x06windowsize\x0016\0".to_vec()),
        _ if asks_for_size => {
            let mut oack = b"\0\x06tsize\0".to_vec();
            oack.extend(content.len().to_string().bytes());
            oack.push(0);
            Some(oack)
        }
        _ => data(content, fault, 0),
    }
}

/// The block behind the acknowledged one; none behind the end.
fn data(content: &[u8], fault: Fault, acked: u16) -> Option<Vec<u8>> {
    let from = usize::from(acked) * 512;
    let mut body = match fault {
        Fault::Short if acked > 0 => return None,
        Fault::Short => content[..100].to_vec(),
        Fault::Long if from + 512 > content.len() => vec![0; 512],
        _ if from > content.len() => return None,
        _ => content[from..content.len().min(from + 512)].to_vec(),
    };
    if fault == Fault::WrongByte && acked == 1 {
        body[77] ^= 1;
    }
    let mut packet = vec![0, 3];
    packet.extend((acked + 1).to_be_bytes());
    packet.extend(body);
    Some(packet)
}
