//! How often a stranger may be told that its transfer is unknown (ERROR 5).
//! It never grows: a fixed table of the last answers.

use alloc::boxed::Box;
use alloc::vec;

use crate::limits::{STRANGER_INTERVAL, STRANGERS};
use crate::transfer::Nanos;

/// When each of the last strangers was answered, by the hash of its address.
#[derive(Debug)]
pub struct Strangers {
    answered: Box<[Nanos]>,
}

impl Strangers {
    pub fn new() -> Self {
        Self {
            answered: vec![Nanos::ZERO; STRANGERS].into_boxed_slice(),
        }
    }

    /// Whether the stranger with this address hash may be answered now; if so it is noted.
    pub fn may_answer(&mut self, hash: u64, now: Nanos) -> bool {
        let Some(entry) = self.entry(hash) else {
            return false;
        };
        // A place shared by two strangers answers at the same rate as for one, so that a flood
        // from many addresses is bounded as well.
        if *entry != Nanos::ZERO && now - *entry < STRANGER_INTERVAL {
            return false;
        }
        *entry = now;
        true
    }

    /// Counts the peer with this address hash as answered, so that it is left alone for a while.
    pub fn note(&mut self, hash: u64, now: Nanos) {
        if let Some(entry) = self.entry(hash) {
            *entry = now;
        }
    }

    fn entry(&mut self, hash: u64) -> Option<&mut Nanos> {
        let place = usize::try_from(hash % STRANGERS as u64).unwrap_or(0);
        self.answered.get_mut(place)
    }
}
