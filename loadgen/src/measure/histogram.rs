//! Histograms of nanoseconds, all with the same bounds so that they add up without loss.
//! It never decides what is recorded.

use hdrhistogram::Histogram;

/// An hour; what is longer counts as an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Errors stay below 0.1 %.
const DIGITS: u8 = 3;

/// An empty histogram.
///
/// # Panics
/// Never: the bounds are constant and valid.
#[must_use]
pub fn new() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("constant and valid bounds")
}

/// An empty histogram that grows when it must: cheap where there are many and few are used.
///
/// # Panics
/// Never: the precision is constant and valid.
#[must_use]
pub fn small() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("a constant and valid precision")
}
