//! A client that uploads: sends windows, waits for ACKs, repeats what is not answered.
//! It never looks at the disk.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::support::packet::{self, Packet};
use crate::support::server::Builder;
use crate::support::{Conversation, Root, Server, Setup};

/// How long a server may take for an answer before the client gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client's timer.
const AGAIN: Duration = Duration::from_millis(300);

/// A server that takes uploads into `dir`, with more of its arguments.
pub fn server(dir: &Root, setup: Setup, args: &[&str]) -> Server {
    builder(dir.path(), setup, args).start()
}

pub fn builder(dir: &Path, setup: Setup, args: &[&str]) -> Builder {
    let dir = dir.to_str().expect("a plain path");
    let all = [&["--upload", dir][..], args].concat();
    // Served as well, so that what can be seen of an upload is seen.
    Server::on(Path::new(dir), setup).args(&all)
}

pub fn wrq(name: &str, mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    packet::request(2, name.as_bytes(), mode, options)
}

pub fn data(block: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 3];
    bytes.extend_from_slice(&(block as u16).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// An upload and its options.
pub struct Upload<'a> {
    pub name: &'a str,
    pub mode: &'a str,
    pub content: &'a [u8],
    pub blksize: Option<usize>,
    pub windowsize: Option<usize>,
    pub tsize: bool,
    /// Set when the server is gone for good.
    pub stop: Option<&'a AtomicBool>,
}

/// The ERROR that ended an upload.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub u16, pub String);

impl<'a> Upload<'a> {
    pub const fn new(name: &'a str, content: &'a [u8]) -> Self {
        Self {
            name,
            mode: "octet",
            content,
            blksize: None,
            windowsize: None,
            tsize: false,
            stop: None,
        }
    }

    pub const fn with(mut self, blksize: usize, windowsize: usize) -> Self {
        self.blksize = Some(blksize);
        self.windowsize = Some(windowsize);
        self
    }

    /// Says the size beforehand.
    pub const fn sized(mut self) -> Self {
        self.tsize = true;
        self
    }

    /// Ends without success once this is set.
    pub const fn until(mut self, stop: &'a AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Relaxed))
    }

    pub fn request(&self) -> Vec<u8> {
        let mut options = Vec::new();
        let numbers = [
            ("blksize", self.blksize),
            ("windowsize", self.windowsize),
            ("tsize", self.tsize.then_some(self.content.len())),
        ];
        for (name, number) in numbers {
            options.extend(number.map(|number| (name, number.to_string())));
        }
        let options: Vec<_> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        wrq(self.name, self.mode, &options)
    }

    /// Sends everything; the answer is the server's last word.
    pub fn send(&self, server: SocketAddr) -> Result<(), Refused> {
        let mut client =
            Conversation::between(crate::support::conversation::any_port(server), server);
        self.send_by(&mut client)
    }

    pub fn send_by(&self, client: &mut Conversation) -> Result<(), Refused> {
        let request = self.request();
        client.request(&request);
        let Some((first, from)) = self.answer(client, &request) else {
            return Err(Refused(0, "no answer".into()));
        };
        let (blksize, windowsize) = match first {
            Packet::Oack(options) => granted(&options),
            Packet::Ack(0) => (512, 1),
            Packet::Error { code, text } => return Err(Refused(code, text)),
            other => panic!("no answer to a WRQ: {other:?}"),
        };
        let blocks = (self.content.len() / blksize + 1) as u64;
        let mut acked = 0;
        let mut deadline = Instant::now() + PATIENCE;
        while acked < blocks {
            if self.stopped() {
                return Err(Refused(0, "stopped".into()));
            }
            assert!(Instant::now() < deadline, "no ACK of {}", acked + 1);
            let end = (acked + windowsize as u64).min(blocks);
            for block in acked + 1..=end {
                let at = (block as usize - 1) * blksize;
                let payload = &self.content[at..(at + blksize).min(self.content.len())];
                client.send_to(&data(block, payload), from);
            }
            if let Some(block) = self.wait(client, acked, end)? {
                acked = block;
                deadline = Instant::now() + PATIENCE;
            }
        }
        Ok(())
    }

    fn answer(&self, client: &mut Conversation, request: &[u8]) -> Option<(Packet, SocketAddr)> {
        let deadline = Instant::now() + PATIENCE;
        while !self.stopped() {
            if let Some(answer) = client.next_within(AGAIN) {
                return Some(answer);
            }
            assert!(Instant::now() < deadline, "no answer to a WRQ");
            client.request_again(request);
        }
        None
    }

    /// Waits for the ACK of a window. None: nothing came.
    fn wait(
        &self,
        client: &mut Conversation,
        acked: u64,
        end: u64,
    ) -> Result<Option<u64>, Refused> {
        let deadline = Instant::now() + AGAIN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match client.next_within(left) {
                None => return Ok(None),
                Some((Packet::Error { code, text }, _)) => return Err(Refused(code, text)),
                Some((Packet::Ack(wire), _)) => {
                    let found = (acked + 1..=end).rev().find(|block| *block as u16 == wire);
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Some(_) => {}
            }
        }
    }
}

fn granted(options: &[(String, String)]) -> (usize, usize) {
    let value = |name: &str, default| {
        let option = options.iter().find(|(option, _)| option == name);
        option.map_or(default, |(_, value)| value.parse().expect("a number"))
    };
    (value("blksize", 512), value("windowsize", 1))
}
