//! Which parts of a mapped file were in memory a moment ago, chunk by chunk.
//! It never asks the kernel: it remembers what the readers brought in and when it was last used.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::limits::{CHUNK_LEN, CHUNKS_MAX, READ_AHEAD_CHUNKS, RESIDENT_SECS};
use crate::transfer::Nanos;

/// The chunks of one file. Shards and readers use it at the same time; a stale answer costs a
/// needless question or one wait for a page, never wrong bytes.
#[derive(Debug)]
pub(super) struct Residency {
    /// Bytes in a chunk.
    chunk: u64,
    /// For each chunk 0 (cold), 1 (being read ahead), or the second of its last use, plus 2.
    chunks: Box<[AtomicU32]>,
    /// How often all were lost.
    losses: AtomicU32,
}

/// What a shard should do about bytes that it wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    /// They can be sent without waiting.
    pub(super) ready: bool,
    /// Bytes to be brought in: those that were wanted, or the next ones.
    pub(super) fetch: Option<Range<u64>>,
}

impl Demand {
    /// The bytes are in memory for good.
    pub(super) const NOTHING: Self = Self {
        ready: true,
        fetch: None,
    };
}

impl Residency {
    pub(super) fn new(size: u64) -> Self {
        let chunk = CHUNK_LEN.max(size.div_ceil(CHUNKS_MAX)).next_power_of_two();
        let count = usize::try_from(size.div_ceil(chunk)).unwrap_or(0);
        Self {
            chunk,
            chunks: (0..count).map(|_| AtomicU32::new(COLD)).collect(),
            losses: AtomicU32::new(0),
        }
    }

    /// Bytes in a chunk.
    pub(super) const fn chunk_len(&self) -> u64 {
        self.chunk
    }

    /// Looks up `bytes`, which a transfer wants now, and notes their use.
    pub(super) fn demand(&self, bytes: &Range<u64>, now: Nanos) -> Demand {
        let wanted = self.indices(bytes);
        if !wanted.clone().all(|index| self.is_hot(index, now)) {
            return Demand {
                ready: false,
                fetch: Some(self.bytes(&wanted)),
            };
        }
        wanted.clone().for_each(|index| self.touch(index, now));
        let ahead = wanted.end..(wanted.end + READ_AHEAD_CHUNKS).min(self.chunks.len());
        Demand {
            ready: true,
            fetch: self.claim(ahead).map(|ahead| self.bytes(&ahead)),
        }
    }

    /// The readers brought `bytes` in, or found that they cannot: then the send will say so.
    /// `losses` are those [before](Self::losses): what came earlier than another may be gone again.
    pub(super) fn arrived(&self, bytes: &Range<u64>, losses: u32, now: Nanos) {
        if losses == self.losses() {
            self.indices(bytes).for_each(|index| self.touch(index, now));
        }
    }

    /// How often the kernel threw out of memory what was there.
    pub(super) fn losses(&self) -> u32 {
        self.losses.load(Relaxed)
    }

    /// The kernel may have thrown everything out of memory.
    pub(super) fn lost(&self) {
        self.losses.fetch_add(1, Relaxed);
        self.chunks
            .iter()
            .for_each(|chunk| chunk.store(COLD, Relaxed));
    }

    /// Bytes that were claimed for reading ahead and will not come.
    pub(super) fn give_back(&self, bytes: &Range<u64>) {
        for index in self.indices(bytes) {
            if let Some(chunk) = self.chunks.get(index) {
                let _ = chunk.compare_exchange(AHEAD, COLD, Relaxed, Relaxed);
            }
        }
    }

    /// Takes the leading run of cold chunks, so that one transfer of many reads them ahead.
    fn claim(&self, ahead: Range<usize>) -> Option<Range<usize>> {
        let cold = |&index: &usize| {
            self.chunks.get(index).is_some_and(|chunk| {
                chunk
                    .compare_exchange(COLD, AHEAD, Relaxed, Relaxed)
                    .is_ok()
            })
        };
        let first = ahead.clone().find(cold)?;
        let count = (first + 1..ahead.end).take_while(cold).count();
        Some(first..first + 1 + count)
    }

    fn is_hot(&self, index: usize, now: Nanos) -> bool {
        self.chunks.get(index).is_none_or(|chunk| {
            let used = chunk.load(Relaxed);
            used >= stamp(Nanos::ZERO) && stamp(now).saturating_sub(used) < RESIDENT_SECS
        })
    }

    /// Stores only what differs: the line is shared by all shards.
    fn touch(&self, index: usize, now: Nanos) {
        if let Some(chunk) = self.chunks.get(index)
            && chunk.load(Relaxed) != stamp(now)
        {
            chunk.store(stamp(now), Relaxed);
        }
    }

    fn indices(&self, bytes: &Range<u64>) -> Range<usize> {
        let index = |offset: u64| usize::try_from(offset / self.chunk).unwrap_or(usize::MAX);
        let end = usize::try_from(bytes.end.div_ceil(self.chunk)).unwrap_or(usize::MAX);
        index(bytes.start)..end.min(self.chunks.len())
    }

    fn bytes(&self, indices: &Range<usize>) -> Range<u64> {
        indices.start as u64 * self.chunk..indices.end as u64 * self.chunk
    }
}

const COLD: u32 = 0;
const AHEAD: u32 = 1;

/// Seconds of a clock that starts with the machine: they fit for a century.
fn stamp(now: Nanos) -> u32 {
    u32::try_from(now.0 / 1_000_000_000).unwrap_or(u32::MAX - 2) + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_secs(1_000);

    fn ready(fetch: Option<Range<u64>>) -> Demand {
        Demand { ready: true, fetch }
    }

    #[test]
    fn cold_bytes_are_fetched_and_then_hot_for_a_while() {
        let residency = Residency::new(CHUNK_LEN);
        let wanted = 0..1468;
        let cold = Demand {
            ready: false,
            fetch: Some(0..CHUNK_LEN),
        };
        assert_eq!(residency.demand(&wanted, NOW), cold);
        residency.arrived(&(0..CHUNK_LEN), 0, NOW);
        assert_eq!(residency.demand(&wanted, NOW), ready(None));
        let later = NOW + Nanos::from_secs(u64::from(RESIDENT_SECS) - 1);
        assert_eq!(residency.demand(&wanted, later), ready(None));
        let much_later = later + Nanos::from_secs(u64::from(RESIDENT_SECS));
        assert_eq!(residency.demand(&wanted, much_later), cold);
    }

    #[test]
    fn the_next_chunks_are_read_ahead_once() {
        let residency = Residency::new(CHUNK_LEN * 10);
        residency.arrived(&(0..CHUNK_LEN), 0, NOW);
        let ahead = CHUNK_LEN..CHUNK_LEN * (1 + READ_AHEAD_CHUNKS as u64);
        assert_eq!(residency.demand(&(0..512), NOW), ready(Some(ahead.clone())));
        assert_eq!(residency.demand(&(0..512), NOW), ready(None));
        residency.give_back(&ahead);
        assert_eq!(residency.demand(&(0..512), NOW), ready(Some(ahead)));
    }

    #[test]
    fn a_block_over_a_border_needs_both_chunks() {
        let residency = Residency::new(CHUNK_LEN * 2);
        residency.arrived(&(0..CHUNK_LEN), 0, NOW);
        let over = CHUNK_LEN - 100..CHUNK_LEN + 100;
        assert!(!residency.demand(&over, NOW).ready);
        residency.arrived(&(CHUNK_LEN..CHUNK_LEN * 2), 0, NOW);
        assert!(residency.demand(&over, NOW).ready);
    }

    #[test]
    fn the_end_of_a_file_and_what_is_behind_it_are_no_reason_to_wait() {
        let residency = Residency::new(CHUNK_LEN);
        residency.arrived(&(0..CHUNK_LEN), 0, NOW);
        assert!(residency.demand(&(CHUNK_LEN..CHUNK_LEN), NOW).ready);
        assert!(residency.demand(&(CHUNK_LEN..CHUNK_LEN + 512), NOW).ready);
        assert!(Residency::new(0).demand(&(0..0), NOW).ready);
    }

    #[test]
    fn what_the_kernel_threw_away_is_cold_and_what_came_before_does_not_count() {
        let residency = Residency::new(CHUNK_LEN * 3);
        residency.arrived(&(0..CHUNK_LEN), 0, NOW);
        // Reads the second chunk ahead, and the third.
        assert!(residency.demand(&(0..512), NOW).fetch.is_some());
        let before = residency.losses();
        residency.lost();
        residency.arrived(&(CHUNK_LEN..CHUNK_LEN * 3), before, NOW);
        for chunk in 0..3 {
            let wanted = chunk * CHUNK_LEN..chunk * CHUNK_LEN + 512;
            assert!(!residency.demand(&wanted, NOW).ready, "chunk {chunk}");
        }
        residency.arrived(&(0..CHUNK_LEN), residency.losses(), NOW);
        let demand = residency.demand(&(0..512), NOW);
        assert!(demand.ready && demand.fetch.is_some());
    }

    #[test]
    fn a_huge_file_has_larger_chunks_and_not_more_memory() {
        let residency = Residency::new(1 << 50);
        assert!(residency.chunks.len() as u64 <= CHUNKS_MAX);
        residency.arrived(&((1 << 50) - 1..1 << 50), 0, NOW);
        assert!(residency.demand(&((1 << 50) - 1..1 << 50), NOW).ready);
        assert!(!residency.demand(&(0..1), NOW).ready);
    }
}
