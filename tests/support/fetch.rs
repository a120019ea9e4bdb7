//! A correct client that downloads a whole file, over a path that may lose packets.
//! It never resends an ACK of its own accord: GRUB does not either, so the server has to.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::conversation::any_port;
use super::packet::{self, Packet};
use super::{Rng, Server};

/// What to ask for, and how the path behaves.
pub struct Fetch {
    server: SocketAddr,
    socket: UdpSocket,
    request: Vec<u8>,
    /// A packet in so many is lost, both ways; 0: none.
    loss_one_in: u64,
    rng: Rng,
    ack_copies: usize,
    give_up: Duration,
    wraps_to: u16,
    /// Bytes of the end to keep, for files that do not fit in memory.
    tail: usize,
    /// What to do once so many DATA packets are here, before the ACK.
    interruption: Option<(usize, Box<dyn FnOnce() + Send>)>,
}

/// What came.
#[derive(Debug)]
pub struct Fetched {
    pub data: Vec<u8>,
    /// Length of the whole, also when only its end was kept.
    pub bytes: u64,
    pub oack: Vec<(String, String)>,
    /// DATA packets that arrived, resends included.
    pub packets: usize,
    pub lost: usize,
    /// How often it had to ask.
    pub requests: usize,
    pub took: Duration,
    pub client: SocketAddr,
}

/// How a download ended early.
#[derive(Debug)]
pub enum Failed {
    Error { code: u16, text: String },
    Silence,
}

impl Fetch {
    pub fn new(server: &Server, name: &str, options: &[(&str, &str)]) -> Self {
        Self::from(any_port(server.addr()), server.addr(), name, options)
    }

    pub fn from(
        socket: UdpSocket,
        server: SocketAddr,
        name: &str,
        options: &[(&str, &str)],
    ) -> Self {
        Self {
            server,
            socket,
            request: packet::rrq(name, "octet", options),
            loss_one_in: 0,
            rng: Rng::new(0),
            ack_copies: 1,
            give_up: Duration::from_secs(20),
            wraps_to: 0,
            tail: usize::MAX,
            interruption: None,
        }
    }

    /// Loses one packet in `one_in`, both DATA and ACKs.
    pub fn lossy(mut self, one_in: u64, seed: u64) -> Self {
        self.loss_one_in = one_in;
        self.rng = Rng::new(seed);
        self
    }

    /// Sends every ACK so many times.
    pub fn ack_copies(mut self, copies: usize) -> Self {
        self.ack_copies = copies;
        self
    }

    /// Calls `action` when `packets` DATA packets have come.
    pub fn at(mut self, packets: usize, action: impl FnOnce() + Send + 'static) -> Self {
        self.interruption = Some((packets, Box::new(action)));
        self
    }

    /// Keeps only the last bytes.
    pub const fn tail(mut self, bytes: usize) -> Self {
        self.tail = bytes;
        self
    }

    /// How long silence may last.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.give_up = patience;
        self
    }

    /// In netascii instead of octet; the data is what travelled.
    pub fn netascii(mut self, name: &str, options: &[(&str, &str)]) -> Self {
        self.request = packet::rrq(name, "netascii", options);
        self
    }

    /// The block number behind 65,535.
    pub fn wraps_to(mut self, block: u16) -> Self {
        self.wraps_to = block;
        self
    }

    /// Downloads, and insists that it works.
    pub fn complete(self) -> Fetched {
        self.run().expect("the file arrives")
    }

    pub fn run(mut self) -> Result<Fetched, Failed> {
        let start = Instant::now();
        self.socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a timeout");
        let mut fetched = Fetched {
            data: Vec::new(),
            bytes: 0,
            oack: Vec::new(),
            packets: 0,
            lost: 0,
            requests: 1,
            took: Duration::ZERO,
            client: self.socket.local_addr().expect("bound"),
        };
        let (mut blksize, mut windowsize) = (512, 1);
        let mut tid = None;
        let mut expected = 1_u16;
        let mut in_window = 0_u64;
        let mut heard = Instant::now();
        self.socket
            .send_to(&self.request, self.server)
            .expect("send");
        let mut buffer = vec![0; 65_536];
        loop {
            let (len, from) = match self.socket.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    if heard.elapsed() > self.give_up {
                        return Err(Failed::Silence);
                    }
                    if tid.is_none() {
                        fetched.requests += 1;
                        self.socket
                            .send_to(&self.request, self.server)
                            .expect("send");
                    }
                    continue;
                }
                Err(error) => panic!("cannot receive: {error}"),
            };
            heard = Instant::now();
            if self.loses() {
                fetched.lost += 1;
                continue;
            }
            assert_eq!(*tid.get_or_insert(from), from, "one transfer, one port");
            match Packet::read(&buffer[..len]) {
                Packet::Oack(options) => {
                    for (name, value) in &options {
                        match name.to_ascii_lowercase().as_str() {
                            "blksize" => blksize = value.parse().expect("a number"),
                            "windowsize" => windowsize = value.parse().expect("a number"),
                            _ => {}
                        }
                    }
                    fetched.oack = options;
                    self.send_ack(from, 0, &mut fetched.lost);
                }
                Packet::Data { block, payload } => {
                    fetched.packets += 1;
                    if let Some((packets, action)) = self.interruption.take() {
                        if fetched.packets == packets {
                            action();
                        } else {
                            self.interruption = Some((packets, action));
                        }
                    }
                    assert!(payload.len() <= blksize, "never beyond blksize");
                    let last = payload.len() < blksize;
                    if block == expected {
                        fetched.bytes += payload.len() as u64;
                        fetched.data.extend_from_slice(&payload);
                        if fetched.data.len() / 2 > self.tail {
                            let surplus = fetched.data.len() - self.tail;
                            fetched.data.drain(..surplus);
                        }
                        expected = self.following(expected);
                        in_window += 1;
                    } else {
                        // A gap, or a block that came before: say what is here.
                        in_window = 0;
                        let have = self.preceding(expected);
                        self.send_ack(from, have, &mut fetched.lost);
                        continue;
                    }
                    if last || in_window == windowsize {
                        in_window = 0;
                        self.send_ack(from, block, &mut fetched.lost);
                    }
                    if last {
                        fetched.took = start.elapsed();
                        return Ok(fetched);
                    }
                }
                Packet::Error { code, text } => return Err(Failed::Error { code, text }),
                Packet::Ack(block) => panic!("ACK {block} in a download"),
            }
        }
    }

    fn send_ack(&mut self, to: SocketAddr, block: u16, lost: &mut usize) {
        for _ in 0..self.ack_copies {
            if self.loses() {
                *lost += 1;
            } else {
                self.socket.send_to(&packet::ack(block), to).expect("send");
            }
        }
    }

    fn loses(&mut self) -> bool {
        self.loss_one_in > 0 && self.rng.below(self.loss_one_in) == 0
    }

    const fn following(&self, block: u16) -> u16 {
        if block == u16::MAX {
            self.wraps_to
        } else {
            block + 1
        }
    }

    fn preceding(&self, block: u16) -> u16 {
        if block == self.wraps_to && block != 1 {
            u16::MAX
        } else {
            block.wrapping_sub(1)
        }
    }
}
