//! What an upload asks of a disk while its bytes come in, and the plain way to do it.
//! It never opens or names a file: that is the target's business.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// Writes and syncs. The answers may come later, so that one thread serves many uploads.
pub(super) trait Disk {
    type File: AsRawFd;

    fn adopt(&self, file: File) -> Self::File;

    /// Writes all bytes at `offset` and hands their memory back.
    async fn write(
        &self,
        file: &Self::File,
        bytes: Vec<u8>,
        offset: u64,
    ) -> (io::Result<()>, Vec<u8>);

    /// Does what a storage may hold up and no ring does: to open, to name, to delete. Where this takes
    /// other threads, those of one `lane` are few. None: there is no room for it, or the end has come.
    async fn away<T: Send + 'static>(
        &self,
        lane: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T>;

    /// Returns once content and metadata are on the disk: of a file, or of a directory.
    async fn sync(&self, file: &Self::File) -> io::Result<()>;
}

/// Plain system calls that block the thread: its futures are always ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocking;

impl Disk for Blocking {
    type File = File;

    fn adopt(&self, file: File) -> File {
        file
    }

    async fn write(&self, file: &File, bytes: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        (file.write_all_at(&bytes, offset), bytes)
    }

    async fn away<T: Send + 'static>(
        &self,
        _: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        Some(work())
    }

    async fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
}
