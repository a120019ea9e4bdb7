//! The only file that asks what time it is.

use crate::transfer::Nanos;

/// Nanoseconds on the monotonic clock.
#[must_use]
pub fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Nanos(secs * 1_000_000_000 + nanos)
}
