//! Every bound, with its reason. A number that limits something stands here or nowhere.

use std::time::Duration;

// --- Scenarios ---

/// Requests of one boot. A Raspberry Pi makes about forty; more is a slip of the pen.
pub const STEPS: usize = 1000;

/// Where a growing timer has no bound of its own.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
