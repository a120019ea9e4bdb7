//! When a client is given up: it was never there, fell silent, or gets on too slowly.
//! It never asks the time and never ends anything: it judges what a transfer knows of its client.

use super::time::Nanos;
use crate::limits::{GIVE_UP, GIVE_UP_TIMEOUTS, PROGRESS_GRACE, SLOWEST_BLOCK, UNPROVEN_LIFETIME};

/// The disk's share in a transfer that ends because of it.
pub const DISK_SILENT: &str = "the disk did not deliver the file";

/// What a transfer knows of its client.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// It has answered from its own address.
    pub proven: bool,
    /// Since the transfer began.
    pub age: Nanos,
    /// Since its last progress.
    pub silence: Nanos,
    /// Blocks that are through.
    pub blocks: u64,
    /// The negotiated interval.
    pub timeout: Option<Nanos>,
}

/// Why it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    NeverThere,
    Silent,
    Slow,
}

impl Signs {
    /// `None` while there is hope.
    pub fn verdict(&self) -> Option<Loss> {
        if !self.proven {
            return (self.age >= UNPROVEN_LIFETIME).then_some(Loss::NeverThere);
        }
        let timeouts = self.timeout.unwrap_or_default().times(GIVE_UP_TIMEOUTS);
        if self.silence >= GIVE_UP.max(timeouts) {
            return Some(Loss::Silent);
        }
        let allowed = PROGRESS_GRACE + SLOWEST_BLOCK.times(self.blocks);
        (self.age >= allowed).then_some(Loss::Slow)
    }
}

/// Whether a transfer that waited so long for its disk is to end.
pub fn disk_is_silent(waited: Nanos) -> bool {
    waited >= GIVE_UP
}
