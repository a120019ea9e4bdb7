//! One file's content, opened and mapped once, shared by every transfer of it.
//! It never lets our own code read the mapping: only the kernel does, so truncation is an error
//! code and not a signal.

use core::fmt;
use core::ops::Range;
use std::fs::File;
use std::sync::Arc;

use memmap2::MmapRaw;
use rustix::io::Errno;

use super::copy::{Budget, Copied, Share};
use super::error::OpenError;
use super::framed::{Frames, framed_len};
use super::identity::Identity;
use super::memory;
use super::residency::{Demand, Residency};
use super::storage;
use crate::transfer::Nanos;
use crate::wire::netascii;

/// What a client receives of a file, in octet mode or in netascii.
///
/// Aligned so that the count of its references, which every shard writes to, stands on another line
/// (and on another pair of lines, as they are fetched) than what every packet reads.
#[derive(Debug)]
#[repr(align(128))]
pub struct Image {
    identity: Identity,
    content: Content,
}

enum Content {
    /// The file stays open to be asked whether it is still the same.
    Mapped {
        map: MmapRaw,
        file: File,
        residency: Residency,
        frames: Box<Frames>,
        /// To ask about the file never waits.
        local: bool,
    },
    /// Nobody else can change these bytes.
    Owned(Copied),
}

impl Image {
    /// Takes bytes that are in no file.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            identity: Identity::default(),
            content: Content::Owned(Copied::free(bytes)),
        }
    }

    /// Takes content that was made for one client.
    pub(super) fn made(
        content: &[u8],
        in_netascii: bool,
        budget: &Arc<Budget>,
    ) -> Result<Self, OpenError> {
        let mut bytes = Vec::with_capacity(content.len());
        if in_netascii {
            netascii::encode(content, &mut bytes);
        } else {
            bytes.extend_from_slice(content);
        }
        Ok(Self {
            identity: Identity::default(),
            content: Content::Owned(Copied::made(bytes, budget)?),
        })
    }

    /// Maps `file`. Its first part is ready at once where the page cache has it.
    pub(super) fn octet(file: File, budget: &Arc<Budget>, now: Nanos) -> Result<Self, OpenError> {
        let identity = Identity::of(&file)?;
        if identity.size == 0 {
            // There is nothing to map, and mmap says EINVAL.
            let content = Content::Owned(Copied::free(Vec::new()));
            return Ok(Self { identity, content });
        }
        let size = usize::try_from(identity.size).map_err(|_| OpenError::TooLarge)?;
        let local = storage::is_local(&file);
        match memory::map(&file, size) {
            Ok(map) => {
                let residency = Residency::new(identity.size);
                let first = 0..residency.chunk_len().min(identity.size);
                let content = Content::Mapped {
                    map,
                    file,
                    residency,
                    frames: Box::default(),
                    local,
                };
                let image = Self { identity, content };
                image.bring_in_if_cached(&first, now);
                Ok(image)
            }
            // Some file systems cannot map anything.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NODEV) => {
                Self::copied(&file, |chunk, out| out.extend_from_slice(chunk), budget)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Translates `file`, which is read as a whole.
    pub(super) fn netascii(file: &File, budget: &Arc<Budget>) -> Result<Self, OpenError> {
        Self::copied(file, netascii::encode, budget)
    }

    /// Bytes that a client receives.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::Mapped { .. } => self.identity.size,
            Content::Owned(copied) => copied.bytes.len() as u64,
        }
    }

    /// Address of the byte at `offset`, for the kernel alone. Valid for `size() - offset` bytes as
    /// long as the image lives; the pages behind it may be gone when the file was truncated. An
    /// offset past the end counts as the end.
    #[must_use]
    pub fn address(&self, offset: u64) -> *const u8 {
        let start = match &self.content {
            Content::Mapped { map, .. } => map.as_ptr(),
            Content::Owned(copied) => copied.bytes.as_ptr(),
        };
        // The size fitted an address space when the image was made, so this never cuts a number.
        start.wrapping_add(offset.min(self.size()) as usize)
    }

    /// Whether the file on disk still has the content that was opened (one fstat). A file deleted
    /// or replaced by a rename has: its old bytes are served to the end.
    #[must_use]
    pub fn unchanged(&self) -> bool {
        match &self.content {
            Content::Mapped { file, .. } => {
                Identity::of(file).is_ok_and(|now| self.identity.same_content(&now))
            }
            Content::Owned(_) => true,
        }
    }

    /// Whether [`unchanged`](Self::unchanged) never waits. Otherwise it is for the file threads to
    /// ask: the file lies behind a network or another process.
    #[must_use]
    pub const fn tells_at_once(&self) -> bool {
        match &self.content {
            Content::Mapped { local, .. } => *local,
            Content::Owned(_) => true,
        }
    }

    /// Which storage may hold up what is asked of this file.
    pub(super) const fn lane(&self) -> u64 {
        self.identity.inode.device()
    }

    /// Address and length of the blocks `first..=last` with their headers, where they lie framed
    /// in memory of ours. For the kernel alone, as long as the image lives.
    #[must_use]
    pub fn framed(&self, blksize: u16, first: u64, last: u64) -> Option<(*const u8, usize)> {
        match &self.content {
            Content::Mapped { frames, .. } => frames.blocks(blksize, first, last),
            Content::Owned(_) => None,
        }
    }

    /// Start and length of the piece of memory of ours that holds the frame at `address`: framed
    /// blocks of one size, all of them. For the kernel alone, as long as the image lives.
    #[must_use]
    pub fn frames_around(&self, address: usize) -> Option<(*const u8, usize)> {
        match &self.content {
            Content::Mapped { frames, .. } => frames.around(address),
            Content::Owned(_) => None,
        }
    }

    /// A transfer begins. Says whether the file is to be framed for its block size now.
    pub(super) fn note_transfer(&self, blksize: u16) -> bool {
        match &self.content {
            Content::Mapped { frames, .. } => {
                framed_len(self.identity.size, blksize).is_some() && frames.note_transfer(blksize)
            }
            Content::Owned(_) => false,
        }
    }

    /// Bytes of the frames that are missing for a block size. `None` where there are some, or
    /// cannot be.
    pub(super) fn missing_frames(&self, blksize: u16) -> Option<u64> {
        match &self.content {
            Content::Mapped { frames, .. } if frames.may_take(blksize) => {
                framed_len(self.identity.size, blksize).map(|len| len as u64)
            }
            _ => None,
        }
    }

    /// Lays the file out in frames, in the memory of `share`. May wait for a disk.
    pub(super) fn frame(&self, blksize: u16, share: Share) {
        if let Content::Mapped { file, frames, .. } = &self.content {
            frames.build(file, &self.identity, blksize, share);
        }
    }

    /// Bytes of all its frames.
    pub(super) fn framed_bytes(&self) -> u64 {
        match &self.content {
            Content::Mapped { frames, .. } => frames.bytes(),
            Content::Owned(_) => 0,
        }
    }

    /// Takes the frames away; what was counted of its transfers goes with them. That nobody else
    /// has the image is what makes it safe: sends point into frames.
    pub(super) fn take_frames(&mut self) -> Option<Frames> {
        match &mut self.content {
            Content::Mapped { frames, .. } => Some(core::mem::take(&mut **frames)),
            Content::Owned(_) => None,
        }
    }

    /// The file, where it is open.
    pub(super) const fn file(&self) -> Option<&File> {
        match &self.content {
            Content::Mapped { file, .. } => Some(file),
            Content::Owned(_) => None,
        }
    }

    /// What has to be done before `bytes` can be sent without waiting for a disk.
    pub(super) fn demand(&self, bytes: &Range<u64>, now: Nanos) -> Demand {
        match &self.content {
            Content::Mapped { residency, .. } => residency.demand(bytes, now),
            Content::Owned(_) => Demand::NOTHING,
        }
    }

    /// Brings `bytes` into memory, which may wait for a disk. What fails here is met by the send.
    pub(super) fn bring_in(&self, bytes: &Range<u64>, now: Nanos) {
        if let Content::Mapped {
            map,
            file,
            residency,
            ..
        } = &self.content
        {
            let losses = residency.losses();
            memory::bring_in(map, file, bytes);
            residency.arrived(bytes, losses, now);
        }
    }

    /// The file was opened anew, and may lie where that throws its pages out of memory: FUSE does so
    /// unless the file system asks it not to.
    pub(super) fn opened_anew(&self) {
        if let Content::Mapped {
            residency,
            local: false,
            ..
        } = &self.content
        {
            residency.lost();
        }
    }

    /// `bytes` were to be read ahead and will not be.
    pub(super) fn not_fetched(&self, bytes: &Range<u64>) {
        if let Content::Mapped { residency, .. } = &self.content {
            residency.give_back(bytes);
        }
    }

    fn bring_in_if_cached(&self, bytes: &Range<u64>, now: Nanos) {
        if let Content::Mapped { file, .. } = &self.content
            && memory::is_cached(file, bytes)
        {
            self.bring_in(bytes, now);
        }
    }

    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Memory of our own, beside the page cache.
    pub(super) fn copied_bytes(&self) -> u64 {
        match &self.content {
            Content::Mapped { .. } => 0,
            Content::Owned(copied) => copied.bytes.len() as u64,
        }
    }

    fn copied(
        file: &File,
        translate: super::copy::Translate,
        budget: &Arc<Budget>,
    ) -> Result<Self, OpenError> {
        let (copied, identity) = Copied::read(file, translate, budget)?;
        let content = Content::Owned(copied);
        Ok(Self { identity, content })
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mapped { map, file, .. } => write!(f, "Mapped({} bytes, {file:?})", map.len()),
            Self::Owned(copied) => write!(f, "Owned({} bytes)", copied.bytes.len()),
        }
    }
}
