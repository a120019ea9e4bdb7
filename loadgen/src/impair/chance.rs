//! Chance that can be repeated: a function of the seed and of what is to be decided, not of how
//! much was decided before.
//! It never asks the system for entropy.

use super::fate::Direction;
use super::sequence::Position;

/// Sets repeats apart from what they repeat.
const AGAIN: u64 = 1 << 42;

/// What a number is drawn for, so that two decisions about one packet are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Loss = 1,
    BurstState,
    BurstLoss,
    Duplicate,
    Reorder,
    Jitter,
    Vanish,
    VanishBlock,
    File,
    Arrival,
    Trace,
}

/// Chance for one thing that a machine does.
#[derive(Debug, Clone, Copy)]
pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub const fn new(seed: u64, machine: u32, transfer: u32) -> Self {
        let who = (machine as u64) << 32 | transfer as u64;
        Self(mix(mix(seed) ^ who))
    }

    /// Chance for the packet of this number in this direction.
    #[must_use]
    pub const fn of_packet(self, outward: bool, index: u32) -> Self {
        Self(mix(
            self.0 ^ ((outward as u64) << 40 | 1 << 41 | index as u64)
        ))
    }

    /// Chance for the packet at this position.
    #[must_use]
    pub const fn at(self, direction: Direction, position: Position) -> Self {
        let outward = matches!(direction, Direction::Out);
        match position {
            Position::New(number) => self.of_packet(outward, number),
            Position::Again(number) => Self(mix(self.0 ^ AGAIN)).of_packet(outward, number),
        }
    }

    /// A number of 64 random bits.
    #[must_use]
    pub const fn bits(self, purpose: Purpose) -> u64 {
        mix(self.0 ^ (purpose as u64) << 48)
    }

    /// A number from 0 to 1, without 1.
    #[must_use]
    pub fn unit(self, purpose: Purpose) -> f64 {
        (self.bits(purpose) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    #[must_use]
    pub fn happens(self, purpose: Purpose, probability: f64) -> bool {
        probability > 0.0 && self.unit(purpose) < probability
    }
}

/// splitmix64.
const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_as_asked() {
        let happened = (0..100_000_u32).filter(|&index| {
            let chance = Chance::new(7, index % 10, 3).of_packet(index % 2 == 0, index);
            chance.happens(Purpose::Loss, 0.02)
        });
        let share = happened.count();
        assert!((1_800..2_200).contains(&share), "{share} of 100,000");
    }

    #[test]
    fn everything_counts() {
        let base = Chance::new(1, 2, 3).of_packet(false, 4).bits(Purpose::Loss);
        for other in [
            Chance::new(2, 2, 3).of_packet(false, 4).bits(Purpose::Loss),
            Chance::new(1, 3, 3).of_packet(false, 4).bits(Purpose::Loss),
            Chance::new(1, 2, 4).of_packet(false, 4).bits(Purpose::Loss),
            Chance::new(1, 2, 3).of_packet(true, 4).bits(Purpose::Loss),
            Chance::new(1, 2, 3).of_packet(false, 5).bits(Purpose::Loss),
            Chance::new(1, 2, 3)
                .of_packet(false, 4)
                .bits(Purpose::Duplicate),
        ] {
            assert_ne!(base, other);
        }
    }
}
