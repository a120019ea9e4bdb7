//! A number that one thread writes and others read.
//! It never costs its writer more than a load and a store.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Only for the one thread that writes: two writers would lose counts.
    pub fn add(&self, more: u64) {
        self.0
            .store(self.0.load(Relaxed).wrapping_add(more), Relaxed);
    }

    /// The same, for a total that is kept elsewhere.
    pub fn set(&self, total: u64) {
        self.0.store(total, Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
