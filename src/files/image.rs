//! One file's content, opened and mapped once, shared by every transfer of it.
//! It never lets our own code read the mapping: only the kernel does, so truncation is an error
//! code and not a signal.

use std::fs::File;
use std::os::unix::fs::FileExt;

use memmap2::{Advice, Mmap, MmapOptions};

use super::error::OpenError;
use super::identity::Identity;
use crate::limits::{IMAGE_WARM_BYTES, NETASCII_CHUNK, NETASCII_MAX, NETASCII_TRIES};
use crate::wire::netascii;

/// Bytes that clients receive.
#[derive(Debug)]
pub struct Image {
    content: Content,
    size: u64,
}

#[derive(Debug)]
enum Content {
    Mapped {
        map: Mmap,
        file: File,
        identity: Identity,
    },
    /// An empty file cannot be mapped.
    Empty { file: File, identity: Identity },
    /// A copy of our own: the netascii form of a file.
    Owned(Vec<u8>),
}

impl Image {
    /// Maps an open regular file and brings its beginning into memory.
    ///
    /// # Errors
    /// When the kernel refuses the mapping.
    pub fn map(file: File, identity: Identity) -> Result<Self, OpenError> {
        let size = identity.size();
        if size == 0 {
            return Ok(Self {
                content: Content::Empty { file, identity },
                size,
            });
        }
        // SAFETY: `Mmap` derefs to bytes that another process may change or truncate under us.
        // Nothing here does deref it: the mapping is private to this module, which hands out
        // addresses for the kernel to read, and the kernel answers EFAULT for missing pages.
        let map = unsafe { MmapOptions::new().map(&file) }?;
        warm(&map);
        Ok(Self {
            content: Content::Mapped {
                map,
                file,
                identity,
            },
            size,
        })
    }

    /// Reads a file and translates it to netascii. Read by `pread`, never through a mapping.
    ///
    /// # Errors
    /// When the file is too large for that, or does not stand still.
    pub fn translate(file: &File) -> Result<Self, OpenError> {
        for _ in 0..NETASCII_TRIES {
            let before = Identity::of(file)?;
            let text = read_netascii(file)?;
            if Identity::of(file)?.same_content(&before) {
                return Ok(Self::from_bytes(text));
            }
        }
        Err(OpenError::Changing)
    }

    /// An image of bytes in memory.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            size: bytes.len() as u64,
            content: Content::Owned(bytes),
        }
    }

    /// Bytes that a client receives.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Address of the byte at `offset`, for the kernel alone. Valid for `size() - offset` bytes as
    /// long as the image lives; the pages behind it may be gone when the file was truncated.
    #[must_use]
    pub fn address(&self, offset: u64) -> *const u8 {
        let start = match &self.content {
            Content::Mapped { map, .. } => map.as_ptr(),
            Content::Owned(bytes) => bytes.as_ptr(),
            Content::Empty { .. } => core::ptr::null(),
        };
        start.wrapping_add(usize::try_from(offset).unwrap_or(usize::MAX))
    }

    /// Whether the file on disk is still the one that was opened (one fstat).
    #[must_use]
    pub fn unchanged(&self) -> bool {
        match &self.content {
            Content::Mapped { file, identity, .. } | Content::Empty { file, identity } => {
                Identity::of(file).is_ok_and(|now| identity.same_content(&now))
            }
            Content::Owned(_) => true,
        }
    }
}

/// Loads the beginning now, on this thread, and asks for the rest: the first blocks of a transfer
/// must not make its shard wait for the disk.
fn warm(map: &Mmap) {
    let first = map.len().min(IMAGE_WARM_BYTES);
    // Both are hints. A file that shrank meanwhile fails them and will be noticed when it is sent.
    let _ = map.advise_range(Advice::PopulateRead, 0, first);
    if first < map.len() {
        let _ = map.advise_range(Advice::WillNeed, first, map.len() - first);
    }
}

fn read_netascii(file: &File) -> Result<Vec<u8>, OpenError> {
    let mut text = Vec::new();
    let mut chunk = vec![0; NETASCII_CHUNK];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut chunk, offset)?;
        if count == 0 {
            return Ok(text);
        }
        netascii::encode(chunk.get(..count).unwrap_or_default(), &mut text);
        if text.len() > NETASCII_MAX {
            return Err(OpenError::TooLarge);
        }
        offset += count as u64;
    }
}
