//! One transfer from one address of the server, from the request to the last ACK.
//! It never tries a second address and never talks to the person at the terminal.

use core::fmt;
use std::time::Duration;

use super::channel::Channel;
use super::output::Output;
use super::receiver::{Receiver, Verdict};
use crate::client::Failure;
use crate::client::progress::Progress;
use crate::client::terms::{Asked, Terms};
use crate::clock;
use crate::wire::packet::{HEADER_LEN, ack};
use crate::wire::{ErrorCode, Packet, decode};

/// What the kernel counts for a queued datagram beside its bytes, roughly.
const QUEUED_OVERHEAD: usize = 1024;

pub struct Fetch<'a> {
    pub asked: Asked<'a>,
    pub channel: Channel<'a>,
    pub output: &'a mut Output,
    pub progress: &'a Progress,
}

/// How a transfer went.
pub struct Summary {
    bytes: u64,
    took: Duration,
    terms: Terms,
    resends: u64,
}

impl Fetch<'_> {
    /// Fetches the whole file. The server hears of a failure, unless it came from there.
    pub fn run(mut self, request: &[u8]) -> Result<Summary, Failure> {
        let result = self.transfer(request);
        if let Err(failure) = &result {
            self.channel.say_goodbye(failure);
        }
        result
    }

    fn transfer(&mut self, request: &[u8]) -> Result<Summary, Failure> {
        let start = clock::now();
        // One byte more than may come, so that a block that is too long shows.
        let room = usize::from(self.asked.blksize).max(512);
        let mut buffer = vec![0; HEADER_LEN + room + 1];

        self.channel.send(request)?;
        let first = self.channel.hear(&mut buffer)?;
        let terms = self.agree(buffer.get(..first).unwrap_or_default())?;
        let mut receiver = Receiver::new(terms);
        let bytes = self.receive(&mut buffer, first, terms, &mut receiver)?;
        check_size(terms, bytes)?;

        // The last ACK says that the file is here, so it waits for the disk's word.
        self.output.flush().map_err(Failure::Local)?;
        self.channel.send(&ack(receiver.acknowledge()))?;
        self.output.publish().map_err(Failure::Local)?;
        let took = (clock::now() - start).to_duration();
        self.progress.clear();
        self.channel.linger(&mut buffer);
        Ok(Summary {
            bytes,
            took,
            terms,
            resends: self.channel.resends(),
        })
    }

    /// Reads the first answer: an OACK, or DATA from a server that knows no options.
    fn agree(&mut self, packet: &[u8]) -> Result<Terms, Failure> {
        let terms = match decode(packet) {
            Ok(Packet::Oack(options)) => self.asked.accept(options)?,
            _ => Terms::default(),
        };
        let block = usize::from(terms.blksize) + QUEUED_OVERHEAD;
        self.channel
            .reserve(2 * block * usize::from(terms.windowsize));
        self.progress.start(terms.tsize);
        self.channel.progress();
        Ok(terms)
    }

    /// Takes packets until the last block is there, beginning with the one in the buffer; the ACK
    /// of the last block is the caller's. Returns the bytes that came.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        first: usize,
        terms: Terms,
        receiver: &mut Receiver,
    ) -> Result<u64, Failure> {
        let mut bytes = 0;
        let mut len = first;
        let mut oack_answered = false;
        loop {
            match decode(buffer.get(..len).unwrap_or_default()) {
                Ok(Packet::Data { block, payload }) => {
                    bytes += self.on_data(block, payload, terms, receiver)?;
                }
                // Our ACK 0 was lost when the OACK comes again before any block.
                Ok(Packet::Oack(_)) if receiver.blocks() == 0 => {
                    if core::mem::replace(&mut oack_answered, true) {
                        self.channel.repeat_if_lost()?;
                    } else {
                        self.channel.send(&ack(receiver.acknowledge()))?;
                    }
                }
                _ => {}
            }
            if receiver.is_complete() {
                return Ok(bytes);
            }
            self.progress.advance(bytes);
            len = self.channel.hear(buffer)?;
        }
    }

    /// Stores a block or answers it; says how many bytes it brought.
    fn on_data(
        &mut self,
        wire: u16,
        payload: &[u8],
        terms: Terms,
        receiver: &mut Receiver,
    ) -> Result<u64, Failure> {
        if payload.len() > usize::from(terms.blksize) {
            return Err(Failure::Protocol(
                ErrorCode::ILLEGAL_OPERATION,
                format!(
                    "the server sent a block of more than {} bytes",
                    terms.blksize
                ),
            ));
        }
        match receiver.take(wire, payload.len()) {
            Verdict::Keep { ack: due } => {
                self.channel.progress();
                self.output.write(payload).map_err(Failure::Local)?;
                if due && !receiver.is_complete() {
                    self.channel.send(&ack(receiver.acknowledge()))?;
                }
                Ok(payload.len() as u64)
            }
            Verdict::Acknowledge => {
                self.channel.send_again(&ack(receiver.acknowledge()))?;
                Ok(0)
            }
            Verdict::Repeat => {
                self.channel.repeat_if_lost()?;
                Ok(0)
            }
            Verdict::Ignore => Ok(0),
        }
    }
}

/// A file of another size than promised is not the file. Some servers send the 0 of our question
/// back, which promises nothing.
fn check_size(terms: Terms, bytes: u64) -> Result<(), Failure> {
    match terms.tsize {
        Some(tsize) if tsize != bytes && tsize != 0 => Err(Failure::Protocol(
            ErrorCode::NOT_DEFINED,
            format!("the server promised {tsize} bytes and sent {bytes}; the file is not kept"),
        )),
        _ => Ok(()),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{} bytes in {seconds:.3} s, {:.1} MB/s (blksize {}, windowsize {}, {} resends)",
            self.bytes,
            self.bytes as f64 / seconds.max(1e-9) / 1e6,
            self.terms.blksize,
            self.terms.windowsize,
            self.resends,
        )
    }
}
