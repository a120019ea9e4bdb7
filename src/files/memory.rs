//! Asks the kernel for pages of a file: to map them, whether they are cached, and to bring them in.
//! It never uses what it reads.

use core::ops::Range;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::limits::COPY_CHUNK;

/// Maps the first `len` bytes of a file, for the kernel to read.
pub(super) fn map(file: &File, len: usize) -> io::Result<MmapRaw> {
    let shared = MmapOptions::new().len(len).map_raw_read_only(file);
    let nodev = |error: &io::Error| Errno::from_io_error(error) == Some(Errno::NODEV);
    if !shared.as_ref().is_err_and(nodev) {
        return shared;
    }
    // FUSE shares no mapping of a file that it does not cache (`direct_io`). For who only reads, a private
    // one has the same pages.
    // SAFETY: the mapping becomes raw at once, so nobody here takes its bytes for unchanging.
    unsafe { MmapOptions::new().len(len).map_copy_read_only(file) }.map(MmapRaw::from)
}

/// Brings `bytes` of a mapped file in and maps them, which may wait for a disk. A file that shrank
/// meanwhile says EFAULT, and so will a send.
pub(super) fn bring_in(map: &MmapRaw, file: &File, bytes: &Range<u64>) {
    let len = map.len() as u64;
    let (start, end) = (bytes.start.min(len), bytes.end.min(len));
    let (Ok(offset), Ok(count)) = (usize::try_from(start), usize::try_from(end - start)) else {
        return;
    };
    let populated = map.advise_range(Advice::PopulateRead, offset, count);
    // Kernels before 5.14 do not know that advice; reading fills the page cache at least.
    if populated.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL)) {
        read(bytes, |chunk, offset| file.read_at(chunk, offset).ok());
    }
}

/// Whether all of `bytes` are in the page cache. `mincore` would not say it of another user's file.
pub(super) fn is_cached(file: &File, bytes: &Range<u64>) -> bool {
    read(bytes, |chunk, offset| {
        let mut chunk = [IoSliceMut::new(chunk)];
        preadv2(file, &mut chunk, offset, ReadWriteFlags::NOWAIT).ok()
    })
}

/// Reads `bytes` and forgets them. Says whether all came.
fn read(bytes: &Range<u64>, mut read_at: impl FnMut(&mut [u8], u64) -> Option<usize>) -> bool {
    let mut scratch = vec![0; COPY_CHUNK];
    let mut offset = bytes.start;
    while offset < bytes.end {
        let wanted = usize::try_from(bytes.end - offset).unwrap_or(COPY_CHUNK);
        let chunk = &mut scratch[..wanted.min(COPY_CHUNK)];
        match read_at(chunk, offset) {
            None | Some(0) => return false,
            Some(count) => offset += count as u64,
        }
    }
    true
}
