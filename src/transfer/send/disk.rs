//! Blocks that are not in memory: they wait here until the disk has delivered them.
//! It never reads a disk; it remembers what was asked for.

use super::{ReadTransfer, Step};
use crate::limits::DISK_ASK_AGAIN;
use crate::transfer::patience::{DISK_SILENT, disk_is_silent};
use crate::transfer::{BlockRange, Nanos};

impl ReadTransfer {
    /// What is to be sent now that these blocks are asked for: those that wait go with them.
    #[must_use]
    pub fn with_parked(&self, blocks: BlockRange) -> BlockRange {
        if !self.is_parked() {
            return blocks;
        }
        BlockRange::between(blocks.first.min(self.waiting().first), self.flown)
    }

    /// These blocks are not in memory. They stay here until [`loaded`](Self::loaded), or until it
    /// is time to ask for them again.
    pub fn park(&mut self, now: Nanos, blocks: BlockRange) {
        // What is sent once more, for want of room in a socket, may be the end of a flight that had left before.
        self.departed = self.departed.max(blocks.first.saturating_sub(1));
        self.parked_from = blocks.first;
        self.deadline = now + DISK_ASK_AGAIN;
    }

    /// The disk has answered: what was parked may be tried again.
    pub fn loaded(&mut self, now: Nanos) -> Step {
        if !self.is_parked() {
            return Step::Nothing;
        }
        let blocks = self.waiting();
        self.parked_from = 0;
        // The client waited for us: that was no slowness of its own, nor a round trip.
        // Only that: one that is gone must be given up however often the disk is asked.
        let waited = now - self.burst_at;
        self.started = self.started + waited;
        self.progress_at = self.progress_at + waited;
        self.note_flight(now, false);
        if blocks.count > 0 {
            return Step::Send(blocks);
        }
        // The client had them already; what follows them did not wait for the disk.
        if self.is_under_way() {
            return self.burst(now, self.flown + 1, self.pace.next(Nanos::ZERO));
        }
        Step::Nothing
    }

    /// Whether blocks wait for the disk.
    #[must_use]
    pub const fn is_parked(&self) -> bool {
        self.parked_from > 0
    }

    /// The blocks that wait for the disk and are still wanted.
    pub(super) fn waiting(&self) -> BlockRange {
        BlockRange::between(self.parked_from.max(self.acked + 1), self.flown)
    }

    /// Newest block that really left.
    pub(super) const fn departed(&self) -> u64 {
        if self.is_parked() {
            self.departed
        } else {
            self.sent
        }
    }

    pub(super) fn ask_disk_again(&mut self, now: Nanos) -> Step {
        if disk_is_silent(now - self.progress_at) {
            return Step::GiveUp(DISK_SILENT);
        }
        let blocks = self.waiting();
        if blocks.count == 0 {
            return self.loaded(now);
        }
        self.deadline = now + DISK_ASK_AGAIN;
        Step::Send(blocks)
    }
}
