//! What becomes of one packet.
//! It never holds packets.

use std::collections::BTreeMap;

use super::sequence::{Position, Sequence};
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
    /// Which packets there were, in and out.
    sequences: [Sequence; 2],
    /// How many, in and out: bursts go by packets, whatever these are.
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

/// What was done so far, and a hash of the decisions about new packets that does not depend on their
/// order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impaired {
    pub trace: u64,
    new: Counts,
    again: Counts,
}

/// In and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    lost: [u64; 2],
    doubled: [u64; 2],
    reordered: [u64; 2],
    delayed: [u64; 2],
}

impl Weather {
    /// The position of the next packet; `bytes` is none for one of another transfer.
    pub fn position(&mut self, direction: Direction, bytes: Option<&[u8]>) -> Position {
        let sequence = &mut self.sequences[direction as usize];
        match bytes {
            Some(bytes) => sequence.position(bytes),
            None => sequence.again(),
        }
    }
}

impl Impairment {
    /// Decides about the packet of a transfer that is at this position, the next in its direction.
    #[must_use]
    pub fn decide(
        &self,
        chance: Chance,
        direction: Direction,
        position: Position,
        weather: &mut Weather,
    ) -> Fate {
        let way = direction as usize;
        let index = weather.seen[way];
        weather.seen[way] = index.wrapping_add(1);
        let burst = chance.of_packet(direction == Direction::Out, index);
        let chance = chance.at(direction, position);
        let loss = match direction {
            Direction::In => self.loss_in,
            Direction::Out => self.loss_out,
        };
        let lost =
            chance.happens(Purpose::Loss, loss) || self.lost_in_burst(burst, &mut weather.bad[way]);
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
    pub fn note(&mut self, chance: Chance, direction: Direction, position: Position, fate: Fate) {
        let way = direction as usize;
        let Fate {
            lost,
            doubled,
            reordered,
            held,
        } = fate;
        let counts = match position {
            Position::New(_) => &mut self.new,
            Position::Again(_) => &mut self.again,
        };
        counts.lost[way] += u64::from(lost);
        counts.doubled[way] += u64::from(doubled);
        counts.reordered[way] += u64::from(reordered);
        counts.delayed[way] += u64::from(held > 0 && !reordered);
        // How often somebody repeats himself is a matter of timers.
        if let Position::Again(_) = position {
            return;
        }
        let what = u64::from(lost) | u64::from(doubled) << 1 | u64::from(reordered) << 2;
        let packet = chance.at(direction, position).bits(Purpose::Trace);
        let hash = packet ^ held.rotate_left(3) ^ what;
        self.trace = self
            .trace
            .wrapping_add(hash.wrapping_mul(0xff51_afd7_ed55_8ccd));
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.trace = self.trace.wrapping_add(other.trace);
        self.new.add(&other.new);
        self.again.add(&other.again);
    }

    /// What happened, by name; nothing that did not happen.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (counts, which) in [(&self.new, ""), (&self.again, "repeats ")] {
            for (name, [inward, outward]) in counts.kinds() {
                for (count, way) in [(inward, "in"), (outward, "out")] {
                    if count > 0 {
                        all.insert(format!("{which}{name} {way}"), count);
                    }
                }
            }
        }
        all
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        for way in 0..2 {
            self.lost[way] += other.lost[way];
            self.doubled[way] += other.doubled[way];
            self.reordered[way] += other.reordered[way];
            self.delayed[way] += other.delayed[way];
        }
    }

    const fn kinds(&self) -> [(&'static str, [u64; 2]); 4] {
        [
            ("lost", self.lost),
            ("doubled", self.doubled),
            ("reordered", self.reordered),
            ("delayed", self.delayed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::BurstLoss;
    use super::*;

    fn data(block: u32) -> [u8; 4] {
        let [high, low] = (block as u16).to_be_bytes();
        [0, 3, high, low]
    }

    /// What happens to these blocks as they come, one after the other.
    fn fates(
        impairment: &Impairment,
        seed: u64,
        blocks: impl IntoIterator<Item = u32>,
    ) -> (Vec<(Position, Fate)>, Impaired) {
        let chance = Chance::new(seed, 1, 1);
        let (mut weather, mut impaired) = (Weather::default(), Impaired::default());
        let fates = blocks.into_iter().map(|block| {
            let position = weather.position(Direction::In, Some(&data(block)));
            let fate = impairment.decide(chance, Direction::In, position, &mut weather);
            impaired.note(chance, Direction::In, position, fate);
            (position, fate)
        });
        (fates.collect(), impaired)
    }

    fn bad_network() -> Impairment {
        Impairment {
            loss_in: 0.05,
            duplicate: 0.05,
            reorder: 0.05,
            ..Impairment::default()
        }
    }

    #[test]
    fn the_same_seed_decides_the_same() {
        let bad = bad_network();
        let (first, trace) = fates(&bad, 9, 1..50_000);
        let (second, same_trace) = fates(&bad, 9, 1..50_000);
        assert_eq!((&first, trace), (&second, same_trace));
        let (other, other_trace) = fates(&bad, 10, 1..50_000);
        assert_ne!(first, other);
        assert_ne!(trace.trace, other_trace.trace);
        assert_eq!(trace.by_name().len(), 3);
    }

    #[test]
    fn repeats_change_no_decision_about_another_packet() {
        let bad = bad_network();
        let new = |fates: Vec<(Position, Fate)>| -> Vec<(Position, Fate)> {
            let new = |(position, _): &(Position, Fate)| matches!(position, Position::New(_));
            fates.into_iter().filter(new).collect()
        };
        let (plain, trace) = fates(&bad, 9, 1..5_000);
        // The same transfer on a day when the server's timer was early for each third block.
        let nervous = (1..5_000).flat_map(|block| vec![block; 1 + usize::from(block % 3 == 0)]);
        let (repeated, same_trace) = fates(&bad, 9, nervous);
        assert!(repeated.len() > plain.len());
        assert_eq!(new(repeated), plain);
        assert_eq!(trace.trace, same_trace.trace);
        let named = same_trace.by_name();
        assert_eq!(named["lost in"], trace.by_name()["lost in"]);
        assert!(named["repeats lost in"] > 0, "{named:?}");
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
        let (fates, _) = fates(&bad, 3, 1..50_000);
        let lost = fates.iter().filter(|(_, fate)| fate.lost).count();
        let pairs = fates
            .windows(2)
            .filter(|two| two[0].1.lost && two[1].1.lost)
            .count();
        // 0.01 / (0.01 + 0.25) of the time is bad; after a loss comes another in 3 of 4 cases.
        assert!((1_400..2_500).contains(&lost), "{lost}");
        assert!(pairs * 10 > lost * 6, "{pairs} of {lost}");
    }
}
