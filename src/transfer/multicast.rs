//! One file on its way to a multicast group (RFC 2090): what its master client has asked for, and
//! when it is asked again. It never knows who the members are: the endpoint keeps their list.

use super::patience::{DISK_SILENT, disk_is_silent};
use super::retry::Retry;
use super::time::Nanos;
use super::window::{BlockRange, Rollover, last_block};
use crate::limits::{MASTER_BLOCK, MASTER_OACKS, MASTER_PATIENCE, MASTER_TERM};

/// The newest block that a group can be sent. An ACK of a new master may name any block, so block
/// numbers must not wrap.
pub const MULTICAST_BLOCKS_MAX: u64 = 0xffff;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStep {
    Nothing,
    /// The time to gather members is over, unless the endpoint prolongs it: elect the first master.
    Gathered,
    /// Tell the master (again) that it is the master.
    Oack,
    /// Send this block to the group.
    Send(BlockRange),
    /// The master has every block: the next one is to be elected.
    MasterDone,
    /// The new master did not answer: it may have another chance when the others had theirs.
    MasterAbsent,
    /// The master is not heard any more: the next one is to be elected. The text says why.
    MasterLost(&'static str),
    /// The master gets on too slowly for the others that wait: it should stand back. If there are
    /// none, [`GroupTransfer::go_on`].
    MasterSlow,
}

/// The state of one group. There is one master at a time, and one block under way.
#[derive(Debug)]
pub struct GroupTransfer {
    blksize: u16,
    size: u64,
    /// The block that the master acknowledged last: it wants the one behind it.
    acked: u64,
    /// Where the master's term began, and with which block.
    term_at: Nanos,
    term_from: u64,
    /// When the newest packet left.
    sent_at: Nanos,
    /// When the master was elected or last asked for another block.
    progress_at: Nanos,
    deadline: Nanos,
    retry: Retry,
    /// Sendings of the same packet.
    tries: u8,
    /// Elections in which the master was absent before.
    missed: u8,
    /// Members are still awaited, and there is no master.
    gathering: bool,
    /// The master was told, and has not answered.
    elected: bool,
    /// The block waits for the disk.
    parked: bool,
}

impl GroupTransfer {
    /// A group's numbers never wrap.
    pub const ROLLOVER: Rollover = Rollover::ToZero;

    /// A group for a file of `size` bytes in blocks of `blksize`, which gathers members first.
    #[must_use]
    pub fn new(blksize: u16, size: u64, gather_until: Nanos) -> Self {
        Self {
            blksize,
            size,
            acked: 0,
            term_at: Nanos::ZERO,
            term_from: 0,
            sent_at: Nanos::ZERO,
            progress_at: Nanos::ZERO,
            deadline: gather_until,
            retry: Retry::new(None),
            tries: 0,
            missed: 0,
            gathering: true,
            elected: false,
            parked: false,
        }
    }

    /// Whether a file can be sent so.
    #[must_use]
    pub fn suits(blksize: u16, size: u64) -> bool {
        last_block(size, blksize.max(1)) <= MULTICAST_BLOCKS_MAX
    }

    /// Members have more time to come.
    pub const fn gather(&mut self, until: Nanos) {
        self.deadline = until;
    }

    #[must_use]
    pub const fn is_gathering(&self) -> bool {
        self.gathering
    }

    /// There is a new master, which was absent in `missed` elections. What the former one had says
    /// nothing of it.
    pub fn elect(&mut self, now: Nanos, missed: u8) -> GroupStep {
        self.missed = missed;
        self.gathering = false;
        self.acked = 0;
        self.elected = true;
        self.parked = false;
        self.tries = 0;
        self.progress_at = now;
        self.retry.progressed(true);
        self.note_sent(now);
        GroupStep::Oack
    }

    /// The master's ACK `block`: "I have every block up to here, send the next" (RFC 2090, Data
    /// Transfer). It may leap forward over blocks that it heard while others were masters.
    pub fn ack(&mut self, now: Nanos, block: u16) -> GroupStep {
        let block = u64::from(block);
        // A repeated ACK never causes DATA: RFC 1123, section 4.2.3.1.
        let news = self.elected || block > self.acked;
        if self.gathering || !news || block > self.last_block() {
            return GroupStep::Nothing;
        }
        if self.tries == 0 && !self.parked {
            self.retry.sample(now - self.sent_at);
        }
        if self.elected {
            self.begin_term(now, block);
        }
        self.elected = false;
        self.parked = false;
        self.acked = block;
        self.progress_at = now;
        self.retry.progressed(self.tries == 0);
        self.tries = 0;
        if block == self.last_block() {
            return GroupStep::MasterDone;
        }
        if self.too_slow(now) {
            return GroupStep::MasterSlow;
        }
        self.request(now)
    }

    /// The slow master stays: nobody else waits.
    pub fn go_on(&mut self, now: Nanos) -> GroupStep {
        self.begin_term(now, self.acked);
        self.request(now)
    }

    /// The deadline passed.
    pub fn expired(&mut self, now: Nanos) -> GroupStep {
        if self.gathering {
            return GroupStep::Gathered;
        }
        if self.parked {
            return if disk_is_silent(now - self.progress_at) {
                GroupStep::MasterLost(DISK_SILENT)
            } else {
                GroupStep::Send(self.wanted())
            };
        }
        if self.elected && self.tries >= MASTER_OACKS {
            return GroupStep::MasterAbsent;
        }
        if now - self.progress_at >= MASTER_PATIENCE {
            return GroupStep::MasterLost("the client fell silent while it was the master");
        }
        self.tries = self.tries.saturating_add(1);
        self.retry.back_off();
        if self.elected {
            self.note_sent(now);
            return GroupStep::Oack;
        }
        self.request(now)
    }

    /// The block is not in memory. It is asked for again at `deadline`, or by [`loaded`](Self::loaded).
    pub const fn park(&mut self, deadline: Nanos) {
        self.parked = true;
        self.deadline = deadline;
    }

    /// The disk has answered.
    pub fn loaded(&mut self, now: Nanos) -> GroupStep {
        if !self.parked {
            return GroupStep::Nothing;
        }
        self.parked = false;
        self.progress_at = now;
        // The wait was ours, so its answer is no sample.
        self.tries = 1;
        self.request(now)
    }

    fn request(&mut self, now: Nanos) -> GroupStep {
        self.note_sent(now);
        GroupStep::Send(self.wanted())
    }

    const fn begin_term(&mut self, now: Nanos, block: u64) {
        self.term_at = now;
        self.term_from = block;
    }

    /// One machine with a bad link must not hold up a farm.
    fn too_slow(&self, now: Nanos) -> bool {
        let term = now - self.term_at;
        term >= MASTER_TERM && term > MASTER_BLOCK.times(self.acked - self.term_from)
    }

    fn note_sent(&mut self, now: Nanos) {
        self.sent_at = now;
        self.deadline = now
            + if self.elected {
                // The round trip is that of other machines. One that is slow to answer gets four times
                // as long in each further election, when nobody waits behind it any more.
                self.retry.interval().times(1 << (2 * self.missed.min(8)))
            } else {
                self.retry.wait(self.tries, None)
            };
    }

    const fn wanted(&self) -> BlockRange {
        BlockRange {
            first: self.acked + 1,
            count: 1,
        }
    }

    /// The file's final block: the first that is shorter than blksize, if only by all its bytes.
    #[must_use]
    pub fn last_block(&self) -> u64 {
        last_block(self.size, self.blksize)
    }

    #[must_use]
    pub const fn deadline(&self) -> Nanos {
        self.deadline
    }

    #[must_use]
    pub const fn blksize(&self) -> u16 {
        self.blksize
    }

    /// When the master was elected or last asked for another block.
    #[must_use]
    pub const fn progress_at(&self) -> Nanos {
        self.progress_at
    }

    /// Whether the next block waits for the disk.
    #[must_use]
    pub const fn is_parked(&self) -> bool {
        self.parked
    }

    /// Bytes that the master has said it has; `None` until it has said anything.
    #[must_use]
    pub fn acked_bytes(&self) -> Option<u64> {
        let said = !self.gathering && !self.elected;
        said.then(|| self.size.min(self.acked * u64::from(self.blksize)))
    }
}

#[cfg(test)]
mod tests;
