//! What shards ask of the upload threads, and what they are told.
//! It never carries a packet: bytes come in chunks.

use core::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::Arc;

use super::error::UploadError;
use super::place::Wish;
use crate::endpoint::Ticket;

/// Whose upload it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) shard: usize,
    pub(super) ticket: Ticket,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) task: Task,
}

#[derive(Debug)]
pub(super) enum Task {
    /// Prepare a file. The seat is the upload's as long as it lives.
    Create(Box<Wish>, Seat),
    Write(Vec<u8>),
    /// Nothing more comes.
    Commit,
    /// Nothing of it is to remain.
    Discard,
}

/// What an upload thread tells a shard.
#[derive(Debug)]
pub struct News {
    pub ticket: Ticket,
    pub what: What,
}

/// What became of an upload.
#[derive(Debug)]
pub enum What {
    /// Its file can be written, or not.
    Created(Result<(), UploadError>),
    /// Memory whose bytes are written, or not wanted any more.
    Written(Vec<u8>),
    /// It is durable under its name; or it failed, at whatever point.
    Stored(Result<(), UploadError>),
}

/// One of a bounded number of uploads.
#[derive(Debug)]
pub(super) struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Takes a seat, if fewer than `limit` are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let seat = Self(Arc::clone(taken));
        // Given back by the drop where there was none.
        (taken.fetch_add(1, AcqRel) < limit).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_come_back() {
        let taken = Arc::default();
        let first = Seat::take(&taken, 1);
        assert!(first.is_some() && Seat::take(&taken, 1).is_none());
        drop(first);
        assert!(Seat::take(&taken, 1).is_some());
    }
}
