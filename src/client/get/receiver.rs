//! The receiving side of a transfer (RFC 1350, 7440): which block to keep, when to acknowledge.
//! It never sees content, a socket or the time.

use crate::client::terms::Terms;
use crate::transfer::Rollover;

/// How often block 1 must follow 65,535 without a 0 before it is taken for block 65,536.
const ONES_FOR_A_WRAP: u8 = 3;

#[derive(Debug)]
pub struct Receiver {
    blksize: usize,
    window: u64,
    /// The block that is missing.
    next: u64,
    /// The block that was acknowledged last.
    acked: u64,
    /// The gap before `next` was reported already: once is enough, each report restarts the server.
    gap_reported: bool,
    /// Unknown until the first wrap shows it.
    rollover: Option<Rollover>,
    ones_after_wrap: u8,
    complete: bool,
}

/// What to do with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The block that was missing. Whether an ACK is due once it is stored.
    Keep {
        ack: bool,
    },
    /// A gap: the server needs to hear where we are.
    Acknowledge,
    /// A block that was acknowledged already: the ACK may be lost.
    Repeat,
    Ignore,
}

impl Receiver {
    pub fn new(terms: Terms) -> Self {
        Self {
            blksize: usize::from(terms.blksize),
            window: u64::from(terms.windowsize),
            next: 1,
            acked: 0,
            gap_reported: false,
            rollover: None,
            ones_after_wrap: 0,
            complete: false,
        }
    }

    /// Blocks that came in order.
    pub const fn blocks(&self) -> u64 {
        self.next - 1
    }

    /// Whether the last block is there.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The number for an ACK of everything that came in order; 0 answers an OACK.
    pub fn acknowledge(&mut self) -> u16 {
        self.acked = self.blocks();
        self.numbering().wire(self.acked)
    }

    /// Judges a block by its number and length.
    pub fn take(&mut self, wire: u16, len: usize) -> Verdict {
        self.learn_rollover(wire);
        let lowest = self.next.saturating_sub(self.window);
        let highest = self.next + self.window;
        match self.numbering().absolute(wire, lowest, highest) {
            Some(block) if block == self.next && !self.complete => self.keep(len),
            Some(block) if block > self.next => self.report_gap(),
            // Our ACK of it was lost, or the block came twice. In the middle of a window the blocks
            // behind it say more.
            Some(block) if block == self.acked && block == self.blocks() && !self.gap_reported => {
                Verdict::Repeat
            }
            _ => Verdict::Ignore,
        }
    }

    fn keep(&mut self, len: usize) -> Verdict {
        self.next += 1;
        self.gap_reported = false;
        self.complete = len < self.blksize;
        let ack = self.complete || self.blocks() >= self.acked + self.window;
        Verdict::Keep { ack }
    }

    fn report_gap(&mut self) -> Verdict {
        if core::mem::replace(&mut self.gap_reported, true) || self.complete {
            return Verdict::Ignore;
        }
        Verdict::Acknowledge
    }

    const fn numbering(&self) -> Rollover {
        match self.rollover {
            Some(known) => known,
            None => Rollover::ToZero,
        }
    }

    /// Finds out whether 0 or 1 follows 65,535 here. A 1 may also mean that the 0 was lost, unless
    /// it would then lie beyond the window, or no 0 ever comes.
    fn learn_rollover(&mut self, wire: u16) {
        const WRAP: u64 = 0x1_0000;
        if self.rollover.is_some() || self.next != WRAP {
            return;
        }
        let beyond_window = WRAP + u64::from(wire) > self.acked + self.window;
        self.rollover = match wire {
            0 => Some(Rollover::ToZero),
            // Blocks from before the wrap that come again.
            _ if u64::from(wire) > self.window.min(WRAP / 2) => None,
            _ if beyond_window => Some(Rollover::ToOne),
            1 => {
                self.ones_after_wrap += 1;
                let enough = self.ones_after_wrap >= ONES_FOR_A_WRAP;
                enough.then_some(Rollover::ToOne)
            }
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: usize = 512;
    /// Divides 65,535, so that the window behind it begins at the wrap.
    const LAST_ENDS_A_WINDOW: u16 = 15;

    fn receiver(windowsize: u16) -> Receiver {
        Receiver::new(Terms {
            windowsize,
            ..Terms::default()
        })
    }

    /// Takes full blocks in order up to `last`, acknowledging when due.
    fn run_to(receiver: &mut Receiver, last: u64) {
        for block in receiver.next..=last {
            if let Verdict::Keep { ack: true } = receiver.take(block as u16, FULL) {
                receiver.acknowledge();
            }
        }
        assert_eq!(receiver.blocks(), last);
    }

    #[test]
    fn an_ack_is_due_at_the_end_of_a_window_and_of_the_file() {
        let mut receiver = receiver(3);
        for (block, ack) in [(1, false), (2, false), (3, true)] {
            assert_eq!(receiver.take(block, FULL), Verdict::Keep { ack });
        }
        assert_eq!(receiver.acknowledge(), 3);
        assert_eq!(receiver.take(4, 0), Verdict::Keep { ack: true });
        assert!(receiver.is_complete());
    }

    #[test]
    fn a_gap_is_reported_once_and_what_is_behind_it_dropped() {
        let mut receiver = receiver(4);
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(3, FULL), Verdict::Acknowledge);
        assert_eq!(receiver.acknowledge(), 1);
        assert_eq!(receiver.take(4, FULL), Verdict::Ignore);
        assert_eq!(receiver.take(2, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(4, FULL), Verdict::Acknowledge);
    }

    #[test]
    fn a_block_that_comes_again_after_its_ack_is_acknowledged_again() {
        let mut receiver = receiver(2);
        run_to(&mut receiver, 2);
        assert_eq!(receiver.take(1, FULL), Verdict::Ignore);
        assert_eq!(receiver.take(2, FULL), Verdict::Repeat);
        assert_eq!(receiver.take(3, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(3, FULL), Verdict::Ignore);
    }

    #[test]
    fn the_last_block_again_is_acknowledged_again() {
        let mut receiver = receiver(4);
        receiver.take(1, 7);
        receiver.acknowledge();
        assert_eq!(receiver.take(1, 7), Verdict::Repeat);
        assert_eq!(receiver.take(2, 7), Verdict::Ignore);
    }

    #[test]
    fn numbers_wrap_to_zero() {
        let mut receiver = receiver(8);
        run_to(&mut receiver, 200_000);
    }

    #[test]
    fn one_after_the_wrap_is_at_once_believed_in_lock_step() {
        let mut receiver = receiver(1);
        run_to(&mut receiver, 65_535);
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: true });
        assert_eq!(receiver.acknowledge(), 1);
        assert_eq!(receiver.take(2, FULL), Verdict::Keep { ack: true });
    }

    #[test]
    fn one_after_the_wrap_is_at_once_believed_where_a_window_ends_there() {
        let mut receiver = receiver(8);
        run_to(&mut receiver, 65_535);
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: true });
    }

    #[test]
    fn one_after_the_wrap_may_be_a_lost_zero_in_a_window() {
        let mut receiver = receiver(LAST_ENDS_A_WINDOW);
        run_to(&mut receiver, 65_535);
        assert_eq!(receiver.take(1, FULL), Verdict::Acknowledge);
        assert_eq!(receiver.acknowledge(), 65_535);
        assert_eq!(receiver.take(2, FULL), Verdict::Ignore);
        assert_eq!(receiver.take(0, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: false });
    }

    #[test]
    fn a_window_that_reaches_too_far_shows_the_wrap_to_one() {
        let mut receiver = receiver(LAST_ENDS_A_WINDOW);
        run_to(&mut receiver, 65_535);
        receiver.take(1, FULL);
        assert_eq!(receiver.acknowledge(), 65_535);
        for wire in 2..LAST_ENDS_A_WINDOW {
            assert_eq!(receiver.take(wire, FULL), Verdict::Ignore);
        }
        receiver.take(LAST_ENDS_A_WINDOW, FULL);
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(2, FULL), Verdict::Keep { ack: false });
    }

    #[test]
    fn a_short_tail_behind_the_wrap_is_found_by_its_repetition() {
        let mut receiver = receiver(LAST_ENDS_A_WINDOW);
        run_to(&mut receiver, 65_535);
        receiver.take(1, FULL);
        receiver.take(1, FULL);
        assert_eq!(receiver.take(1, FULL), Verdict::Keep { ack: false });
        assert_eq!(receiver.take(2, 3), Verdict::Keep { ack: true });
        assert!(receiver.is_complete());
    }
}
