//! One upload to one address of the server, from the request to the last ACK.
//! It never tries a second address and never talks to the person at the terminal.

use core::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::source::Source;
use crate::client::progress::Progress;
use crate::client::terms::{Asked, Terms};
use crate::client::{ClientSocket, Failure, Heard};
use crate::clock;
use crate::limits::GIVE_UP;
use crate::transfer::{self, BlockRange, Nanos, ReadTransfer, Rollover, Step};
use crate::wire::packet::{ErrorPacket, HEADER_LEN, data_header};
use crate::wire::{ErrorCode, Packet, decode};

/// The first wait for an answer to the request; it doubles.
const FIRST_WAIT: Nanos = Nanos::from_secs(1);
/// How often the request is sent again.
const REQUESTS: u32 = 4;

/// ACKs are short, an OACK has 512 bytes at most; an ERROR may be longer and is cut.
const ANSWER: usize = 1024;

pub struct Sending<'a> {
    socket: ClientSocket,
    server: SocketAddr,
    /// The server's transfer ID, once it has answered (RFC 1350, section 4).
    peer: Option<SocketAddr>,
    stranger: Option<IpAddr>,
    /// Whether we sent an ERROR to a foreign port: an ICMP error may then be about that.
    rejected: bool,
    asked: Asked<'a>,
    source: &'a Source,
    progress: &'a Progress,
    stop: &'a AtomicBool,
    packet: Vec<u8>,
}

/// How an upload went.
pub struct Summary {
    bytes: u64,
    took: Duration,
    terms: Terms,
    resends: u32,
}

/// What the server says to an upload.
enum Answer {
    Ack(u16),
    Granted(Terms),
}

impl<'a> Sending<'a> {
    pub fn open(
        server: SocketAddr,
        asked: Asked<'a>,
        source: &'a Source,
        progress: &'a Progress,
        stop: &'a AtomicBool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            socket: ClientSocket::open(server).map_err(Failure::Unreachable)?,
            server,
            peer: None,
            stranger: None,
            rejected: false,
            asked,
            source,
            progress,
            stop,
            packet: Vec::new(),
        })
    }

    /// Sends the whole file. The server hears of a failure, unless it came from there.
    pub fn run(mut self, request: &[u8]) -> Result<Summary, Failure> {
        let result = self.transfer(request);
        if let Err(failure) = &result {
            self.say_goodbye(failure);
        }
        result
    }

    fn transfer(&mut self, request: &[u8]) -> Result<Summary, Failure> {
        let start = clock::now();
        let (terms, asked_at) = self.agree(request)?;
        self.progress.start(Some(self.source.len()));
        let (size, sender) = (self.source.len(), self.sender_terms(terms));
        let mut transfer = ReadTransfer::new(sender, size, true, start);
        // The answer to the request proves the server as ACK 0 proves a client, and is the first
        // measurement of the round trip unless the request was repeated.
        transfer.first_answer(start);
        if asked_at > start {
            transfer.first_answer(asked_at);
        }
        let mut step = transfer.ack(clock::now(), 0);
        loop {
            match step {
                Step::Send(blocks) => self.send_blocks(blocks, terms.blksize)?,
                Step::Completed => break,
                Step::GiveUp(_) => {
                    let waited = (clock::now() - transfer.progress_at()).to_duration();
                    return Err(Failure::Stalled { waited });
                }
                Step::Nothing | Step::Oack => {}
            }
            step = match self.hear(transfer.deadline())? {
                Some(Answer::Ack(block)) => transfer.ack(clock::now(), block),
                // The answer to our request, once more.
                Some(Answer::Granted(_)) => Step::Nothing,
                None if clock::now() >= transfer.deadline() => transfer.expired(clock::now()),
                None => Step::Nothing,
            };
            self.progress.advance(transfer.acked_bytes());
        }
        self.progress.clear();
        Ok(Summary {
            bytes: self.source.len(),
            took: (clock::now() - start).to_duration(),
            terms,
            resends: transfer.resends(),
        })
    }

    /// Asks until the server answers: with an OACK, or with ACK 0 if it knows no options.
    /// Also says when the last request left, which is the start's time if it was the first.
    fn agree(&mut self, request: &[u8]) -> Result<(Terms, Nanos), Failure> {
        let mut wait = FIRST_WAIT;
        let mut waited = Nanos::ZERO;
        let mut asked_at = Nanos::ZERO;
        for attempt in 0..=REQUESTS {
            self.transmit(request)?;
            if attempt > 0 {
                asked_at = clock::now();
            }
            let deadline = clock::now() + wait;
            while clock::now() < deadline {
                match self.hear(deadline)? {
                    Some(Answer::Granted(terms)) => return Ok((terms, asked_at)),
                    Some(Answer::Ack(0)) => return Ok((Terms::default(), asked_at)),
                    Some(Answer::Ack(_)) | None => {}
                }
            }
            waited = waited + wait;
            wait = wait.times(2).min(self.longest_wait());
        }
        Err(Failure::NoAnswer {
            waited: waited.to_duration(),
            stranger: self.stranger,
        })
    }

    fn longest_wait(&self) -> Nanos {
        self.asked.timeout.map_or(GIVE_UP, Nanos::from)
    }

    fn sender_terms(&self, terms: Terms) -> transfer::Terms {
        transfer::Terms {
            blksize: terms.blksize,
            windowsize: terms.windowsize,
            variable_window: false,
            timeout: self.asked.timeout.map(Nanos::from),
            rollover: Rollover::ToZero,
            tsize_asked: false,
        }
    }

    fn send_blocks(&mut self, blocks: BlockRange, blksize: u16) -> Result<(), Failure> {
        let len = usize::from(blksize);
        for block in blocks.first..=blocks.last() {
            let mut packet = core::mem::take(&mut self.packet);
            packet.clear();
            packet.reserve(HEADER_LEN + len);
            packet.extend_from_slice(&data_header(Rollover::ToZero.wire(block)));
            let offset = (block - 1) * u64::from(blksize);
            let read = self.source.read(offset, len, &mut packet);
            let sent = read
                .map_err(Failure::Local)
                .and_then(|()| self.transmit(&packet));
            self.packet = packet;
            sent?;
        }
        Ok(())
    }

    /// Waits for the server's next answer until `deadline`.
    fn hear(&mut self, deadline: Nanos) -> Result<Option<Answer>, Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let mut buffer = [0; ANSWER];
        let heard = self.socket.receive(&mut buffer, deadline);
        match heard.map_err(|error| Failure::Local(format!("cannot receive: {error}")))? {
            Heard::Datagram { len, from } => {
                self.admit(buffer.get(..len).unwrap_or_default(), from)
            }
            Heard::Unreachable(error) if !self.rejected => {
                Err(Failure::unreachable(error, self.peer.is_some()))
            }
            Heard::Unreachable(_) | Heard::Signal | Heard::Nothing => Ok(None),
        }
    }

    /// The first answer decides who the server is; everybody else is told so and disturbs nothing
    /// (RFC 1350, section 4).
    fn admit(&mut self, bytes: &[u8], from: SocketAddr) -> Result<Option<Answer>, Failure> {
        match self.peer {
            Some(peer) if peer != from => {
                self.rejected = true;
                let packet = ErrorPacket::new(ErrorCode::UNKNOWN_TID, "Unknown transfer ID");
                // A stranger that cannot be told has no claim to more.
                let _ = self.socket.send(packet.as_bytes(), from);
                return Ok(None);
            }
            None if from.ip() != self.server.ip() => {
                self.stranger = Some(from.ip());
                return Ok(None);
            }
            _ => {}
        }
        let answer = match decode(bytes) {
            Ok(Packet::Error { code, text }) => {
                return Err(Failure::Server {
                    code,
                    text: text.to_vec(),
                });
            }
            Ok(Packet::Ack { block }) => Answer::Ack(block),
            Ok(Packet::Oack(options)) => Answer::Granted(self.asked.accept(options)?),
            _ => return Ok(None),
        };
        self.peer = Some(from);
        Ok(Some(answer))
    }

    fn transmit(&self, packet: &[u8]) -> Result<(), Failure> {
        let to = self.peer.unwrap_or(self.server);
        let sent = self.socket.send_past_icmp(packet, to, self.rejected);
        sent.map_err(|error| Failure::unreachable(error, self.peer.is_some()))
    }

    /// Tells the server why we stop, so that it keeps no part of the file.
    fn say_goodbye(&self, failure: &Failure) {
        let (code, text) = match failure {
            Failure::Protocol(code, _) => (*code, "That does not follow from what was asked"),
            Failure::Local(_) => (ErrorCode::NOT_DEFINED, "The client cannot read the file"),
            Failure::Interrupted => (ErrorCode::NOT_DEFINED, "The client was interrupted"),
            Failure::Stalled { .. } => (ErrorCode::NOT_DEFINED, "The client has waited too long"),
            _ => return,
        };
        if let Some(peer) = self.peer {
            // It is a courtesy; the failure itself is reported by the caller.
            let _ = self
                .socket
                .send(ErrorPacket::new(code, text).as_bytes(), peer);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{} bytes stored in {seconds:.3} s, {:.1} MB/s (blksize {}, windowsize {}, {} resends)",
            self.bytes,
            self.bytes as f64 / seconds.max(1e-9) / 1e6,
            self.terms.blksize,
            self.terms.windowsize,
            self.resends,
        )
    }
}
