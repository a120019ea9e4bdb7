//! Secret keys for a hash, so that nobody can choose addresses that meet in a table.
//! It never gives the same keys twice.

use std::hash::{BuildHasher, RandomState};

use crate::endpoint::Keyed;

/// Keys that follow from std's, which the system's random numbers are behind.
pub fn secret_hash() -> Keyed {
    let random = RandomState::new();
    Keyed::new([random.hash_one(0), random.hash_one(1)])
}
