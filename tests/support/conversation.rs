//! A client that follows a script: sends bytes, expects packets, expects silence.
//! It never resends by itself and never acknowledges unasked.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::Server;
use super::packet::{self, Packet};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Packets remembered to tell a resend from news.
const MEMORY: usize = 300;

/// A round trip that teaches the server to wait: an ACK this late makes its timers slow enough for
/// the tests that count packets, and comes before its first resend (250 ms).
pub const PACE: Duration = Duration::from_millis(150);

pub struct Conversation {
    socket: UdpSocket,
    /// Where requests go.
    server: SocketAddr,
    /// Where the server's packets come from, once there was one.
    tid: Option<SocketAddr>,
    seen: VecDeque<Vec<u8>>,
}

impl Conversation {
    /// A client on loopback, with a port of its own.
    pub fn with(server: &Server) -> Self {
        Self::between(any_port(server.addr()), server.addr())
    }

    pub fn between(socket: UdpSocket, server: SocketAddr) -> Self {
        Self {
            socket,
            server,
            tid: None,
            seen: VecDeque::new(),
        }
    }

    pub fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket")
    }

    /// The server's end of the transfer.
    pub fn tid(&self) -> SocketAddr {
        self.tid.expect("the server has not answered yet")
    }

    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Sends to the port that takes requests. What comes next may come from a new port.
    pub fn request(&mut self, bytes: &[u8]) {
        self.tid = None;
        self.seen.clear();
        self.request_again(bytes);
    }

    /// Sends a request without forgetting the transfer that is under way.
    pub fn request_again(&self, bytes: &[u8]) {
        self.send_to(bytes, self.server);
    }

    pub fn rrq(&mut self, name: &str, mode: &str, options: &[(&str, &str)]) {
        self.request(&packet::rrq(name, mode, options));
    }

    /// Sends to the server's end of the transfer.
    pub fn send(&self, bytes: &[u8]) {
        self.send_to(bytes, self.tid());
    }

    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) {
        self.socket
            .send_to(bytes, to)
            .unwrap_or_else(|error| panic!("cannot send to {to}: {error}"));
    }

    pub fn ack(&self, block: u16) {
        self.send(&packet::ack(block));
    }

    /// Acknowledges after [`PACE`].
    pub fn ack_slowly(&self, block: u16) {
        thread::sleep(PACE);
        self.ack(block);
    }

    /// The next packet, a resend of an earlier one included.
    pub fn next_within(&mut self, wait: Duration) -> Option<(Packet, SocketAddr)> {
        let (bytes, from) = self.receive(wait)?;
        Some((Packet::read(&bytes), from))
    }

    /// The next packet that is no resend. All packets of a transfer come from one port.
    pub fn expect(&mut self) -> Packet {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some((bytes, from)) = self.receive(left) else {
                panic!("the server ({}) said nothing for {PATIENCE:?}", self.server);
            };
            if self.seen.contains(&bytes) {
                continue;
            }
            assert_eq!(
                *self.tid.get_or_insert(from),
                from,
                "one transfer, one port"
            );
            if self.seen.len() == MEMORY {
                self.seen.pop_front();
            }
            self.seen.push_back(bytes.clone());
            return Packet::read(&bytes);
        }
    }

    pub fn expect_data(&mut self, block: u16, payload: &[u8]) {
        match self.expect() {
            Packet::Data {
                block: got,
                payload: bytes,
            } => {
                assert_eq!(got, block, "the block number");
                assert!(
                    bytes == payload,
                    "block {block}: {} bytes, expected {}; first difference at {:?}",
                    bytes.len(),
                    payload.len(),
                    bytes.iter().zip(payload).position(|(a, b)| a != b)
                );
            }
            other => panic!("expected DATA {block}, got {other:?}"),
        }
    }

    pub fn expect_oack(&mut self, options: &[(&str, &str)]) {
        match self.expect() {
            Packet::Oack(got) => {
                let got: Vec<_> = got
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                assert_eq!(got, options, "the OACK");
            }
            other => panic!("expected an OACK, got {other:?}"),
        }
    }

    pub fn expect_error(&mut self, code: u16) -> String {
        match self.expect() {
            Packet::Error { code: got, text } => {
                assert_eq!(got, code, "the code of ERROR \"{text}\"");
                text
            }
            other => panic!("expected ERROR {code}, got {other:?}"),
        }
    }

    /// Nothing at all may come in this time.
    pub fn expect_silence(&mut self, wait: Duration) {
        if let Some((packet, from)) = self.next_within(wait) {
            panic!("expected silence, got {packet:?} from {from}");
        }
    }

    /// All that comes in this time, resends included.
    pub fn listen_for(&mut self, wait: Duration) -> Vec<Packet> {
        let deadline = Instant::now() + wait;
        let mut packets = Vec::new();
        while let Some((packet, _)) =
            self.next_within(deadline.saturating_duration_since(Instant::now()))
        {
            packets.push(packet);
        }
        packets
    }

    /// Receives `data` to its end from block 1, in lock-step with blocks of `blksize`.
    pub fn receive_rest(&mut self, data: &[u8], blksize: usize, first: u64) {
        let mut block = first;
        loop {
            let from = usize::try_from(block - 1).unwrap() * blksize;
            let payload = &data[from.min(data.len())..(from + blksize).min(data.len())];
            let wire = (block & 0xffff) as u16;
            self.expect_data(wire, payload);
            self.ack(wire);
            if payload.len() < blksize {
                return;
            }
            block += 1;
        }
    }

    fn receive(&mut self, wait: Duration) -> Option<(Vec<u8>, SocketAddr)> {
        let deadline = Instant::now() + wait;
        let mut buffer = [0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => return Some((buffer[..len].to_vec(), from)),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if Instant::now() >= deadline {
                        return None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("cannot receive: {error}"),
            }
        }
    }
}

/// A loopback socket of the server's IP version.
pub fn any_port(server: SocketAddr) -> UdpSocket {
    let addr: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
    };
    UdpSocket::bind(addr).expect("a loopback socket")
}
