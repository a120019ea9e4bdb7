//! What leaves, and when it is looked at again: windows, in bursts where the path asks for that.
//! It never judges what an ACK means.

use super::{ReadTransfer, Step};
use crate::transfer::retry::pauses_after;
use crate::transfer::{BlockRange, Nanos};

impl ReadTransfer {
    /// Sends what the window allows and was never sent. An ACK that comes sooner than these can be
    /// answered says nothing of them.
    pub(super) fn slide(&mut self, now: Nanos) -> Step {
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
    pub(super) fn resume(&mut self, now: Nanos) -> Step {
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
    pub(super) fn burst(&mut self, now: Nanos, first: u64, allowed: u16) -> Step {
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
    pub(super) fn is_under_way(&self) -> bool {
        !self.awaiting_oack && self.flown < self.window_end()
    }

    pub(super) fn note_flight(&mut self, now: Nanos, clean: bool) {
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
        } else if self.proven && self.terms.windowsize == 1 {
            self.retry.wait(self.tries, self.terms.timeout)
        } else {
            self.retry.interval()
        };
        self.deadline = now + wait;
    }

    /// Resends pause for clients that ignore them. One that is heard meanwhile, and asks for no more
    /// than it was sent, has lost what was sent to it: the timer goes on as it would have.
    pub(super) fn end_pause(&mut self) {
        if pauses_after(self.tries) {
            let usual = self.burst_at + self.retry.interval();
            self.deadline = self.deadline.min(usual);
        }
    }

    /// An unproven peer gets one block at a time, whatever window it asked for. It cannot be
    /// otherwise: a window is granted by OACK, and the ACK of that is the proof.
    fn window_end(&self) -> u64 {
        (self.acked + u64::from(self.terms.windowsize)).min(self.last_block())
    }
}
