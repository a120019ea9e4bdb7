//! One shard's figures: written by the shard alone, read by whoever likes.
//! It never makes a shard wait: a write is a plain store to cache lines of the shard's own.

mod count;
mod histogram;

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use crossbeam::utils::CachePadded;

pub use count::Count;
pub use histogram::{DURATIONS, FIRST_DATA, Histogram, Sums};

use crate::endpoint::{self, Outcome, Report};
use crate::transfer::Nanos;

/// Nanoseconds that a shard which has ended turned last: later than any deadline.
const ENDED: u64 = u64::MAX;

/// The figures of one shard, on cache lines that no other shard writes to.
#[derive(Debug, Default)]
pub struct Stats(CachePadded<Figures>);

/// Totals since the start, but for `active` and `waiting`.
#[derive(Debug, Default)]
pub struct Figures {
    turned: AtomicU64,
    thread: AtomicI32,
    /// Transfers under way.
    pub active: Count,
    /// By operation and outcome, as [`OUTCOMES`] orders them.
    pub ended: [[Count; OUTCOMES.len()]; 2],
    /// Requests that became transfers, by operation.
    pub accepted: [Count; 2],
    pub repeated: [Count; 2],
    /// Requests and ERRORs that were more than their network may cause.
    pub limited_requests: [Count; 2],
    pub limited_errors: Count,
    /// Requests that had to wait for their turn.
    pub queued: Count,
    /// Of completed transfers, by operation.
    pub durations: [Histogram<{ DURATIONS.len() }>; 2],
    /// From a read request to its first DATA block.
    pub first_data: Histogram<{ FIRST_DATA.len() }>,
    /// Bytes of blocks, those sent again included.
    pub sent_bytes: Count,
    pub received_bytes: Count,
    /// Blocks of downloads, ACKs of uploads; counted when their transfer ends.
    pub resends: Count,
    pub file_changed: Count,
    pub malformed: Count,
    pub unknown_tid: Count,
    pub truncated: Count,
    pub send_errors: Count,
    pub send_lost: Count,
    pub datagrams_received: Count,
    pub datagrams_sent: Count,
    pub turns: Count,
    pub ring_overflows: Count,
    /// Receives that found no buffer provided.
    pub buffers_exhausted: Count,
    /// Messages that met a full socket buffer.
    pub congested: Count,
    /// Trains that the kernel did not cut.
    pub gso_fallbacks: Count,
    /// Trains that went out without a copy, and those that were to and were copied.
    pub zero_copy_spared: Count,
    pub zero_copy_copied: Count,
    /// Times that a transfer began to wait for its file.
    pub parked: Count,
    /// Datagrams that the kernel dropped because a receive buffer was full.
    pub kernel_drops: Count,
}

/// The outcomes in the order of [`Figures::ended`].
pub const OUTCOMES: [Outcome; 9] = [
    Outcome::Completed,
    Outcome::Probe,
    Outcome::Missing,
    Outcome::Refused,
    Outcome::PeerError,
    Outcome::TimedOut,
    Outcome::PeerGone,
    Outcome::Aborted,
    Outcome::Shed,
];

impl core::ops::Deref for Stats {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.0
    }
}

impl Figures {
    /// The shard's loop begins on the calling thread.
    pub fn begin(&self, now: Nanos) {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        self.thread.store(thread, Relaxed);
        self.turn(now);
    }

    /// The loop turned.
    pub fn turn(&self, now: Nanos) {
        self.turned.store(now.0, Relaxed);
    }

    /// The loop ended in order.
    pub fn end(&self) {
        self.turned.store(ENDED, Relaxed);
    }

    /// How long ago the loop last turned; none before it began.
    #[must_use]
    pub fn silent_for(&self, now: Nanos) -> Option<Nanos> {
        match self.turned.load(Relaxed) {
            0 => None,
            turned => Some(now - Nanos(turned)),
        }
    }

    /// The kernel's number of the shard's thread; 0 before it began.
    #[must_use]
    pub fn thread(&self) -> i32 {
        self.thread.load(Relaxed)
    }

    /// A request or a transfer ended.
    pub fn report(&self, report: &Report<'_>) {
        let write = usize::from(report.write);
        if let (Some(ended), Some(durations)) = (self.ended.get(write), self.durations.get(write)) {
            if let Some(count) = ended.get(place(report.outcome)) {
                count.add(1);
            }
            if report.outcome == Outcome::Completed {
                durations.add(&DURATIONS, report.duration);
            }
        }
        self.resends.add(report.resends.into());
    }

    /// What an endpoint has counted so far.
    pub fn take(&self, counters: &endpoint::Counters, active: usize) {
        self.active.set(active as u64);
        let [reads, writes] = &self.accepted;
        reads.set(counters.reads);
        writes.set(counters.writes);
        let [reads, writes] = &self.repeated;
        reads.set(counters.repeated_requests - counters.repeated_writes);
        writes.set(counters.repeated_writes);
        let [reads, writes] = &self.limited_requests;
        reads.set(counters.limited - counters.limited_writes);
        writes.set(counters.limited_writes);
        self.limited_errors.set(counters.limited_errors);
        self.queued.set(counters.queued);
        self.file_changed.set(counters.file_changed);
        self.malformed.set(counters.malformed);
        self.unknown_tid.set(counters.unknown_tid);
    }
}

/// The place of an outcome in [`OUTCOMES`].
#[must_use]
pub fn place(outcome: Outcome) -> usize {
    OUTCOMES
        .iter()
        .position(|other| *other == outcome)
        .unwrap_or(OUTCOMES.len())
}
