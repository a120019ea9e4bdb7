//! What becomes of one packet.
//! It never holds packets.

use std::collections::BTreeMap;

use super::{Chance, Impairment, Purpose};
use crate::machine::Nanos;

/// How long a packet is held back so that those behind it overtake it.
const OVERTAKING: Nanos = 2_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

/// What the network remembers of one transfer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Packets so far, in and out.
    seen: [u32; 2],
    /// In the bad state, in and out.
    bad: [bool; 2],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    pub lost: bool,
    pub doubled: bool,
    pub reordered: bool,
    /// Nanoseconds for which it is held back.
    pub held: u64,
}

/// What was done so far, and a hash of all decisions that does not depend on their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impaired {
    pub trace: u64,
    lost: [u64; 2],
    doubled: [u64; 2],
    reordered: [u64; 2],
    delayed: [u64; 2],
}

impl Impairment {
    /// Decides about the next packet of a transfer.
    #[must_use]
    pub fn decide(&self, chance: Chance, direction: Direction, weather: &mut Weather) -> Fate {
        let way = direction as usize;
        let index = weather.seen[way];
        weather.seen[way] = index.wrapping_add(1);
        let chance = chance.of_packet(direction == Direction::Out, index);
        let loss = match direction {
            Direction::In => self.loss_in,
            Direction::Out => self.loss_out,
        };
        let lost = chance.happens(Purpose::Loss, loss)
            || self.lost_in_burst(chance, &mut weather.bad[way]);
        if lost {
            return Fate {
                lost,
                ..Fate::default()
            };
        }
        let reordered = chance.happens(Purpose::Reorder, self.reorder);
        let overtaking = if reordered { OVERTAKING } else { 0 };
        Fate {
            lost,
            doubled: chance.happens(Purpose::Duplicate, self.duplicate),
            reordered,
            held: self.delay(chance) + overtaking,
        }
    }

    fn lost_in_burst(&self, chance: Chance, bad: &mut bool) -> bool {
        let Some(burst) = self.burst else {
            return false;
        };
        let change = if *bad { burst.to_good } else { burst.to_bad };
        *bad ^= chance.happens(Purpose::BurstState, change);
        *bad && chance.happens(Purpose::BurstLoss, burst.loss_when_bad)
    }

    fn delay(&self, chance: Chance) -> u64 {
        let Some(delay) = self.delay else {
            return 0;
        };
        // From -1 to 1.
        let share = chance.unit(Purpose::Jitter) * 2.0 - 1.0;
        let nanos = delay.time.as_nanos() as f64 + delay.jitter.as_nanos() as f64 * share;
        nanos.max(0.0) as u64
    }

    /// After how many blocks this transfer's machine loses power, if it does.
    #[must_use]
    pub fn vanishes_after(&self, chance: Chance) -> Option<u64> {
        let vanishes = chance.happens(Purpose::Vanish, self.vanish);
        vanishes.then(|| 1 + chance.bits(Purpose::VanishBlock) % 32)
    }
}

impl Impaired {
    /// Counts a decision.
    pub fn note(&mut self, chance: Chance, direction: Direction, weather: &Weather, fate: Fate) {
        let way = direction as usize;
        let Fate {
            lost,
            doubled,
            reordered,
            held,
        } = fate;
        self.lost[way] += u64::from(lost);
        self.doubled[way] += u64::from(doubled);
        self.reordered[way] += u64::from(reordered);
        self.delayed[way] += u64::from(held > 0 && !reordered);
        let packet = chance.of_packet(direction == Direction::Out, weather.seen[way]);
        let what = u64::from(lost) | u64::from(doubled) << 1 | u64::from(reordered) << 2;
        let hash = packet.bits(Purpose::Loss) ^ held.rotate_left(3) ^ what;
        self.trace = self
            .trace
            .wrapping_add(hash.wrapping_mul(0xff51_afd7_ed55_8ccd));
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.trace = self.trace.wrapping_add(other.trace);
        for way in 0..2 {
            self.lost[way] += other.lost[way];
            self.doubled[way] += other.doubled[way];
            self.reordered[way] += other.reordered[way];
            self.delayed[way] += other.delayed[way];
        }
    }

    /// What happened, by name; nothing that did not happen.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let kinds = [
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("reordered", self.reordered),
            ("delayed", self.delayed),
        ];
        let mut all = BTreeMap::new();
        for (name, [inward, outward]) in kinds {
            for (count, way) in [(inward, "in"), (outward, "out")] {
                if count > 0 {
                    all.insert(format!("{name} {way}"), count);
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::BurstLoss;
    use super::*;

    fn fates(impairment: &Impairment, seed: u64) -> (Vec<Fate>, Impaired) {
        let chance = Chance::new(seed, 1, 1);
        let (mut weather, mut impaired) = (Weather::default(), Impaired::default());
        let fates = (0..50_000).map(|_| {
            let fate = impairment.decide(chance, Direction::In, &mut weather);
            impaired.note(chance, Direction::In, &weather, fate);
            fate
        });
        (fates.collect(), impaired)
    }

    #[test]
    fn the_same_seed_decides_the_same() {
        let bad = Impairment {
            loss_in: 0.05,
            duplicate: 0.05,
            reorder: 0.05,
            ..Impairment::default()
        };
        let (first, trace) = fates(&bad, 9);
        let (second, same_trace) = fates(&bad, 9);
        assert_eq!((&first, trace), (&second, same_trace));
        let (other, other_trace) = fates(&bad, 10);
        assert_ne!(first, other);
        assert_ne!(trace.trace, other_trace.trace);
        assert_eq!(trace.by_name().len(), 3);
    }

    #[test]
    fn bursts_are_bursts() {
        let bad = Impairment {
            burst: Some(BurstLoss {
                to_bad: 0.01,
                to_good: 0.25,
                loss_when_bad: 1.0,
            }),
            ..Impairment::default()
        };
        let (fates, _) = fates(&bad, 3);
        let lost = fates.iter().filter(|fate| fate.lost).count();
        let pairs = fates
            .windows(2)
            .filter(|two| two[0].lost && two[1].lost)
            .count();
        // 0.01 / (0.01 + 0.25) of the time is bad; after a loss comes another in 3 of 4 cases.
        assert!((1_400..2_500).contains(&lost), "{lost}");
        assert!(pairs * 10 > lost * 6, "{pairs} of {lost}");
    }
}
