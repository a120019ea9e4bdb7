//! Block numbers: absolute ones that never wrap, and the 16 bits that travel (RFC 1350, 7440).
//! It never sends anything.

/// The number that follows 65,535 on the wire: the `rollover` option of tftp-hpa; 0 when not asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rollover {
    #[default]
    ToZero,
    ToOne,
}

impl Rollover {
    /// The wire number of absolute block `block`; block 0 stands for the OACK.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 16 bits are what travels"
    )]
    pub const fn wire(self, block: u64) -> u16 {
        match self {
            Self::ToZero => block as u16,
            Self::ToOne if block == 0 => 0,
            Self::ToOne => ((block - 1) % 0xffff) as u16 + 1,
        }
    }

    /// The newest absolute block in `oldest..=newest` that travels as `wire`.
    #[must_use]
    pub const fn absolute(self, wire: u16, oldest: u64, newest: u64) -> Option<u64> {
        let newest_wire = self.wire(newest);
        let back = match self {
            Self::ToZero => newest_wire.wrapping_sub(wire) as u64,
            Self::ToOne => (newest_wire as u64 + 0xffff - wire as u64 % 0xffff) % 0xffff,
        };
        match newest.checked_sub(back) {
            Some(block) if block >= oldest && self.wire(block) == wire => Some(block),
            _ => None,
        }
    }
}

/// The final block of a file of `size` bytes: the first that is shorter than `blksize`, if only by
/// all its bytes (RFC 1350, section 6).
#[must_use]
pub const fn last_block(size: u64, blksize: u16) -> u64 {
    size / blksize as u64 + 1
}

/// Blocks `first..first + count`, always in order and without a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRange {
    pub first: u64,
    pub count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_to_zero_or_to_one() {
        assert_eq!(Rollover::ToZero.wire(65_535), 65_535);
        assert_eq!(Rollover::ToZero.wire(65_536), 0);
        assert_eq!(Rollover::ToZero.wire(65_537), 1);
        assert_eq!(Rollover::ToOne.wire(65_535), 65_535);
        assert_eq!(Rollover::ToOne.wire(65_536), 1);
        assert_eq!(Rollover::ToOne.wire(131_071), 1);
    }

    #[test]
    fn a_wire_number_is_found_again_within_its_window() {
        for rollover in [Rollover::ToZero, Rollover::ToOne] {
            for newest in [0, 1, 64, 65_534, 65_535, 65_536, 65_600, 131_070, 200_000] {
                for back in 0..64 {
                    let Some(block) = u64::checked_sub(newest, back) else {
                        continue;
                    };
                    let wire = rollover.wire(block);
                    assert_eq!(
                        rollover.absolute(wire, newest.saturating_sub(64), newest),
                        Some(block),
                        "{rollover:?} newest {newest} block {block}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_number_outside_the_window_is_nothing() {
        assert_eq!(Rollover::ToZero.absolute(9, 10, 20), None);
        assert_eq!(Rollover::ToZero.absolute(21, 10, 20), None);
        assert_eq!(Rollover::ToOne.absolute(0, 65_530, 65_540), None);
        assert_eq!(Rollover::ToZero.absolute(5, 0, 3), None);
    }
}
