//! Private copies of files: translated to netascii, or of a kind that cannot be mapped.
//! It never reads a mapping, only by pread, and never more than the bounds in `limits`.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::error::OpenError;
use super::identity::Identity;
use crate::limits::{COPIES_TOTAL_MAX, COPY_CHUNK, COPY_MAX, COPY_TRIES};

/// A file's bytes after translation, and its share of the memory for copies.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) bytes: Vec<u8>,
    _share: Share,
}

impl Copied {
    /// Bytes that come from nowhere and count for nothing.
    pub(super) fn free(bytes: Vec<u8>) -> Self {
        let _share = Share {
            budget: Arc::default(),
            bytes: 0,
        };
        Self { bytes, _share }
    }

    /// Bytes of our own making, within the budget.
    pub(super) fn made(bytes: Vec<u8>, budget: &Arc<Budget>) -> Result<Self, OpenError> {
        let _share = budget.take(bytes.len() as u64)?;
        Ok(Self { bytes, _share })
    }

    /// Reads all of `file` through `translate`, and again if it changed meanwhile. The identity is
    /// the one that the bytes belong to.
    pub(super) fn read(
        file: &File,
        translate: Translate,
        budget: &Arc<Budget>,
    ) -> Result<(Self, Identity), OpenError> {
        for _ in 0..COPY_TRIES {
            let before = Identity::of(file)?;
            let mut share = budget.take(worst_size(before.size)?)?;
            let bytes = read_all(file, before.size, translate)?;
            // The size at the second look may have been reached after our last read.
            if before == Identity::of(file)? {
                share.shrink(bytes.len() as u64);
                return Ok((
                    Self {
                        bytes,
                        _share: share,
                    },
                    before,
                ));
            }
        }
        Err(OpenError::Changing)
    }
}

/// Appends a chunk of a file to what a client receives.
pub(super) type Translate = fn(&[u8], &mut Vec<u8>);

/// Bytes of memory in use for one purpose, and how many there may be.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Default for Budget {
    /// For private copies.
    fn default() -> Self {
        Self::new(COPIES_TOTAL_MAX)
    }
}

impl Budget {
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    /// # Errors
    /// When too much is in use by others.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Result<Share, OpenError> {
        let more = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Ok(Share {
                budget: Arc::clone(self),
                bytes,
            }),
            Err(_) => Err(OpenError::Busy),
        }
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }
}

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    fn shrink(&mut self, bytes: u64) {
        let spare = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(spare, Relaxed);
        self.bytes -= spare;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

/// Netascii at most doubles a file.
fn worst_size(size: u64) -> Result<u64, OpenError> {
    if size > COPY_MAX {
        return Err(OpenError::TooLarge);
    }
    Ok((size * 2).min(COPY_MAX))
}

fn read_all(file: &File, size: u64, translate: Translate) -> Result<Vec<u8>, OpenError> {
    let mut out = Vec::with_capacity(usize::try_from(size).map_err(|_| OpenError::TooLarge)?);
    let mut chunk = vec![0; COPY_CHUNK];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut chunk, offset)?;
        // A file that grows for ever ends here too: what is past its size is not read.
        if count == 0 || offset >= size {
            out.shrink_to_fit();
            return Ok(out);
        }
        offset += count as u64;
        translate(&chunk[..count], &mut out);
        if out.len() as u64 > COPY_MAX {
            return Err(OpenError::TooLarge);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::wire::netascii;

    #[test]
    fn a_copy_is_the_translated_file_and_gives_its_memory_back() {
        let text = b"line\nreturn\r".repeat(20_000);
        let budget = Arc::default();
        let (copied, _) = Copied::read(&file(&text), netascii::encode, &budget).expect("a copy");
        let mut expected = Vec::new();
        netascii::encode(&text, &mut expected);
        assert!(copied.bytes == expected);
        assert_eq!(budget.used(), expected.len() as u64);
        drop(copied);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn too_large_is_refused_before_and_after_translation() {
        let budget = Arc::default();
        let huge = file(b"");
        huge.set_len(COPY_MAX + 1).expect("a hole");
        let refused = Copied::read(&huge, netascii::encode, &budget).map(drop);
        assert_eq!(refused, Err(OpenError::TooLarge));

        let doubles: Translate = |chunk, out| {
            out.extend_from_slice(chunk);
            out.extend_from_slice(chunk);
        };
        huge.set_len(COPY_MAX / 2 + 1).expect("a hole");
        let refused = Copied::read(&huge, doubles, &budget).map(drop);
        assert_eq!(refused, Err(OpenError::TooLarge));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn all_copies_together_are_bounded() {
        let budget = Arc::<Budget>::default();
        let _all = budget.take(COPIES_TOTAL_MAX).expect("room");
        let refused = Copied::read(&file(b"x"), netascii::encode, &budget).map(drop);
        assert_eq!(refused, Err(OpenError::Busy));
        assert_eq!(budget.used(), COPIES_TOTAL_MAX);
    }

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("written");
        file
    }
}
