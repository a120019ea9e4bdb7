//! How the last reading of the configuration went.
//! It never reads one.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::clock;

/// What the metrics tell of reloads; the start counts as one that succeeded.
#[derive(Debug)]
pub struct Reloads {
    successful: AtomicBool,
    /// Seconds since 1970.
    succeeded_at: AtomicU64,
}

impl Default for Reloads {
    fn default() -> Self {
        Self {
            successful: AtomicBool::new(true),
            succeeded_at: AtomicU64::new(clock::unix_seconds()),
        }
    }
}

impl Reloads {
    /// The configuration was read again.
    pub fn note(&self, successful: bool) {
        self.successful.store(successful, Relaxed);
        if successful {
            self.succeeded_at.store(clock::unix_seconds(), Relaxed);
        }
    }

    #[must_use]
    pub fn successful(&self) -> bool {
        self.successful.load(Relaxed)
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn succeeded_at(&self) -> u64 {
        self.succeeded_at.load(Relaxed)
    }
}
