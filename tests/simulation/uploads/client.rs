//! A client that uploads: windows, ACKs, and what it repeats when nothing comes.
//! It shares only `wire` with the server.

use ringboot::transfer::Nanos;
use ringboot::wire::{ErrorCode, OptionName, Packet, decode, options::parse_decimal};

use super::CLIENT_AGAIN;
use crate::rng::Rng;

const TRIES: u32 = 60;

/// How an upload ended, as its client sees it.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// By an ERROR with this code.
    Refused(u16),
    GaveUp,
}

pub struct Client {
    pub name: u64,
    pub content: Vec<u8>,
    pub end: Option<End>,
    request: Vec<u8>,
    /// The server has answered.
    agreed: bool,
    blksize: usize,
    windowsize: u64,
    acked: u64,
    /// The gap that has been filled already.
    filled: Option<u64>,
    again_at: Nanos,
    tries: u32,
}

impl Client {
    pub fn new(number: u16, name: u64, rng: &mut Rng) -> Self {
        let blksize = *rng.pick(&[512_usize, 512, 8, 1428]);
        let windowsize = *rng.pick(&[1_u64, 1, 4, 16, 64]);
        let whole = rng.below(80) as usize * blksize;
        let size = whole + rng.below(blksize as u64) as usize;
        let mut request = format!("\0\x02file-{name}\0octet\0").into_bytes();
        let mut option = |name: &str, value: u64| {
            request.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        };
        if blksize != 512 {
            option("blksize", blksize as u64);
        }
        if windowsize > 1 {
            option("windowsize", windowsize);
        }
        if number.is_multiple_of(3) {
            option("tsize", size as u64);
        }
        Self {
            name,
            content: rng.bytes(size),
            end: None,
            request,
            agreed: false,
            blksize: 512,
            windowsize: 1,
            acked: 0,
            filled: None,
            again_at: Nanos::ZERO,
            tries: 0,
        }
    }

    /// When it repeats what it sent last.
    pub fn deadline(&self) -> Option<Nanos> {
        self.end.is_none().then_some(self.again_at)
    }

    pub fn wake(&mut self, now: Nanos, out: &mut Vec<Vec<u8>>) {
        if self.end.is_some() || now < self.again_at {
            return;
        }
        self.tries += 1;
        if self.tries > TRIES {
            self.end = Some(End::GaveUp);
        } else if self.agreed {
            self.send_window(now, out);
        } else {
            self.again_at = now + CLIENT_AGAIN;
            out.push(self.request.clone());
        }
    }

    pub fn hear(&mut self, now: Nanos, bytes: &[u8], out: &mut Vec<Vec<u8>>) {
        if self.end.is_some() {
            return;
        }
        match decode(bytes) {
            Ok(Packet::Oack(options)) if !self.agreed => {
                let number = |name| options.get(name).and_then(parse_decimal);
                self.blksize = number(OptionName::Blksize).map_or(512, |number| number as usize);
                self.windowsize = number(OptionName::Windowsize).unwrap_or(1);
                self.begin(now, out);
            }
            Ok(Packet::Ack { block: 0 }) if !self.agreed => self.begin(now, out),
            Ok(Packet::Ack { block }) if self.agreed => self.acknowledged(now, block, out),
            Ok(Packet::Error { code, .. }) => {
                let ErrorCode(code) = code;
                self.end = Some(End::Refused(code));
            }
            // The first answer once more: the timer sends what was lost.
            Ok(Packet::Oack(_) | Packet::Ack { .. }) => {}
            other => panic!("{other:?} to a client that uploads"),
        }
    }

    fn begin(&mut self, now: Nanos, out: &mut Vec<Vec<u8>>) {
        self.agreed = true;
        self.tries = 0;
        self.send_window(now, out);
    }

    fn acknowledged(&mut self, now: Nanos, wire: u16, out: &mut Vec<Vec<u8>>) {
        let window = self.acked..=self.window_end();
        let Some(block) = window.rev().find(|block| *block as u16 == wire) else {
            return;
        };
        if block == self.acked {
            // Its first block is missing: in lock-step the timer will tell (RFC 1123).
            if self.windowsize > 1 && block > 0 && self.filled != Some(block) {
                self.filled = Some(block);
                self.send_window(now, out);
            }
            return;
        }
        (self.acked, self.tries) = (block, 0);
        if block == self.blocks() {
            self.end = Some(End::Done);
        } else {
            self.send_window(now, out);
        }
    }

    fn send_window(&mut self, now: Nanos, out: &mut Vec<Vec<u8>>) {
        self.again_at = now + CLIENT_AGAIN;
        for block in self.acked + 1..=self.window_end() {
            let at = (block as usize - 1) * self.blksize;
            let end = (at + self.blksize).min(self.content.len());
            let mut packet = vec![0, 3];
            packet.extend_from_slice(&(block as u16).to_be_bytes());
            packet.extend_from_slice(&self.content[at..end]);
            out.push(packet);
        }
    }

    fn window_end(&self) -> u64 {
        (self.acked + self.windowsize).min(self.blocks())
    }

    fn blocks(&self) -> u64 {
        (self.content.len() / self.blksize + 1) as u64
    }
}
