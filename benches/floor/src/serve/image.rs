//! One file as ready frames: header and content of each block side by side, so that a window is one slice.
//! Never changes after it was built; the file itself is closed by then.

use std::io;
use std::ptr::NonNull;

use crate::wire::{self, HEADER};

/// Above this the block number wraps, and an ACK alone would no longer name a place in the file.
const BLOCKS_MAX: usize = 65_535;

pub struct Image {
    memory: NonNull<u8>,
    mapped: usize,
    used: usize,
    stride: usize,
    file_bytes: u64,
}

impl Image {
    pub fn from_bytes(content: &[u8], blksize: usize) -> io::Result<Image> {
        if !(8..=65_464).contains(&blksize) {
            return Err(io::Error::other("blksize is 8 to 65464"));
        }
        let blocks = content.len() / blksize + 1;
        if blocks > BLOCKS_MAX {
            return Err(io::Error::other(format!(
                "{blocks} blocks: a server without state ends at {BLOCKS_MAX}"
            )));
        }
        let stride = blksize + HEADER;
        let used = content.len() + blocks * HEADER;
        let mapped = used.next_multiple_of(2 << 20);
        let mut image = Image {
            memory: map(mapped)?,
            mapped,
            used,
            stride,
            file_bytes: content.len() as u64,
        };
        for block in 1..=blocks {
            let from = (block - 1) * blksize;
            let body = &content[from..content.len().min(from + blksize)];
            let frame = &mut image.bytes_mut()[(block - 1) * stride..][..HEADER + body.len()];
            frame[..HEADER].copy_from_slice(&wire::header(wire::DATA, block as u16));
            frame[HEADER..].copy_from_slice(body);
        }
        Ok(image)
    }

    pub fn blocks(&self) -> usize {
        self.used.div_ceil(self.stride)
    }

    pub fn stride(&self) -> usize {
        self.stride
    }

    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The frames of `count` blocks from block `first` (counted from 1) on, as one slice.
    pub fn frames(&self, first: usize, count: usize) -> &[u8] {
        let from = (first - 1) * self.stride;
        &self.bytes()[from..self.used.min(from + count * self.stride)]
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping has `mapped >= used` readable bytes and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.used) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` means that nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.used) }
    }
}

/// Anonymous memory, in huge pages when the kernel has some: one TLB entry for hundreds of blocks.
fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory of ours.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, prot, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the mapping that we just made. A refusal costs speed only, so the result is not looked at.
    unsafe { libc::madvise(at, bytes, libc::MADV_HUGEPAGE) };
    NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mmap gave address 0"))
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and no slice of it outlives `self`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.mapped) };
    }
}
