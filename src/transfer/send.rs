//! A read transfer seen from the sender: what is acknowledged, what is under way, what follows.
//! It never sees bytes: it answers in block ranges, and somebody else sends them.

mod disk;
mod flight;

use super::negotiate::Terms;
use super::pace::Pace;
use super::patience::{Loss, Signs};
use super::retry::Retry;
use super::time::Nanos;
use super::window::{BlockRange, last_block};
use crate::limits::{LAST_ACK, UNPROVEN_DATA, UNPROVEN_LIFETIME, UNPROVEN_OACKS};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Send the OACK (again).
    Oack,
    /// Send these blocks.
    Send(BlockRange),
    /// Every block is acknowledged.
    Completed,
    /// Stop: the peer is not heard, or does not get on. The text says which.
    GiveUp(&'static str),
}

/// One file on its way to one client.
#[derive(Debug)]
pub struct ReadTransfer {
    terms: Terms,
    size: u64,
    /// The file's final block. Kept: each packet looks at it several times, and it takes a division.
    last: u64,
    started: Nanos,
    /// When the newest flight began to leave.
    flight_at: Nanos,
    /// When its newest burst left.
    burst_at: Nanos,
    progress_at: Nanos,
    deadline: Nanos,
    /// Newest block acknowledged in order; 0 before the first.
    acked: u64,
    /// Newest block sent, or waiting for the disk to be sent.
    sent: u64,
    /// Newest block of the newest flight that left. The rest of its window follows in bursts.
    flown: u64,
    /// The first block that waits for the disk, and all behind it with it; 0: none does.
    parked_from: u64,
    /// Newest block that had left before those that are parked were asked for.
    departed: u64,
    retry: Retry,
    pace: Pace,
    /// Blocks sent more than once.
    resends: u32,
    /// Resends since the last progress.
    tries: u8,
    /// An OACK is out and not yet acknowledged.
    awaiting_oack: bool,
    /// The peer has sent a valid ACK, so its address is not forged (RFC 9000's idea, section 8).
    proven: bool,
    /// The newest flight was sent once, so that its answer is a sample (Karn).
    clean: bool,
    /// The flight before the newest was sent once, so that no echo of it is on the way.
    settled: bool,
    /// Newest block that was sent more than once.
    repeated: u64,
    /// The newest ACK told of one more block among those that were sent again.
    stepping: bool,
    /// The client's port is closed, and it may have everything.
    closing: bool,
    /// A block has left.
    begun: bool,
}

impl ReadTransfer {
    /// A transfer of `size` bytes; `oack` says whether the first answer is an OACK.
    #[must_use]
    pub fn new(terms: Terms, size: u64, oack: bool, now: Nanos) -> Self {
        Self {
            retry: Retry::new(terms.timeout),
            pace: Pace::new(terms.windowsize),
            last: last_block(size, terms.blksize),
            terms,
            size,
            started: now,
            flight_at: now,
            burst_at: now,
            progress_at: now,
            deadline: Nanos::NEVER,
            acked: 0,
            sent: 0,
            flown: 0,
            parked_from: 0,
            departed: 0,
            resends: 0,
            tries: 0,
            awaiting_oack: oack,
            proven: false,
            clean: true,
            settled: true,
            repeated: 0,
            stepping: false,
            closing: false,
            begun: false,
        }
    }

    /// The first answer to the request; also its repetition when the request comes again.
    pub fn first_answer(&mut self, now: Nanos) -> Step {
        if self.awaiting_oack {
            let clean = self.deadline == Nanos::NEVER;
            self.note_flight(now, clean);
            Step::Oack
        } else {
            self.resume(now)
        }
    }

    /// ACK `wire` arrived.
    pub fn ack(&mut self, now: Nanos, wire: u16) -> Step {
        self.ack_wanting(now, wire, None)
    }

    /// ACK `wire` arrived, and with it the blocks that the client wants in the next window, where it
    /// was agreed that it may say so.
    pub fn ack_wanting(&mut self, now: Nanos, wire: u16, next: Option<u8>) -> Step {
        let Some(block) = self
            .terms
            .rollover
            .absolute(wire, self.acked, self.departed())
        else {
            return Step::Nothing;
        };
        if let Some(next) = next {
            self.resize_window(next);
        }
        if self.awaiting_oack {
            return self.oack_accepted(now);
        }
        if block == self.acked {
            return self.duplicate_ack(now);
        }
        self.advance(now, block)
    }

    /// The deadline passed.
    pub fn expired(&mut self, now: Nanos) -> Step {
        if self.is_parked() {
            return self.ask_disk_again(now);
        }
        if let Some(reason) = self.hopeless(now) {
            return Step::GiveUp(reason);
        }
        if self.proven && self.is_under_way() {
            return self.burst(now, self.flown + 1, self.pace.next(now - self.burst_at));
        }
        let waited = now - self.burst_at;
        self.pace
            .silent(self.tries > 0, waited, self.terms.windowsize);
        self.tries = self.tries.saturating_add(1);
        if !self.proven && self.tries > self.unproven_tries() {
            // Silent until the peer speaks or its time is over.
            self.deadline = self.started + UNPROVEN_LIFETIME;
            return Step::Nothing;
        }
        self.retry.back_off();
        self.first_answer(now)
    }

    /// ICMP says that the client's port is closed. A client closes it with its last ACK, and the kernel
    /// tells of a block that was sent once more before it hands over that ACK: where all has left, the
    /// ACK has a moment to turn up. Says whether that is so.
    pub fn port_closed(&mut self, now: Nanos) -> bool {
        let may_be_whole = self.proven && !self.is_parked() && self.sent == self.last_block();
        if may_be_whole && !self.closing {
            self.closing = true;
            self.deadline = self.deadline.min(now + LAST_ACK);
        }
        may_be_whole
    }

    /// Whether the client's port is closed, so that the next deadline is the end.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Bursts stay as large as the path has shown to take them.
    fn resize_window(&mut self, next: u8) {
        if !self.terms.variable_window {
            return;
        }
        let windowsize = u16::from(next).max(1);
        self.pace.resize(self.terms.windowsize, windowsize);
        self.terms.windowsize = windowsize;
    }

    fn oack_accepted(&mut self, now: Nanos) -> Step {
        self.awaiting_oack = false;
        self.note_progress(now);
        self.resume(now)
    }

    /// In lock-step a duplicate ACK never causes DATA: RFC 1123, section 4.2.3.1. In a window it
    /// says that the first block behind it is missing (RFC 7440, section 4).
    fn duplicate_ack(&mut self, now: Nanos) -> Step {
        self.end_pause();
        let elapsed = now - self.flight_at;
        let early = self.retry.too_early(elapsed);
        // After a resend this may be the echo of a block that the client had already, or one more
        // ACK for the gap that was filled: one resend for each gap.
        if self.terms.windowsize == 1 || early || !self.clean || !self.settled {
            return Step::Nothing;
        }
        self.lost(0, Some(elapsed));
        self.resume(now)
    }

    fn advance(&mut self, now: Nanos, block: u64) -> Step {
        let whole = block == self.sent || block == self.flown;
        let elapsed = now - self.flight_at;
        let may_be_echo = self.may_be_echo(block);
        let by_timer = self.tries > 0;
        let run = u16::try_from(block - self.acked).unwrap_or(u16::MAX);
        self.acked = block;
        self.flown = self.flown.max(block);
        if !self.clean && self.tries > 0 {
            self.retry.resend_answered(elapsed);
        }
        self.clean &= whole;
        self.note_progress(now);
        if block == self.last_block() {
            return Step::Completed;
        }
        if whole {
            let queued = now - self.burst_at - self.retry.shortest();
            self.pace.whole(queued, self.terms.windowsize);
            return self.resume(now);
        }
        if may_be_echo || self.retry.too_early(elapsed) {
            // The newest flight is still under way.
            return self.slide(now);
        }
        // RFC 7440, section 4: on an ACK inside the window the sender resumes behind it.
        self.lost(run, (!by_timer).then_some(elapsed));
        self.resume(now)
    }

    /// After a resend, an ACK inside the window need not tell of a gap. EDK2 answers every block that
    /// it has already with an ACK of its newest one, and counts its window anew from there: to take
    /// that for a gap would resend the next window, and so for ever. What the client had already is
    /// all that was sent before, so the echo names its end. Others answer each such block by its own
    /// number, one by one: one such step may be a gap, two in a row are not.
    fn may_be_echo(&mut self, block: u64) -> bool {
        let again = block < self.repeated;
        let step = again && block == self.acked + 1;
        let stepping = core::mem::replace(&mut self.stepping, step);
        block == self.repeated || step && stepping
    }

    /// A flight arrived up to a gap, `run` blocks in all, which was heard of after `elapsed`, or
    /// only when a timer sent it again.
    fn lost(&mut self, run: u16, elapsed: Option<Nanos>) {
        let round_trip = self.retry.shortest();
        let window = self.terms.windowsize;
        match elapsed {
            Some(elapsed) => self.pace.gap_after(run, elapsed, round_trip, window),
            None => self.pace.swallowed_after(run, window),
        }
    }

    fn note_progress(&mut self, now: Nanos) {
        if self.clean {
            self.retry.sample(now - self.burst_at);
        }
        self.retry.progressed(self.tries == 0);
        self.proven = true;
        self.progress_at = now;
        self.tries = 0;
    }

    fn hopeless(&self, now: Nanos) -> Option<&'static str> {
        let signs = Signs {
            proven: self.proven,
            age: now - self.started,
            silence: now - self.progress_at,
            blocks: self.acked,
            timeout: self.terms.timeout,
        };
        let whole = self.sent == self.last_block();
        signs.verdict().map(|loss| match loss {
            Loss::NeverThere => "the client never answered",
            Loss::Silent if whole => "the end of the file was sent but never acknowledged",
            Loss::Silent => "the client fell silent",
            Loss::Slow => "the client gets on too slowly",
        })
    }

    const fn unproven_tries(&self) -> u8 {
        if self.awaiting_oack {
            UNPROVEN_OACKS
        } else {
            UNPROVEN_DATA
        }
    }

    /// Something of each cache line, so that it is read.
    #[must_use]
    pub fn touch(&self) -> u64 {
        self.last ^ self.deadline.0 ^ u64::from(self.resends)
    }

    /// The file's final block: the first that is shorter than blksize, if only by all its bytes.
    #[must_use]
    pub const fn last_block(&self) -> u64 {
        self.last
    }

    #[must_use]
    pub const fn deadline(&self) -> Nanos {
        self.deadline
    }

    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the file that the client has acknowledged.
    #[must_use]
    pub fn acked_bytes(&self) -> u64 {
        (self.acked * u64::from(self.terms.blksize)).min(self.size)
    }

    #[must_use]
    pub const fn resends(&self) -> u32 {
        self.resends
    }

    #[must_use]
    pub const fn round_trip(&self) -> Nanos {
        self.retry.round_trip()
    }

    /// Whether no block had left before now.
    #[must_use]
    pub const fn begins(&mut self) -> bool {
        !core::mem::replace(&mut self.begun, true)
    }

    /// Whether the peer has sent a valid ACK.
    #[must_use]
    pub const fn proven(&self) -> bool {
        self.proven
    }

    /// Whether an ERROR now would mean "I only wanted the size".
    #[must_use]
    pub const fn may_be_probe(&self) -> bool {
        self.terms.tsize_asked && self.acked == 0
    }

    #[must_use]
    pub const fn progress_at(&self) -> Nanos {
        self.progress_at
    }
}

impl BlockRange {
    fn between(first: u64, last: u64) -> Self {
        Self {
            first,
            count: u32::try_from((last + 1).saturating_sub(first)).unwrap_or(u32::MAX),
        }
    }

    /// The newest block of the range.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.first + (self.count as u64).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
