//! A write transfer seen from the receiver: which block is due, when an ACK is, when to repeat it.
//! It never sees bytes: it says which payloads to keep, and somebody else stores them.

use super::negotiate::Terms;
use super::patience::{Loss, Signs};
use super::retry::Retry;
use super::time::Nanos;
use super::window::Rollover;
use crate::limits::{DALLY, UNPROVEN_LIFETIME, UNPROVEN_OACKS};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    /// Answer the request: with the OACK, or with ACK 0. It invites the first window.
    Greet,
    /// Acknowledge all that is here, with this number on the wire: it invites the next window, so
    /// there has to be room for that.
    Invite(u16),
    /// Every block is here: make the file durable, then say so by [`WriteTransfer::stored`].
    Commit,
    /// Acknowledge the last block, which invites nothing.
    Final(u16),
    /// More bytes than the client announced by tsize (RFC 2349).
    TooLong,
    /// A block larger than was agreed (RFC 2348).
    Oversized,
    /// The client has had time enough to ask for the last ACK again.
    Over,
    /// Stop: the peer is not heard, or does not get on. The text says which.
    GiveUp(&'static str),
}

/// What becomes of a DATA packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its payload is the next in order, and is to be stored before the answer is acted on.
    pub keep: bool,
    pub answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Receiving,
    /// The next window is not invited before there is room for it.
    NoRoom,
    /// The last block is here, the file is not durable yet.
    Storing,
    /// The last ACK has been sent; it may have got lost.
    Dallying,
}

/// One file on its way from one client.
#[derive(Debug)]
pub struct WriteTransfer {
    terms: Terms,
    /// The client's tsize, where its bytes can be compared with it.
    announced: Option<u64>,
    started: Nanos,
    progress_at: Nanos,
    /// When the newest ACK left.
    answered_at: Nanos,
    deadline: Nanos,
    /// Newest block that came in order; 0 before the first.
    received: u64,
    /// Newest block that was acknowledged.
    acked: u64,
    bytes: u64,
    retry: Retry,
    /// ACKs sent more than once.
    repeats: u32,
    /// Repetitions since the last progress.
    tries: u8,
    stage: Stage,
    /// The gap before the block that is due was reported: each report makes the client go back.
    gap_reported: bool,
    /// The newest ACK was sent once, so that the block behind it is a sample (Karn).
    clean: bool,
    /// The first answer is an OACK.
    oack: bool,
}

impl WriteTransfer {
    /// A transfer of as many bytes as come, at most `announced`; `oack` says whether the first answer
    /// is an OACK.
    #[must_use]
    pub fn new(terms: Terms, announced: Option<u64>, oack: bool, now: Nanos) -> Self {
        Self {
            retry: Retry::new(terms.timeout),
            terms,
            announced,
            started: now,
            progress_at: now,
            answered_at: now,
            deadline: Nanos::NEVER,
            received: 0,
            acked: 0,
            bytes: 0,
            repeats: 0,
            tries: 0,
            stage: Stage::Receiving,
            gap_reported: false,
            clean: true,
            oack,
        }
    }

    /// The first answer to the request; also its repetition when the request comes again.
    pub fn first_answer(&mut self, now: Nanos) -> Answer {
        if self.stage == Stage::Receiving {
            let clean = self.deadline == Nanos::NEVER;
            self.invite(now, clean);
            Answer::Greet
        } else {
            Answer::Nothing
        }
    }

    /// DATA `wire` arrived with `len` bytes.
    pub fn data(&mut self, now: Nanos, wire: u16, len: usize) -> Taken {
        let keep = self.stage == Stage::Receiving && self.find(wire) == Some(self.received + 1);
        let answer = if keep {
            return self.take(now, len);
        } else {
            self.not_due(now, wire)
        };
        Taken {
            keep: false,
            answer,
        }
    }

    /// The deadline passed.
    pub fn expired(&mut self, now: Nanos) -> Answer {
        match self.stage {
            Stage::Receiving => self.repeat_late(now),
            Stage::Dallying => Answer::Over,
            // They end by what the disk says.
            Stage::NoRoom | Stage::Storing => {
                self.deadline = Nanos::NEVER;
                Answer::Nothing
            }
        }
    }

    /// There is no room for the window that the last answer would invite: it is not sent, and what
    /// the client repeats meanwhile is let pass, until [`room`](Self::room).
    pub const fn no_room(&mut self) {
        self.stage = Stage::NoRoom;
        self.deadline = Nanos::NEVER;
    }

    /// There may be room again.
    pub fn room(&mut self, now: Nanos) -> Answer {
        if self.stage != Stage::NoRoom {
            return Answer::Nothing;
        }
        self.stage = Stage::Receiving;
        self.waited_for_us(now);
        // The client may have repeated its blocks meanwhile: what comes next answers nothing.
        match self.invite(now, false) {
            Answer::Invite(_) if !self.proven() => Answer::Greet,
            answer => answer,
        }
    }

    /// The file is durable and has its name.
    pub fn stored(&mut self, now: Nanos) -> Answer {
        if self.stage != Stage::Storing {
            return Answer::Nothing;
        }
        self.stage = Stage::Dallying;
        self.acked = self.received;
        self.answered_at = now;
        self.deadline = now + DALLY.max(self.terms.timeout.unwrap_or_default().times(2));
        Answer::Final(self.number())
    }

    fn take(&mut self, now: Nanos, len: usize) -> Taken {
        let refuse = |answer| Taken {
            keep: false,
            answer,
        };
        if len > usize::from(self.terms.blksize) {
            return refuse(Answer::Oversized);
        }
        self.bytes += len as u64;
        if self.announced.is_some_and(|size| self.bytes > size) {
            return refuse(Answer::TooLong);
        }
        self.note_progress(now);
        self.received += 1;
        let answer = if len < usize::from(self.terms.blksize) {
            self.stage = Stage::Storing;
            self.deadline = Nanos::NEVER;
            Answer::Commit
        } else if self.received == self.window_end() {
            self.invite(now, true)
        } else {
            self.deadline = now + self.retry.interval();
            Answer::Nothing
        };
        Taken { keep: true, answer }
    }

    /// A block that is not the next: one behind a gap, or one that is here already.
    fn not_due(&mut self, now: Nanos, wire: u16) -> Answer {
        let early = self.retry.too_early(now - self.answered_at);
        match (self.stage, self.find(wire)) {
            // RFC 7440, section 4: the receiver tells where the gap begins; once is enough.
            (Stage::Receiving, Some(block)) if block > self.received => {
                if core::mem::replace(&mut self.gap_reported, true) {
                    return Answer::Nothing;
                }
                self.repeat(now)
            }
            // Our ACK of it was lost, unless the block was doubled on its way: an ACK that has just
            // left cannot be answered yet. To answer every copy doubles all that follows.
            (Stage::Receiving, Some(block))
                if block == self.acked && block == self.received && block > 0 && !early =>
            {
                self.repeat(now)
            }
            (Stage::Dallying, Some(block)) if block == self.received && !early => {
                self.answered_at = now;
                self.repeats = self.repeats.saturating_add(1);
                Answer::Final(self.number())
            }
            _ => Answer::Nothing,
        }
    }

    fn repeat_late(&mut self, now: Nanos) -> Answer {
        if let Some(reason) = self.hopeless(now) {
            return Answer::GiveUp(reason);
        }
        self.tries = self.tries.saturating_add(1);
        if !self.proven() && (self.oack || self.tries > UNPROVEN_OACKS) {
            // Silent until the peer speaks or its time is over. An OACK is repeated only for a
            // repeated request: curl takes a second one for the ACK of a block that got lost.
            self.deadline = self.started + UNPROVEN_LIFETIME;
            return Answer::Nothing;
        }
        self.retry.back_off();
        self.repeat(now)
    }

    fn repeat(&mut self, now: Nanos) -> Answer {
        let again = self.acked == self.received;
        self.repeats = self.repeats.saturating_add(u32::from(again));
        self.invite(now, false)
    }

    fn invite(&mut self, now: Nanos, clean: bool) -> Answer {
        self.acked = self.received;
        self.answered_at = now;
        self.clean = clean;
        self.deadline = now + self.retry.interval();
        Answer::Invite(self.number())
    }

    fn note_progress(&mut self, now: Nanos) {
        let answered = self.received == self.acked;
        let elapsed = now - self.answered_at;
        if answered && self.clean {
            self.retry.sample(elapsed);
        }
        if answered && !self.clean && self.tries > 0 {
            self.retry.resend_answered(elapsed);
        }
        self.retry.progressed(self.tries == 0);
        self.gap_reported = false;
        self.progress_at = now;
        self.tries = 0;
    }

    /// The client waited for us: that was no slowness of its own.
    fn waited_for_us(&mut self, now: Nanos) {
        self.started = self.started + (now - self.progress_at);
        self.progress_at = now;
    }

    /// The absolute number of a block between the oldest that a client may repeat and the newest
    /// that it was invited to send.
    fn find(&mut self, wire: u16) -> Option<u64> {
        self.learn_rollover(wire);
        let oldest = self
            .received
            .saturating_sub(u64::from(self.terms.windowsize));
        self.terms
            .rollover
            .absolute(wire, oldest, self.window_end())
    }

    /// Without the `rollover` option 0 follows 65,535. Some clients count on from 1 and do not say
    /// so; in lock-step no other block can have that number there.
    const fn learn_rollover(&mut self, wire: u16) {
        if wire == 1 && self.received == 65_535 && self.terms.windowsize == 1 {
            self.terms.rollover = Rollover::ToOne;
        }
    }

    const fn number(&self) -> u16 {
        self.terms.rollover.wire(self.acked)
    }

    const fn window_end(&self) -> u64 {
        self.acked + self.terms.windowsize as u64
    }

    fn hopeless(&self, now: Nanos) -> Option<&'static str> {
        let signs = Signs {
            proven: self.proven(),
            age: now - self.started,
            silence: now - self.progress_at,
            blocks: self.received,
            timeout: self.terms.timeout,
        };
        signs.verdict().map(|loss| match loss {
            Loss::NeverThere => "the client never sent a block",
            Loss::Silent => "the client fell silent",
            Loss::Slow => "the client gets on too slowly",
        })
    }

    #[must_use]
    pub const fn deadline(&self) -> Nanos {
        self.deadline
    }

    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Bytes that an ACK invites: those of one window.
    #[must_use]
    pub fn window_bytes(&self) -> usize {
        usize::from(self.terms.windowsize) * usize::from(self.terms.blksize)
    }

    /// Bytes that came in order.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.bytes
    }

    /// The client's own word for the size; 0 where it gave none.
    #[must_use]
    pub fn announced(&self) -> u64 {
        self.announced.unwrap_or(0)
    }

    #[must_use]
    pub const fn repeats(&self) -> u32 {
        self.repeats
    }

    #[must_use]
    pub const fn round_trip(&self) -> Nanos {
        self.retry.round_trip()
    }

    /// Whether the peer has sent a block to the port that we answered from: its address is its own.
    #[must_use]
    pub const fn proven(&self) -> bool {
        self.received > 0
    }

    /// Whether the last ACK has been sent.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Dallying
    }

    /// Whether the client waits for our disk.
    #[must_use]
    pub fn waits_for_us(&self) -> bool {
        matches!(self.stage, Stage::NoRoom | Stage::Storing)
    }

    #[must_use]
    pub const fn progress_at(&self) -> Nanos {
        self.progress_at
    }
}

#[cfg(test)]
mod tests;
