//! Whether the server works: every shard's loop turned recently, and requests are taken.
//! It never decides what follows: monitoring and the service manager do.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

use super::stats::Stats;
use crate::transfer::Nanos;

/// The pulse of a running server.
#[derive(Debug)]
pub struct Health {
    shards: Vec<Arc<Stats>>,
    draining: AtomicBool,
}

/// A shard whose loop stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    pub shard: usize,
    pub silent_for: Nanos,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.silent_for.to_duration().as_secs_f64();
        write!(f, "shard {} has not turned for {seconds:.1} s", self.shard)
    }
}

impl Health {
    #[must_use]
    pub const fn new(shards: Vec<Arc<Stats>>) -> Self {
        Self {
            shards,
            draining: AtomicBool::new(false),
        }
    }

    #[must_use]
    pub fn shards(&self) -> &[Arc<Stats>] {
        &self.shards
    }

    /// Whether every shard turned within `limit`. One that has ended in order counts as turning;
    /// one that has nothing to do turns once a second ([`HEARTBEAT`](crate::limits::HEARTBEAT)).
    ///
    /// # Errors
    /// Names the shard that has stood still the longest.
    pub fn turned_within(&self, limit: Nanos, now: Nanos) -> Result<(), Frozen> {
        let silences = self.shards.iter().enumerate().map(|(shard, stats)| Frozen {
            shard,
            silent_for: stats.silent_for(now).unwrap_or_default(),
        });
        let longest = silences.max_by_key(|frozen| frozen.silent_for);
        match longest.filter(|frozen| frozen.silent_for > limit) {
            Some(frozen) => Err(frozen),
            None => Ok(()),
        }
    }

    /// No more requests are taken.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_that_stands_still_is_named() {
        let shards: Vec<Arc<Stats>> = (0..3).map(|_| Arc::default()).collect();
        let health = Health::new(shards.clone());
        let (limit, start) = (Nanos::from_secs(5), Nanos::from_secs(100));
        assert_eq!(health.turned_within(limit, start), Ok(()), "not begun");
        shards.iter().for_each(|shard| shard.turn(start));
        let later = start + Nanos::from_secs(6);
        shards[0].turn(later);
        shards[2].end();
        let frozen = Frozen {
            shard: 1,
            silent_for: Nanos::from_secs(6),
        };
        assert_eq!(health.turned_within(limit, later), Err(frozen));
        shards[1].turn(later);
        assert_eq!(health.turned_within(limit, later), Ok(()));
    }
}
