//! How much of a window goes out at once.

use crate::transfer::Nanos;

/// However much a path loses, so many blocks leave at once: the queue of every switch takes them.
pub const BURST_MIN: u16 = 4;

/// Bursts of one window are at least so far apart. A tick of the timers is twice as long, so this
/// means the next tick, or the one after it where that is near.
pub const PACE_GAP: Nanos = Nanos::from_micros(500);

/// Where a round trip, and the time that a burst takes on the path, are shorter than this, a timer
/// would wait longer than a resend takes: a window leaves at once.
pub const PACE_WORTH: Nanos = Nanos::from_millis(1);

/// The slowest link that silence alone makes us guess, in time for each block: below 10 Mb/s. On one
/// that is slower still, some block passes and tells of a gap, and then the time is measured.
pub const BLOCK_TIME_GUESS: Nanos = Nanos::from_millis(2);
