//! One reading client as a state machine: RFC 1350, 2347 to 2349 and 7440.
//! Never sends, never looks at a clock: the engine does both.

use crate::wire::{self, HEADER, Options};

/// What every client of a run asks for and expects.
pub struct Wish {
    pub blksize: u16,
    pub windowsize: u16,
    pub tsize: bool,
    pub size: u64,
    /// Compared byte by byte when present.
    pub content: Option<Vec<u8>>,
}

impl Wish {
    pub fn request(&self, name: &str) -> Vec<u8> {
        let options = Options {
            blksize: (self.blksize != 512).then_some(u64::from(self.blksize)),
            windowsize: (self.windowsize != 1).then_some(u64::from(self.windowsize)),
            tsize: self.tsize.then_some(0),
            unknown: false,
        };
        wire::request(name, options)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server's ERROR packet with its code.
    Refused(u16),
    /// An OACK with something that was not asked for, or with a wrong value.
    BadOack,
    WrongSize,
    WrongContent,
    /// Set by the engine: nothing came in spite of all repeats.
    Silence,
    /// Set by the engine: the run was over.
    CutOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Progress that asks for no packet yet.
    Took,
    Ack(u16),
    /// The last block is here; its ACK is due.
    Finished(u16),
    Failed(Failure),
    /// Not the server port that this transfer is locked to: RFC 1350 answers with ERROR 5.
    Foreign,
}

/// Packets counted over all clients.
#[derive(Default)]
pub struct Tally {
    pub data: u64,
    /// In order and new: what counts as delivered.
    pub blocks: u64,
    pub duplicates: u64,
    /// After a gap, so thrown away.
    pub ahead: u64,
    pub bytes: u64,
    pub repeated_acks: u64,
    pub foreign: u64,
    /// As the server last agreed to.
    pub blksize: u64,
    pub windowsize: u64,
}

/// A block's content: as much as was read, and how long it is.
struct Body<'a> {
    bytes: &'a [u8],
    len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Asked,
    Open,
    Done,
}

#[derive(Clone)]
pub struct Client {
    phase: Phase,
    /// The server's port, locked by its first answer.
    peer: u16,
    window: u16,
    since_ack: u16,
    /// The current gap was already told to the server.
    gap_told: bool,
    blksize: u64,
    /// The block that must come next, counted from 1 and without wrap.
    next: u64,
}

impl Client {
    pub fn idle() -> Client {
        Client {
            phase: Phase::Idle,
            peer: 0,
            window: 1,
            since_ack: 0,
            gap_told: false,
            blksize: 512,
            next: 1,
        }
    }

    pub fn ask(&mut self) {
        *self = Client {
            phase: Phase::Asked,
            ..Client::idle()
        };
    }

    pub fn abandon(&mut self) {
        self.phase = Phase::Idle;
    }

    pub fn peer(&self) -> u16 {
        self.peer
    }

    pub fn blocks(&self) -> u64 {
        self.next - 1
    }

    /// The ACK to repeat after a silence; none while the request is unanswered.
    pub fn last_ack(&self) -> Option<u16> {
        (self.phase == Phase::Open).then_some((self.next - 1) as u16)
    }

    /// `packet` may be shorter than `len`, the length that was sent, when nobody compares content.
    pub fn handle(
        &mut self,
        wish: &Wish,
        port: u16,
        packet: &[u8],
        len: usize,
        tally: &mut Tally,
    ) -> Step {
        if self.phase == Phase::Idle {
            return Step::Nothing;
        }
        if self.phase != Phase::Asked && port != self.peer {
            tally.foreign += 1;
            return Step::Foreign;
        }
        match (wire::opcode(packet), wire::u16_at(packet, 2)) {
            (Some(wire::DATA), Some(block)) => self.data(
                wish,
                port,
                block,
                Body {
                    bytes: &packet[HEADER..],
                    len: len - HEADER,
                },
                tally,
            ),
            (Some(wire::OACK), _) => self.oack(wish, port, packet, tally),
            (Some(wire::ERROR), code) if self.phase != Phase::Done => {
                self.phase = Phase::Idle;
                Step::Failed(Failure::Refused(code.unwrap_or(0)))
            }
            _ => Step::Nothing,
        }
    }

    fn oack(&mut self, wish: &Wish, port: u16, packet: &[u8], tally: &mut Tally) -> Step {
        match self.phase {
            Phase::Asked => {}
            // Our ACK 0 was lost, or the OACK crossed a repeated request.
            Phase::Open if self.next == 1 => {
                tally.repeated_acks += 1;
                return Step::Ack(0);
            }
            _ => return Step::Nothing,
        }
        let got = wire::oack_options(packet);
        let limit = |value: Option<u64>, asked: u16, without: u16| {
            let allowed = if asked == without {
                value.is_none()
            } else {
                value.is_none_or(|v| v <= asked.into())
            };
            (allowed && value != Some(0)).then(|| value.unwrap_or(without.into()))
        };
        let blksize = limit(got.blksize, wish.blksize, 512);
        let window = limit(got.windowsize, wish.windowsize, 1);
        let tsize = got.tsize.is_none_or(|v| wish.tsize && v == wish.size);
        let (Some(blksize), Some(window), true, false) = (blksize, window, tsize, got.unknown)
        else {
            self.phase = Phase::Idle;
            return Step::Failed(Failure::BadOack);
        };
        (tally.blksize, tally.windowsize) = (blksize, window);
        (self.phase, self.peer, self.blksize, self.window) =
            (Phase::Open, port, blksize, window as u16);
        Step::Ack(0)
    }

    fn data(
        &mut self,
        wish: &Wish,
        port: u16,
        block: u16,
        body: Body<'_>,
        tally: &mut Tally,
    ) -> Step {
        tally.data += 1;
        let distance = block.wrapping_sub(self.next as u16);
        if self.phase == Phase::Asked {
            // A leftover of the transfer that had this port before is not an answer.
            if distance != 0 {
                return Step::Nothing;
            }
            (self.phase, self.peer) = (Phase::Open, port);
            (tally.blksize, tally.windowsize) = (512, 1);
        }
        if distance != 0 || self.phase == Phase::Done {
            return self.out_of_order(distance, tally);
        }
        self.in_order(wish, body, tally)
    }

    fn in_order(&mut self, wish: &Wish, body: Body<'_>, tally: &mut Tally) -> Step {
        let from = (self.next - 1) * self.blksize;
        let len = body.len as u64;
        let last = len < self.blksize;
        let end = from + len;
        if len > self.blksize || end > wish.size || (last && end != wish.size) {
            self.phase = Phase::Idle;
            return Step::Failed(Failure::WrongSize);
        }
        if let Some(content) = &wish.content
            && content.get(from as usize..end as usize) != Some(body.bytes)
        {
            self.phase = Phase::Idle;
            return Step::Failed(Failure::WrongContent);
        }
        tally.blocks += 1;
        tally.bytes += len;
        let ack = self.next as u16;
        self.next += 1;
        self.since_ack += 1;
        self.gap_told = false;
        if last {
            self.phase = Phase::Done;
            return Step::Finished(ack);
        }
        if self.since_ack < self.window {
            return Step::Took;
        }
        self.since_ack = 0;
        Step::Ack(ack)
    }

    fn out_of_order(&mut self, distance: u16, tally: &mut Tally) -> Step {
        let last = (self.next - 1) as u16;
        if distance < 0x8000 {
            tally.ahead += 1;
            if self.gap_told || self.phase == Phase::Done {
                return Step::Nothing;
            }
            // RFC 7440, section 4: the receiver says where its sequence ends; the sender starts a window from there.
            self.gap_told = true;
            self.since_ack = 0;
            return Step::Ack(last);
        }
        tally.duplicates += 1;
        // The block that we acknowledged last came again: that ACK was lost. Older ones say nothing new.
        if distance == u16::MAX && (self.since_ack == 0 || self.phase == Phase::Done) {
            tally.repeated_acks += 1;
            return Step::Ack(last);
        }
        Step::Nothing
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
