//! What the files on the server hold, so that wrong bytes are told from late ones.
//! It never talks to the server.

/// A file that an oracle knows, by its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub u32);

/// Knows the content of files. It is asked on the engine's threads, `check` for each block: no
/// call may wait for a disk or a lock.
pub trait Oracle: Send + Sync {
    /// The file of this name as a client writes it; none: nothing is known about it.
    fn find(&self, name: &str) -> Option<FileId>;

    /// The length of its content in bytes.
    fn expected_len(&self, file: FileId) -> u64;

    /// Whether the content at `offset` is `bytes`; beyond its end it is not.
    fn check(&self, file: FileId, offset: u64, bytes: &[u8]) -> bool;
}
