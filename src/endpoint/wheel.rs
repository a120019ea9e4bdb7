//! The lazy timer wheel: an ACK only stores a later deadline, and the wheel finds out when the
//! old one comes up. It never looks at a transfer: a crowd's are cold, and here their deadlines lie side by side.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::pieces::{PIECE, Pieces};
use crate::transfer::Nanos;

/// One tick is 2^20 ns, about a millisecond: a fifth of the shortest retransmission interval.
const TICK_SHIFT: u32 = 20;
/// The horizon is about two seconds, the longest usual interval. What lies beyond comes up at
/// the horizon and is put back.
const SPOKES: usize = 2_048;
const WORDS: usize = SPOKES / 64;
const NIL: u32 = u32::MAX;
/// Room for entries from the start, 16 KiB: a shard with few transfers never takes memory for a
/// packet, however many of its entries are stale. For a crowd it doubles a few times.
const ENTRIES: usize = SPOKES;

/// Deadlines by slot, and entries in buckets by tick, with a bit for each bucket that is not empty.
#[derive(Debug)]
pub struct Wheel {
    timers: Pieces<Timer>,
    heads: Box<[u32; SPOKES]>,
    occupied: [u64; WORDS],
    entries: Vec<Entry>,
    free: u32,
    /// The first tick that was not yet handled.
    now: u64,
}

/// What a slot waits for.
#[derive(Debug, Clone, Copy, Default)]
struct Timer {
    /// When its earliest entry comes up, if it has one.
    armed: Option<Mark>,
    /// When it is due; of no meaning without an entry.
    due: Option<Mark>,
}

/// A tick modulo 2^31, which is 26 days, and one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(NonZeroU32);

/// All entries of a bucket are of one tick: the next one that it stands for lies beyond the horizon.
#[derive(Debug, Clone, Copy)]
struct Entry {
    slot: u32,
    next: u32,
}

impl Mark {
    const MODULUS: u32 = 1 << 31;
    /// Deadlines farther ahead are taken for this far, 12 days.
    const FARTHEST: u64 = (Self::MODULUS / 2 - 1) as u64;

    const fn of(tick: u64) -> Self {
        let low = (tick % Self::MODULUS as u64) as u32;
        Self(NonZeroU32::MIN.saturating_add(low))
    }

    /// Ticks from `now` to this one; 0 if it is past.
    const fn ahead(self, now: u64) -> u64 {
        let distance = self.0.get().wrapping_sub(Self::of(now).0.get()) % Self::MODULUS;
        if distance < Self::MODULUS / 2 {
            distance as u64
        } else {
            0
        }
    }
}

impl Wheel {
    pub fn new(now: Nanos) -> Self {
        Self {
            timers: Pieces::new(),
            heads: Box::new([NIL; SPOKES]),
            occupied: [0; WORDS],
            entries: Vec::with_capacity(ENTRIES),
            free: NIL,
            now: now.0 >> TICK_SHIFT,
        }
    }

    /// Makes sure that `slot` comes up when `deadline` has passed. Only a store when an earlier entry
    /// exists already, as it does for almost every ACK.
    pub fn arm(&mut self, slot: u32, deadline: Nanos) {
        let due = self.tick_of(deadline);
        let now = self.now;
        let Some(timer) = self.timers.get_mut(slot) else {
            self.make_room(slot);
            return self.arm(slot, deadline);
        };
        timer.due = Some(Mark::of(due));
        if timer
            .armed
            .is_some_and(|armed| now + armed.ahead(now) <= due)
        {
            return;
        }
        self.link(slot, due);
    }

    #[cold]
    fn make_room(&mut self, slot: u32) {
        while !self.timers.has_room(slot as usize + 1) {
            self.timers.grow(PIECE, Timer::default);
        }
    }

    /// Nothing is waited for in `slot` any more. Its entry dies when it comes up.
    pub fn disarm(&mut self, slot: u32) {
        if let Some(timer) = self.timers.get_mut(slot) {
            *timer = Timer::default();
        }
    }

    /// Takes the next slot that is due at `now`, unless that takes more `looks` at entries than are left:
    /// most of those that come up have a later deadline by now.
    pub fn pop(&mut self, now: Nanos, looks: &mut usize) -> Option<u32> {
        let end = now.0 >> TICK_SHIFT;
        while self.now <= end {
            while *looks > 0
                && let Some(slot) = self.unlink(spoke_of(self.now))
            {
                *looks -= 1;
                if self.is_due(slot) {
                    return Some(slot);
                }
            }
            if *looks == 0 {
                return None;
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

    /// The first tick at which `deadline` has passed, of those that can be told apart.
    const fn tick_of(&self, deadline: Nanos) -> u64 {
        let tick = (deadline.0 >> TICK_SHIFT).saturating_add(1);
        let farthest = self.now + Mark::FARTHEST;
        if tick < self.now {
            self.now
        } else if tick > farthest {
            farthest
        } else {
            tick
        }
    }

    /// Whether the entry of this tick is the one that its slot counts on, and the slot is due. If it is due
    /// later, it is put back.
    fn is_due(&mut self, slot: u32) -> bool {
        let now = self.now;
        let Some(timer) = self.timers.get_mut(slot) else {
            return false;
        };
        if timer.armed != Some(Mark::of(now)) {
            // A former tenant's entry, or one that an earlier deadline has overtaken.
            return false;
        }
        timer.armed = None;
        let ahead = timer.due.map_or(0, |due| due.ahead(now));
        if ahead > 0 {
            self.link(slot, now + ahead);
        }
        ahead == 0
    }

    /// Lets `slot` come up at `tick`, or at the horizon if that is nearer.
    fn link(&mut self, slot: u32, tick: u64) {
        let tick = tick.min(self.now + SPOKES as u64 - 1);
        let spoke = spoke_of(tick);
        let (Some(head), Some(timer)) = (self.heads.get_mut(spoke), self.timers.get_mut(slot))
        else {
            return;
        };
        timer.armed = Some(Mark::of(tick));
        let entry = Entry { slot, next: *head };
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

    fn unlink(&mut self, spoke: usize) -> Option<u32> {
        let head = self.heads.get_mut(spoke)?;
        let index = *head;
        let entry = self.entries.get_mut(index as usize)?;
        *head = entry.next;
        entry.next = self.free;
        self.free = index;
        let slot = entry.slot;
        if *head == NIL
            && let Some(word) = self.occupied.get_mut(spoke / 64)
        {
            *word &= !(1 << (spoke % 64));
        }
        Some(slot)
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

    /// What comes up at `now`, however many looks it takes.
    fn pop(wheel: &mut Wheel, now: u64) -> Option<u32> {
        wheel.pop(Nanos(now), &mut 10_000)
    }

    #[test]
    fn a_later_deadline_costs_no_entry_and_an_earlier_one_does() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        wheel.arm(7, Nanos(10 * TICK));
        wheel.arm(7, Nanos(500 * TICK));
        assert_eq!(wheel.entries.len(), 1);
        wheel.arm(7, Nanos(3 * TICK));
        assert_eq!(wheel.entries.len(), 2);
        assert_eq!(pop(&mut wheel, 3 * TICK), None);
        assert_eq!(pop(&mut wheel, 4 * TICK), Some(7));
        assert_eq!(pop(&mut wheel, 900 * TICK), None, "the entry was overtaken");
        assert_eq!(wheel.entries.len(), 2);
    }

    #[test]
    fn a_slot_that_is_left_does_not_come_up_for_the_next_tenant() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        wheel.arm(7, Nanos(10 * TICK));
        wheel.disarm(7);
        assert_eq!(pop(&mut wheel, 20 * TICK), None);
        wheel.arm(7, Nanos(30 * TICK));
        wheel.disarm(7);
        wheel.arm(7, Nanos(40 * TICK));
        assert_eq!(pop(&mut wheel, 40 * TICK), None);
        assert_eq!(pop(&mut wheel, 41 * TICK), Some(7));
    }

    #[test]
    fn a_crowd_with_later_deadlines_is_gone_through_piece_by_piece() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        for slot in 0..1_000 {
            wheel.arm(slot, Nanos(TICK));
            wheel.arm(slot, Nanos(5 * TICK));
        }
        for left in [0, 300] {
            let mut looks = 650;
            assert_eq!(wheel.pop(Nanos(3 * TICK), &mut looks), None);
            assert_eq!(looks, left);
        }
        let mut looks = 1_000;
        let due = core::iter::from_fn(|| wheel.pop(Nanos(6 * TICK), &mut looks));
        assert_eq!(due.count(), 1_000);
    }

    #[test]
    fn what_lies_beyond_the_horizon_comes_up_when_it_is_due() {
        let mut wheel = Wheel::new(Nanos(77 * TICK));
        let far = 3 * SPOKES as u64 * TICK;
        wheel.arm(1, Nanos(far));
        while let Some(next) = wheel.next_deadline() {
            let popped = pop(&mut wheel, next.0);
            assert_eq!(popped.is_some(), next.0 > far, "{next:?}");
        }
    }

    #[test]
    fn ticks_are_told_apart_for_days() {
        let days = |days: u64| (days * 86_400_000_000_000) >> TICK_SHIFT;
        for now in [0, days(25), days(26), days(27), days(52), days(10_000)] {
            for ahead in [0, 1, SPOKES as u64, Mark::FARTHEST] {
                assert_eq!(Mark::of(now + ahead).ahead(now), ahead);
            }
            for past in [1, days(1)] {
                assert_eq!(Mark::of(now).ahead(now + past), 0);
            }
        }
    }

    #[test]
    fn never_is_far_away() {
        let mut wheel = Wheel::new(Nanos::ZERO);
        wheel.arm(1, Nanos::NEVER);
        let due = wheel.next_deadline().expect("an entry");
        assert!(due < Nanos(SPOKES as u64 * TICK));
        assert_eq!(pop(&mut wheel, due.0), None);
        assert!(wheel.next_deadline().is_some_and(|next| next > due));
    }

    proptest! {
        /// Against the naive model: nothing comes up early, nothing is late or lost.
        #[test]
        fn every_slot_comes_up_in_its_tick(
            steps in prop::collection::vec((0u32..20, 0u64..6_000, 0u64..2_500), 1..200)
        ) {
            let mut wheel = Wheel::new(Nanos(77 * TICK));
            let mut now = 77 * TICK;
            let mut model = std::collections::BTreeMap::new();
            for (slot, wait, forward) in steps {
                let deadline = now + wait * TICK / 2;
                wheel.arm(slot, Nanos(deadline));
                model.insert(slot, (deadline >> TICK_SHIFT) + 1);
                now += forward * TICK / 7;
                let mut due: Vec<u32> = core::iter::from_fn(|| pop(&mut wheel, now)).collect();
                due.sort_unstable();
                let over = |tick: u64| tick <= now >> TICK_SHIFT;
                let expected = model.iter().filter(|(_, tick)| over(**tick)).map(|(slot, _)| *slot);
                prop_assert_eq!(due, expected.collect::<Vec<u32>>());
                model.retain(|_, tick| !over(*tick));
                let first = model.values().min().map(|tick| tick << TICK_SHIFT);
                let next = wheel.next_deadline().map(|at| at.0);
                prop_assert!(next <= first || first.is_none(), "{:?} after {:?}", next, first);
                prop_assert!(first.is_none() || next.is_some());
            }
        }
    }
}
