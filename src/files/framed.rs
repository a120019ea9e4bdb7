//! Blocks of a file as they go out, header and content side by side, shared by all clients that use
//! the same block size: a window is one contiguous piece of memory.
//! It never grows beyond its budget; without it the mapping serves as well, at a little more cost.

use core::ops::Range;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use crossbeam::utils::CachePadded;
use memmap2::{Advice, MmapMut};

use super::copy::Share;
use super::identity::Identity;
use crate::limits::{FRAME_AFTER, FRAME_AGAIN, FRAMED_BLKSIZE_MIN, FRAMED_BLKSIZES};
use crate::transfer::last_block;
use crate::wire::HEADER_LEN;
use crate::wire::packet::data_header;

/// All blocks of one file in one block size.
#[derive(Debug)]
struct Framed {
    memory: MmapMut,
    /// Bytes from one block's header to the next one's.
    stride: usize,
    /// Bytes in all, the short last block with its header included.
    len: usize,
    _share: Share,
}

impl Framed {
    /// Reads `file` into frames. `None` where the memory or the file does not allow it: then nothing
    /// is lost but the gain.
    fn build(file: &File, identity: &Identity, blksize: u16, share: Share) -> Option<Self> {
        let len = framed_len(identity.size, blksize)?;
        let mut memory = MmapMut::map_anon(len).ok()?;
        // Fewer page-table entries for the kernel to walk; a wish, no need.
        let _ = memory.advise(Advice::HugePage);
        let stride = stride(blksize);
        let mut offset = 0;
        for (number, frame) in (1_u16..=u16::MAX).zip(memory.chunks_mut(stride)) {
            let (header, content) = frame.split_at_mut(HEADER_LEN);
            header.copy_from_slice(&data_header(number));
            file.read_exact_at(content, offset).ok()?;
            offset += content.len() as u64;
        }
        let unchanged = Identity::of(file).is_ok_and(|now| identity.same_content(&now));
        unchanged.then_some(Self {
            memory,
            stride,
            len,
            _share: share,
        })
    }

    /// All of it, if `address` lies within.
    fn around(&self, address: usize) -> Option<(*const u8, usize)> {
        let start = self.memory.as_ptr();
        let inside = (start.addr()..start.addr() + self.len).contains(&address);
        inside.then_some((start, self.len))
    }

    /// Address and length of the blocks `first..=last`, headers included.
    fn blocks(&self, first: u64, last: u64) -> (*const u8, usize) {
        let start = |block: u64| {
            let frames = usize::try_from(block.saturating_sub(1)).unwrap_or(usize::MAX);
            frames.saturating_mul(self.stride).min(self.len)
        };
        let Range { start, end } = start(first)..start(last + 1);
        (self.memory.as_ptr().wrapping_add(start), end - start)
    }
}

/// The framed forms of one file, one for each block size that is in use by several clients.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Filled from the first on. They stay as long as anybody else has the image: sends point into
    /// them.
    framed: [OnceLock<Framed>; FRAMED_BLKSIZES],
    /// Written to by transfers that begin, so on other lines than what every packet reads.
    wishes: CachePadded<[Wish; FRAMED_BLKSIZES]>,
}

/// A block size that is not framed, and how many transfers had it.
#[derive(Debug, Default)]
struct Wish {
    /// 0: free.
    blksize: AtomicU16,
    transfers: AtomicU32,
}

impl Frames {
    /// Where the blocks lie framed, if they do.
    pub(super) fn blocks(&self, blksize: u16, first: u64, last: u64) -> Option<(*const u8, usize)> {
        let framed = self.of(blksize)?;
        Some(framed.blocks(first, last))
    }

    /// Start and length of the frames that `address` lies in.
    pub(super) fn around(&self, address: usize) -> Option<(*const u8, usize)> {
        self.all().find_map(|framed| framed.around(address))
    }

    /// Bytes of all forms together.
    pub(super) fn bytes(&self) -> u64 {
        self.all().map(|framed| framed.len as u64).sum()
    }

    /// Whether there are none for this block size, and may be some.
    pub(super) fn may_take(&self, blksize: u16) -> bool {
        let room = self.framed.last().is_some_and(|last| last.get().is_none());
        room && blksize >= FRAMED_BLKSIZE_MIN && self.of(blksize).is_none()
    }

    /// A transfer with this block size begins. Says whether it is one at which to build: the first
    /// client may be alone, and what was refused once is tried again, but not for each.
    pub(super) fn note_transfer(&self, blksize: u16) -> bool {
        if !self.may_take(blksize) {
            return false;
        }
        let wish = self.wish(blksize).or_else(|| self.claim(blksize));
        let before = wish.map(|wish| wish.transfers.fetch_add(1, Relaxed));
        let since = before.and_then(|before| before.wrapping_add(1).checked_sub(FRAME_AFTER));
        since.is_some_and(|since| since.is_multiple_of(FRAME_AGAIN))
    }

    /// Builds the form for a block size in the memory of `share`, which takes a while: not on a
    /// shard, and never twice at a time.
    pub(super) fn build(&self, file: &File, identity: &Identity, blksize: u16, share: Share) {
        let mut built = Framed::build(file, identity, blksize, share);
        for slot in &self.framed {
            let Some(framed) = built else { return };
            built = slot.set(framed).err();
        }
    }

    fn all(&self) -> impl Iterator<Item = &Framed> {
        self.framed.iter().map_while(OnceLock::get)
    }

    fn of(&self, blksize: u16) -> Option<&Framed> {
        let stride = stride(blksize);
        self.all().find(|framed| framed.stride == stride)
    }

    fn wish(&self, blksize: u16) -> Option<&Wish> {
        let of = |wish: &&Wish| wish.blksize.load(Relaxed) == blksize;
        self.wishes.iter().find(of)
    }

    /// A place to count a block size: a free one, or that of the one which the fewest transfers had.
    /// Two shards that come at once may miscount, which costs nobody anything.
    fn claim(&self, blksize: u16) -> Option<&Wish> {
        let transfers = |wish: &&Wish| wish.transfers.load(Relaxed);
        let wish = self.wishes.iter().min_by_key(transfers)?;
        wish.blksize.store(blksize, Relaxed);
        wish.transfers.store(0, Relaxed);
        Some(wish)
    }
}

const fn stride(blksize: u16) -> usize {
    blksize as usize + HEADER_LEN
}

/// Bytes of all frames. `None` for files of more blocks than numbers: which number follows 65,535
/// differs between clients, so frames could not be shared.
pub(super) fn framed_len(size: u64, blksize: u16) -> Option<usize> {
    let blocks = last_block(size, blksize);
    if blocks > u64::from(u16::MAX) {
        return None;
    }
    usize::try_from(size + blocks * HEADER_LEN as u64).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::files::copy::Budget;

    #[test]
    fn every_run_of_blocks_is_what_would_be_sent() {
        for size in [1, 511, 512, 513, 5_000, 5_120] {
            let content: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
            let (file, identity) = file(&content);
            let frames = built(&file, &identity, 512, &budget());
            let last = size as u64 / 512 + 1;
            for first in 1..=last {
                for end in first..=last {
                    let (address, len) = frames.blocks(512, first, end).expect("framed");
                    // SAFETY: the frames are alive, and their memory is ours alone.
                    let bytes = unsafe { core::slice::from_raw_parts(address, len) };
                    assert_eq!(bytes, packets(&content, first, end));
                }
            }
        }
    }

    #[test]
    fn the_second_transfer_with_a_block_size_is_one_to_build_and_every_16th_after_it() {
        let frames = Frames::default();
        let builds = (1..40).filter(|_| frames.note_transfer(1024));
        assert_eq!(builds.count(), 3);
        let frames = Frames::default();
        let builds: Vec<_> = (1..40).filter(|_| frames.note_transfer(1024)).collect();
        assert_eq!(builds, [2, 18, 34]);
        assert!(
            (0..40).all(|_| !frames.note_transfer(8)),
            "frames of 8 bytes are half headers"
        );
    }

    #[test]
    fn what_is_framed_is_not_built_again_nor_more_than_there_is_room_for() {
        let (file, identity) = file(&[7; 10_000]);
        let frames = Frames::default();
        for blksize in (512..).take(FRAMED_BLKSIZES) {
            assert!(frames.may_take(blksize));
            frames.build(&file, &identity, blksize, share(&budget()));
            assert!((0..40).all(|_| !frames.note_transfer(blksize)));
            assert!(frames.blocks(blksize, 1, 2).is_some());
        }
        assert!((0..40).all(|_| !frames.note_transfer(1024)));
    }

    #[test]
    fn odd_clients_do_not_keep_a_farm_s_block_size_from_being_counted() {
        let frames = Frames::default();
        for blksize in (600..).take(FRAMED_BLKSIZES) {
            frames.note_transfer(blksize);
            frames.note_transfer(blksize);
        }
        for odd in 700..800 {
            frames.note_transfer(odd);
        }
        assert!(!frames.note_transfer(1024));
        assert!(frames.note_transfer(1024));
    }

    #[test]
    fn a_changed_file_and_a_file_of_too_many_blocks_are_not_framed() {
        let (file, identity) = file(&[7; 10_000]);
        file.set_len(9_000).expect("shorter");
        let budget = budget();
        let changed = built(&file, &identity, 512, &budget);
        assert!(changed.blocks(512, 1, 1).is_none());
        assert_eq!(budget.used(), 0, "given back");
        assert_eq!(framed_len(512 * 65_535, 512), None);
        assert!(framed_len(512 * 65_535 - 1, 512).is_some());
    }

    #[test]
    fn the_memory_is_given_back() {
        let (file, identity) = file(&[7; 10_000]);
        let budget = budget();
        let frames = built(&file, &identity, 512, &budget);
        assert_eq!(frames.bytes(), 10_000 + 20 * 4);
        assert_eq!(budget.used(), frames.bytes());
        drop(frames);
        assert_eq!(budget.used(), 0);
    }

    fn built(file: &File, identity: &Identity, blksize: u16, budget: &Arc<Budget>) -> Frames {
        let frames = Frames::default();
        frames.build(file, identity, blksize, share(budget));
        frames
    }

    fn share(budget: &Arc<Budget>) -> Share {
        budget.take(10_000 + 20 * 4).expect("room")
    }

    fn packets(content: &[u8], first: u64, last: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in first..=last {
            let start = (block as usize - 1) * 512;
            bytes.extend_from_slice(&data_header(block as u16));
            bytes.extend_from_slice(&content[start..content.len().min(start + 512)]);
        }
        bytes
    }

    fn budget() -> Arc<Budget> {
        Arc::new(Budget::new(1 << 20))
    }

    fn file(content: &[u8]) -> (File, Identity) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("written");
        let identity = Identity::of(&file).expect("fstat");
        (file, identity)
    }
}
