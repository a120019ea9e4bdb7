//! Which windows go out at once and which a little later, so that a client in lock-step does not wait
//! behind all of them. It never puts a single block off, nor anything where nobody is in lock-step.

use std::collections::VecDeque;

use crate::endpoint::{Ticket, Train};
use crate::limits::{BLOCKS_FOR_A_SINGLE, MIXED_TURNS, WINDOWS_PUT_OFF};
use crate::transfer::BlockRange;

/// Shares a shard's time between blocks sent alone and windows, turn by turn: windows get what the
/// single blocks of the same turn cost, and one at least (a deficit round robin of two classes).
/// Where only one kind is about, nothing waits and nothing is counted.
#[derive(Debug)]
pub struct Interleave {
    waiting: VecDeque<(Ticket, BlockRange)>,
    /// Single blocks in this turn.
    singles: u32,
    /// Turns since one was sent.
    since: u32,
    /// Blocks by which the windows of former turns went beyond their share.
    owed: u32,
    /// Windows that had waited are going out.
    releasing: bool,
}

/// Windows that may wait without taking memory for a packet.
const WINDOWS_FROM_THE_START: usize = 256;

impl Default for Interleave {
    fn default() -> Self {
        Self {
            waiting: VecDeque::with_capacity(WINDOWS_FROM_THE_START),
            singles: 0,
            since: MIXED_TURNS,
            owed: 0,
            releasing: false,
        }
    }
}

impl Interleave {
    /// Blocks are about to be sent. Says whether they wait instead; then they come up in
    /// [`next`](Self::next), in this turn or another.
    pub fn puts_off(&mut self, train: &Train) -> bool {
        if train.lockstep {
            self.singles += 1;
            self.since = 0;
            return false;
        }
        let mixed = self.since < MIXED_TURNS || !self.waiting.is_empty();
        if !mixed || self.releasing || self.waiting.len() >= WINDOWS_PUT_OFF {
            return false;
        }
        self.waiting.push_back((train.ticket, train.blocks));
        true
    }

    /// Windows are waiting: the next turn must not.
    pub fn any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Begins the windows' part of a turn: answers with the blocks that they may send.
    pub fn begin(&mut self) -> u32 {
        self.releasing = true;
        if self.since >= MIXED_TURNS {
            self.owed = 0;
            return u32::MAX;
        }
        if self.singles == 0 {
            // Nobody else would get on.
            self.owed = 0;
            return 1;
        }
        let share = self.singles * BLOCKS_FOR_A_SINGLE;
        let room = share.saturating_sub(self.owed);
        self.owed = self.owed.saturating_sub(share);
        room
    }

    /// The next window, as long as there is room.
    pub fn next(&mut self, room: &mut u32) -> Option<(Ticket, BlockRange)> {
        if *room == 0 {
            return None;
        }
        let (ticket, blocks) = self.waiting.pop_front()?;
        if blocks.count > *room {
            self.owed += blocks.count - *room;
        }
        *room = room.saturating_sub(blocks.count);
        Some((ticket, blocks))
    }

    /// Ends the turn.
    pub fn end(&mut self) {
        self.releasing = false;
        self.singles = 0;
        self.since = self.since.saturating_add(1);
    }
}
