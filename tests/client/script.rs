//! A server that does what a test tells it, and the program under test.
//! It never retries: a packet that does not come fails the test.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::JoinHandle;
use std::time::Duration;

/// Far more than any packet needs; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server's side of one transfer.
pub struct Side {
    listener: UdpSocket,
    tid: UdpSocket,
    client: Option<SocketAddr>,
}

/// Runs `script` as a server; returns its port.
pub fn server(script: impl FnOnce(&mut Side) + Send + 'static) -> (u16, JoinHandle<()>) {
    let mut side = Side {
        listener: local_socket(),
        tid: local_socket(),
        client: None,
    };
    let port = side.listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || script(&mut side)))
}

pub fn local_socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Side {
    /// The next read request, without its opcode.
    pub fn request(&mut self) -> Vec<u8> {
        let mut buffer = [0; 600];
        let (len, from) = self.listener.recv_from(&mut buffer).expect("a request");
        assert_eq!(buffer[..2], [0, 1], "not a read request");
        self.client = Some(from);
        buffer[2..len].to_vec()
    }

    pub fn client(&self) -> SocketAddr {
        self.client.expect("a request came before")
    }

    pub fn send(&self, packet: &[u8]) {
        self.tid.send_to(packet, self.client()).unwrap();
    }

    pub fn data(&self, block: u16, payload: &[u8]) {
        self.send(&data(block, payload));
    }

    pub fn oack(&self, options: &[u8]) {
        self.send(&[&[0, 6], options].concat());
    }

    /// The next packet on the server's transfer ID.
    pub fn next(&self) -> Vec<u8> {
        receive(&self.tid)
    }

    #[track_caller]
    pub fn expect_ack(&self, block: u16) {
        let [high, low] = block.to_be_bytes();
        assert_eq!(self.next(), [0, 4, high, low], "not ACK {block}");
    }

    #[track_caller]
    pub fn expect_error(&self, code: u8) {
        let packet = self.next();
        assert_eq!(packet[..4], [0, 5, 0, code], "{packet:?}");
    }

    /// Sends all blocks of `content` in windows, numbered by `number`. Needs no resends.
    pub fn send_file(
        &self,
        content: &[u8],
        blksize: usize,
        window: usize,
        number: fn(usize) -> u16,
    ) {
        let blocks = content.len() / blksize + 1;
        for block in 1..=blocks {
            let rest = &content[(block - 1) * blksize..];
            self.data(number(block), &rest[..rest.len().min(blksize)]);
            if block % window == 0 || block == blocks {
                self.expect_ack(number(block));
            }
        }
    }
}

pub fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let (len, _) = socket.recv_from(&mut buffer).expect("a packet");
    buffer[..len].to_vec()
}

pub fn data(block: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 3], &block.to_be_bytes()[..], payload].concat()
}

/// Bytes of which no two blocks are alike.
pub fn content(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn ringboot(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringboot"));
    command.current_dir(directory).args(args);
    command
}

/// Runs `ringboot get 127.0.0.1:port file`.
pub fn get(directory: &Path, port: u16, args: &[&str]) -> Output {
    let server = format!("127.0.0.1:{port}");
    let args = [&["get", &*server, "dir/file.bin"], args].concat();
    ringboot(directory, &args).output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Names of all files, temporary ones too.
pub fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
