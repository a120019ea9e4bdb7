//! A read transfer seen from the sender: what is acknowledged, what is under way, what follows.
//! It never sees bytes: it answers in block ranges, and somebody else sends them.

mod disk;

use super::negotiate::Terms;
use super::pace::Pace;
use super::retry::Retry;
use super::time::Nanos;
use super::window::BlockRange;
use crate::limits::{
    GIVE_UP, GIVE_UP_TIMEOUTS, PROGRESS_GRACE, SLOWEST_BLOCK, UNPROVEN_DATA, UNPROVEN_LIFETIME,
    UNPROVEN_OACKS,
};

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
        let Some(block) = self
            .terms
            .rollover
            .absolute(wire, self.acked, self.departed())
        else {
            return Step::Nothing;
        };
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

    fn oack_accepted(&mut self, now: Nanos) -> Step {
        self.awaiting_oack = false;
        self.note_progress(now);
        self.resume(now)
    }

    /// In lock-step a duplicate ACK never causes DATA: RFC 1123, section 4.2.3.1. In a window it
    /// says that the first block behind it is missing (RFC 7440, section 4).
    fn duplicate_ack(&mut self, now: Nanos) -> Step {
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

    /// Sends what the window allows and was never sent. An ACK that comes sooner than these can be
    /// answered says nothing of them.
    fn slide(&mut self, now: Nanos) -> Step {
        if self.flown < self.sent || self.window_end() <= self.sent {
            // Either the flight is still leaving, burst by burst, or there is nothing new.
            return Step::Nothing;
        }
        self.flight_at = now;
        let allowed = self
            .pace
            .first(self.terms.windowsize, self.retry.shortest());
        self.burst(now, self.sent + 1, allowed)
    }

    /// Sends the window behind the newest acknowledged block, or as much of it as may leave at once.
    fn resume(&mut self, now: Nanos) -> Step {
        // What waits for the disk is asked for anew, with what is before it.
        self.sent = self.departed().max(self.acked);
        let again = self.sent > self.acked;
        if again {
            self.repeated = self.sent;
        }
        self.settled = self.clean;
        self.clean = !again;
        self.flight_at = now;
        let allowed = self
            .pace
            .first(self.terms.windowsize, self.retry.shortest());
        self.burst(now, self.acked + 1, allowed)
    }

    /// Sends at most `allowed` blocks of the window from `first` on.
    fn burst(&mut self, now: Nanos, first: u64, allowed: u16) -> Step {
        let last = self.window_end().min(first - 1 + u64::from(allowed));
        self.count_resends(first, last);
        self.departed = self.departed();
        self.flown = last;
        self.sent = self.sent.max(last);
        self.burst_at = now;
        self.set_deadline(now);
        Step::Send(BlockRange::between(first, last))
    }

    fn count_resends(&mut self, first: u64, last: u64) {
        let newest = last.min(self.departed());
        let mut again = (newest + 1).saturating_sub(first);
        if self.is_parked() {
            // Those that wait for the disk already were counted when they were first asked for.
            let first = first.max(self.parked_from);
            again -= (newest.min(self.flown) + 1).saturating_sub(first);
        }
        let again = u32::try_from(again).unwrap_or(u32::MAX);
        self.resends = self.resends.saturating_add(again);
    }

    /// Whether a part of the newest flight has not left yet.
    fn is_under_way(&self) -> bool {
        !self.awaiting_oack && self.flown < self.window_end()
    }

    fn note_flight(&mut self, now: Nanos, clean: bool) {
        self.flight_at = now;
        self.burst_at = now;
        self.settled = self.clean;
        self.clean = clean;
        self.set_deadline(now);
    }

    /// For the next burst, or for the answer to the last.
    fn set_deadline(&mut self, now: Nanos) {
        let wait = if self.proven && self.is_under_way() {
            self.pace.gap()
        } else {
            self.retry.interval()
        };
        self.deadline = now + wait;
    }

    fn note_progress(&mut self, now: Nanos) {
        if self.clean {
            self.retry.sample(now - self.burst_at);
        }
        self.retry.progressed();
        self.proven = true;
        self.progress_at = now;
        self.tries = 0;
    }

    /// An unproven peer gets one block at a time, whatever window it asked for. It cannot be
    /// otherwise: a window is granted by OACK, and the ACK of that is the proof.
    fn window_end(&self) -> u64 {
        (self.acked + u64::from(self.terms.windowsize)).min(self.last_block())
    }

    fn hopeless(&self, now: Nanos) -> Option<&'static str> {
        if !self.proven {
            let over = now >= self.started + UNPROVEN_LIFETIME;
            return over.then_some("the client never answered");
        }
        let patience = GIVE_UP.max(match self.terms.timeout {
            Some(timeout) => timeout.times(GIVE_UP_TIMEOUTS),
            None => Nanos::ZERO,
        });
        if now - self.progress_at >= patience {
            return Some(if self.sent == self.last_block() {
                "the end of the file was sent but never acknowledged"
            } else {
                "the client fell silent"
            });
        }
        let allowed = PROGRESS_GRACE + SLOWEST_BLOCK.times(self.acked);
        (now - self.started >= allowed).then_some("the client gets on too slowly")
    }

    const fn unproven_tries(&self) -> u8 {
        if self.awaiting_oack {
            UNPROVEN_OACKS
        } else {
            UNPROVEN_DATA
        }
    }

    /// The file's final block: the first that is shorter than blksize, if only by all its bytes.
    #[must_use]
    pub fn last_block(&self) -> u64 {
        self.size / u64::from(self.terms.blksize) + 1
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
