//! The lazy timer wheel: an ACK only stores a later deadline, and the wheel finds out when the
//! old one comes up. It never keeps a deadline itself; it asks the transfer.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::transfer::Nanos;

/// One tick is 2^20 ns, about a millisecond: a fifth of the shortest retransmission interval.
const TICK_SHIFT: u32 = 20;
/// The horizon is about two seconds, the longest usual interval. What lies beyond comes up at
/// the horizon and is put back.
const SPOKES: usize = 2_048;
const WORDS: usize = SPOKES / 64;
const NIL: u32 = u32::MAX;
/// Room for entries from the start, 32 KiB: a shard with few transfers never takes memory for a
/// packet, however many of its entries are stale. For a crowd it doubles a few times.
const ENTRIES: usize = SPOKES;

/// When a transfer's earliest entry comes up; kept with the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Armed(u64);

impl Armed {
    /// No entry.
    pub const NOT: Self = Self(u64::MAX);
}

/// Entries in buckets by tick, with a bit for each bucket that is not empty.
#[derive(Debug)]
pub struct Wheel {
    heads: Box<[u32; SPOKES]>,
    occupied: [u64; WORDS],
    entries: Vec<Entry>,
    free: u32,
    /// The first tick that was not yet handled.
    now: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tick: u64,
    slot: u32,
    next: u32,
}

impl Wheel {
    pub fn new(now: Nanos) -> Self {
        Self {
            heads: Box::new([NIL; SPOKES]),
            occupied: [0; WORDS],
            entries: Vec::with_capacity(ENTRIES),
            free: NIL,
            now: now.0 >> TICK_SHIFT,
        }
    }

    /// Makes sure that `slot` comes up no later than the tick of `deadline`. Free of charge when
    /// an earlier entry exists already, as it does for almost every ACK.
    pub fn arm(&mut self, slot: u32, armed: &mut Armed, deadline: Nanos) {
        let tick = self.tick_of(deadline);
        if armed.0 <= tick {
            return;
        }
        *armed = Armed(tick);
        self.link(slot, tick);
    }

    /// Takes the next entry that is due at `now`. The caller looks whether its transfer still
    /// lives, still counts on this very entry, and is really due.
    pub fn pop(&mut self, now: Nanos) -> Option<(u32, Armed)> {
        let end = now.0 >> TICK_SHIFT;
        while self.now <= end {
            let spoke = spoke_of(self.now);
            if let Some((slot, tick)) = self.unlink(spoke) {
                return Some((slot, Armed(tick)));
            }
            self.now = match self.next_occupied() {
                Some(tick) => tick.min(end + 1),
                None => end + 1,
            };
        }
        None
    }

    /// When the next entry comes up.
    pub fn next_deadline(&self) -> Option<Nanos> {
        self.next_occupied().map(|tick| Nanos(tick << TICK_SHIFT))
    }

    /// The first tick at which `deadline` has passed, within the horizon.
    const fn tick_of(&self, deadline: Nanos) -> u64 {
        let tick = (deadline.0 >> TICK_SHIFT).saturating_add(1);
        let horizon = self.now + SPOKES as u64 - 1;
        if tick < self.now {
            self.now
        } else if tick > horizon {
            horizon
        } else {
            tick
        }
    }

    fn link(&mut self, slot: u32, tick: u64) {
        let spoke = spoke_of(tick);
        let Some(head) = self.heads.get_mut(spoke) else {
            return;
        };
        let entry = Entry {
            tick,
            slot,
            next: *head,
        };
        let reused = self.entries.get_mut(self.free as usize);
        if let Some(place) = reused {
            *head = self.free;
            self.free = core::mem::replace(place, entry).next;
        } else {
            *head = u32::try_from(self.entries.len()).unwrap_or(NIL);
            self.entries.push(entry);
        }
        if let Some(word) = self.occupied.get_mut(spoke / 64) {
            *word |= 1 << (spoke % 64);
        }
    }

    fn unlink(&mut self, spoke: usize) -> Option<(u32, u64)> {
        let head = self.heads.get_mut(spoke)?;
        let index = *head;
        let entry = self.entries.get_mut(index as usize)?;
        *head = entry.next;
        entry.next = self.free;
        self.free = index;
        let found = (entry.slot, entry.tick);
        if *head == NIL
            && let Some(word) = self.occupied.get_mut(spoke / 64)
        {
            *word &= !(1 << (spoke % 64));
        }
        Some(found)
    }

    /// The tick of the nearest bucket with an entry, the present one included.
    fn next_occupied(&self) -> Option<u64> {
        let start = spoke_of(self.now);
        let first_word = start / 64;
        // The word of the present spoke is looked at twice: its upper bits first, its lower last.
        for step in 0..=WORDS {
            let index = (first_word + step) % WORDS;
            let word = self.occupied.get(index).copied().unwrap_or(0);
            let mask = match step {
                0 => u64::MAX << (start % 64),
                WORDS => !(u64::MAX << (start % 64)),
                _ => u64::MAX,
            };
            let found = word & mask;
            if found != 0 {
                let spoke = index * 64 + found.trailing_zeros() as usize;
                let ahead = (spoke + SPOKES - start) % SPOKES;
                return Some(self.now + ahead as u64);
            }
        }
        None
    }
}

const fn spoke_of(tick: u64) -> usize {
    (tick % SPOKES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK: u64 = 1 << TICK_SHIFT;

    #[test]
    fn a_later_deadline_costs_no_entry_and_an_earlier_one_does() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        let mut armed = Armed::NOT;
        wheel.arm(7, &mut armed, Nanos(10 * TICK));
        let first = armed;
        wheel.arm(7, &mut armed, Nanos(500 * TICK));
        assert_eq!(armed, first);
        assert_eq!(wheel.entries.len(), 1);
        wheel.arm(7, &mut armed, Nanos(3 * TICK));
        assert_ne!(armed, first);
        assert_eq!(wheel.pop(Nanos(3 * TICK)), None);
        assert_eq!(wheel.pop(Nanos(4 * TICK)), Some((7, armed)));
        assert_eq!(wheel.pop(Nanos(11 * TICK)), Some((7, first)));
        assert_eq!(wheel.pop(Nanos(900 * TICK)), None);
    }

    #[test]
    fn what_lies_beyond_the_horizon_comes_up_at_it() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        let mut armed = Armed::NOT;
        wheel.arm(1, &mut armed, Nanos::NEVER);
        let due = wheel.next_deadline().expect("an entry");
        assert!(due < Nanos(SPOKES as u64 * TICK));
        assert!(wheel.pop(due).is_some());
        assert_eq!(wheel.next_deadline(), None);
    }

    proptest! {
        /// Against the naive model: nothing comes up early, nothing is late or lost.
        #[test]
        fn every_entry_comes_up_in_its_tick(
            steps in prop::collection::vec((0u64..3_000, 0u64..2_500), 1..200)
        ) {
            let mut wheel = Wheel::new(Nanos(77 * TICK));
            let mut now = 77 * TICK;
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (id, (forward, wait)) in (0_u32..).zip(steps) {
                let mut armed = Armed::NOT;
                let deadline = now + wait * TICK / 2;
                wheel.arm(id, &mut armed, Nanos(deadline));
                let horizon = (now >> TICK_SHIFT) + SPOKES as u64 - 1;
                model.push((((deadline >> TICK_SHIFT) + 1).min(horizon), id));
                now += forward * TICK / 7;
                let mut due: Vec<u32> = Vec::new();
                while let Some((slot, _)) = wheel.pop(Nanos(now)) {
                    due.push(slot);
                }
                let mut expected: Vec<u32> = Vec::new();
                model.retain(|&(tick, id)| {
                    let over = tick <= now >> TICK_SHIFT;
                    if over { expected.push(id); }
                    !over
                });
                due.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(due, expected);
                let next = model.iter().map(|&(tick, _)| tick << TICK_SHIFT).min();
                prop_assert_eq!(wheel.next_deadline().map(|at| at.0), next);
            }
        }
    }
}
