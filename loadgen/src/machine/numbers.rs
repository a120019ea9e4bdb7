//! Block numbers on the wire and beyond 65,535.
//! It never counts blocks itself: the download does.

use crate::scenario::Numbers;

/// Numbers that are not 0.
const CYCLE: u64 = 65_535;

impl Numbers {
    /// How block `block` (counted from 1, without end) stands in a packet; 0 is the OACK's.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "that is what wrapping means"
    )]
    pub const fn on_wire(self, block: u64) -> u16 {
        match self {
            Self::ToOne if block > 0 => ((block - 1) % CYCLE + 1) as u16,
            _ => block as u16,
        }
    }

    /// How far a received number is ahead of `block`: 0 the same, negative behind it.
    #[must_use]
    #[expect(
        clippy::cast_possible_wrap,
        clippy::cast_possible_truncation,
        reason = "distances are halves of a cycle"
    )]
    pub const fn distance(self, received: u16, block: u64) -> i32 {
        let wanted = self.on_wire(block);
        match self {
            Self::ToOne if received > 0 && wanted > 0 => {
                let cycle = CYCLE as i32;
                let ahead = (received as i32 - wanted as i32 + cycle) % cycle;
                if ahead > cycle / 2 {
                    ahead - cycle
                } else {
                    ahead
                }
            }
            _ => received.wrapping_sub(wanted) as i16 as i32,
        }
    }

    /// Whether a client that counts like this can ask for this block at all.
    #[must_use]
    pub const fn reaches(self, block: u64) -> bool {
        !matches!(self, Self::End) || block <= CYCLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_65_535() {
        assert_eq!(Numbers::ToZero.on_wire(65_536), 0);
        assert_eq!(Numbers::ToOne.on_wire(65_535), 65_535);
        assert_eq!(Numbers::ToOne.on_wire(65_536), 1);
        assert_eq!(Numbers::ToOne.on_wire(131_071), 1);
        assert!(Numbers::End.reaches(65_535) && !Numbers::End.reaches(65_536));
    }

    #[test]
    fn distances_cross_the_end() {
        assert_eq!(Numbers::ToZero.distance(0, 65_535), 1);
        assert_eq!(Numbers::ToZero.distance(65_535, 65_536), -1);
        assert_eq!(Numbers::ToOne.distance(1, 65_535), 1);
        assert_eq!(Numbers::ToOne.distance(65_535, 65_536), -1);
        assert_eq!(Numbers::ToOne.distance(7, 7), 0);
    }
}
