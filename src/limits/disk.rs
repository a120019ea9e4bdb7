//! Threads that wait for storages, and what they may hold up.

use super::MAX_TRANSFERS;
use crate::transfer::Nanos;

/// Bytes of a file whose presence in memory is kept track of together: one request to a disk of any
/// kind, well below 1 ms from the page cache.
pub const CHUNK_LEN: u64 = 256 * 1024;

/// Chunks of one file; those of files beyond 16 GiB are larger. 256 KiB of memory at most.
pub const CHUNKS_MAX: u64 = 65_536;

/// Chunks brought in before a transfer comes to them: 1 MiB, which a client on a fast network takes
/// longer to receive than a disk to deliver.
pub const READ_AHEAD_CHUNKS: usize = 4;

/// Seconds after its last use for which a chunk is believed to be in memory. The kernel evicts pages
/// by age, too, and those of a file that is being served are young.
pub const RESIDENT_SECS: u32 = 30;

/// Threads that wait for disks, started on demand, and how many of them one storage may hold up.
/// Different files on a slow disk need one each; a storage that hangs leaves the others theirs.
pub const READER_THREADS: usize = 16;
pub const READERS_EACH: usize = 4;

/// Requests waiting for those threads. When it is full, transfers ask again a little later.
pub const READER_QUEUE: usize = 8192;

/// Threads that open files which the kernel has to ask a storage for, started on demand, and how many
/// of them one directory below the root may hold up: three that hang leave the others theirs.
pub const OPENER_THREADS: usize = 16;
pub const OPENERS_EACH: usize = 4;

/// A thread that was started on demand ends after so long without work.
pub const IDLE_THREAD: Nanos = Nanos::from_secs(10);

/// The server's end waits this long for threads that a storage holds up.
pub const LANES_LAST_WORDS: Nanos = Nanos::from_secs(1);

/// Groups of jobs for each storage or directory that keep their memory when they are empty.
pub const LANES_KEPT: usize = 64;

/// Mounted file systems that are remembered as local.
pub const KNOWN_STORAGES: usize = 64;

/// Requests waiting for those threads: all of a shard's, so that a burst of any size that is let in
/// keeps its order. About 13 MiB with usual names when it is full.
pub const LOADER_QUEUE: usize = MAX_TRANSFERS;

/// Requests taken at once by a thread. Those for one file share one open, so a burst of 2,000 costs
/// eight opens.
pub const LOADER_BATCH: usize = 256;

/// Different files among them: so few that the other thread finds work while this one waits for
/// a disk, enough to share opens when machines ask for different files.
pub const LOADER_BATCH_FILES: usize = 16;
