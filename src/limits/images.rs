//! Files in memory: mapped, copied, framed.

use crate::transfer::Nanos;

/// How often a file is read anew when it changed under the reading. More would only help a file
/// that is written all the time, and that one has no content to serve.
pub const COPY_TRIES: usize = 3;

/// Bytes read from a file at a time while it is copied.
pub const COPY_CHUNK: usize = 64 * 1024;

/// Bytes of one private copy (netascii, or a file that cannot be mapped). Netascii is for the
/// configuration of switches; 64 MiB is far above any of them.
pub const COPY_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of all private copies together: the memory that hostile netascii requests can claim.
pub const COPIES_TOTAL_MAX: u64 = 256 * 1024 * 1024;

/// Memory for files laid out in frames, unless the operator says otherwise: a kernel and an initrd
/// in two block sizes. Files that do not fit beside those in use are served from their mapping.
pub const FRAME_MEMORY_MIB: u64 = 256;

/// Frames give way only where nobody has asked for their file for so long: files that are fetched in turns
/// would take the memory from each other without end.
pub const FRAMES_REST: Nanos = Nanos::from_secs(1);

/// The transfer of a file, with the same block size as others, at which it is laid out in frames.
/// A file that one client fetches is not worth a second copy in memory.
pub const FRAME_AFTER: u32 = 2;

/// Where that was refused, for want of memory or of room in the queue, every so many transfers ask
/// again. A storm brings hundreds; each of them would make as many threads' work of nothing.
pub const FRAME_AGAIN: u32 = 16;

/// Threads that lay files out in frames, one for each storage.
pub const FRAMER_THREADS: usize = 4;

/// Files waiting to be framed; beyond that they are served from their mapping for the time being.
pub const FRAMER_QUEUE: usize = 64;

/// Block sizes of one file that are framed: a farm has one to three kinds of clients.
pub const FRAMED_BLKSIZES: usize = 4;

/// Smaller blocks are too much header and too little gain.
pub const FRAMED_BLKSIZE_MIN: u16 = 256;

/// Images kept although no transfer uses them, so that machines that come one by one share a
/// mapping. A farm boots from a dozen files; more would pin file descriptors for nothing.
pub const KEPT_IMAGES: usize = 64;

/// How long such an image is kept unused. A deleted file holds its disk space for so long.
pub const KEPT_IDLE: Nanos = Nanos::from_secs(10);

/// Bytes of a private copy that may be kept so; larger ones go with their last transfer.
pub const KEPT_COPY_MAX: u64 = 1024 * 1024;

/// Entries of the catalog before the first sweep for dead ones.
pub const CATALOG_SWEEP_MIN: usize = 128;
