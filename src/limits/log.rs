//! What the log takes, and how long the end waits.

use crate::transfer::Nanos;

/// Lines of finished transfers that may wait for the log. A pipe whose reader is slow must not
/// stop a shard; what does not fit is counted and said later.
pub const LOG_QUEUE: usize = 16_384;

/// Lines are written this long after one another's batch: nobody reads a log faster.
pub const LOG_PAUSE: Nanos = Nanos::from_millis(10);

/// Requests that came to nothing, of one reason and second, that have a line each. A flood of them is
/// told by its number; ten show who it is.
pub const REFUSALS_SHOWN: u64 = 10;

/// The second of [`REFUSALS_SHOWN`].
pub const REFUSALS_WINDOW: Nanos = Nanos::from_secs(1);

/// Reasons that are told apart in it: more than there are rules in most configurations.
pub const REFUSALS_REASONS: usize = 64;

/// The server's end waits this long for the reader of the log: nobody who has not read by then will.
pub const LOG_LAST_WORDS: Nanos = Nanos::from_secs(1);

/// Seconds that running transfers may take after SIGTERM, unless the operator says otherwise: a
/// boot file's transfer takes a fraction of it, and service managers wait for 90.
pub const DRAIN_SECS: u64 = 30;
