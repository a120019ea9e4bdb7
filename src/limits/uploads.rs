//! Files that clients send.

use crate::transfer::Nanos;

/// Bytes of an upload that are written together, and the most that a window may have: one block of
/// the largest size fits, and forty-five of the usual one cost a single write.
pub const UPLOAD_CHUNK: usize = 64 * 1024;

/// Memory for the bytes of uploads that are not written yet, all shards together. Beyond two thousand
/// uploads at a time, or where the disk is slower than the network, clients wait for their ACKs.
pub const UPLOAD_MEMORY: usize = 128 * 1024 * 1024;

/// Chunks of one upload that may wait for the disk, so that one fast client leaves some to others.
pub const UPLOAD_AHEAD: u8 = 4;

/// Uploads at a time. Each has two file descriptors and a temporary file.
pub const MAX_UPLOADS: usize = 4096;

/// Jobs that can wait for an upload thread: every chunk, and for each upload its beginning and end,
/// twice, because ends of former uploads may still wait. So no chunk is ever turned away.
pub const UPLOAD_QUEUE: usize = UPLOAD_MEMORY / UPLOAD_CHUNK + 4 * MAX_UPLOADS;

/// Threads for uploads where io_uring is refused: an fsync holds one up.
pub const UPLOAD_THREADS: usize = 4;

/// Entries of the upload thread's ring, small enough for 64 KiB of locked memory. More requests than
/// that simply wait.
pub const UPLOAD_RING: u32 = 256;

/// Files remembered with the client that uploaded them, for its quota. Later ones count only while
/// they are being uploaded.
pub const UPLOADED_FILES: usize = 65_536;

/// A full quota is counted anew on the disk this often: somebody may have deleted files.
pub const RECOUNT_PAUSE: Nanos = Nanos::from_secs(1);
