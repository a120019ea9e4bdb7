//! Blocks of a file as they go out, header and content side by side, shared by all clients that use
//! the same block size: a window is one contiguous piece of memory.
//! It never grows beyond its budget; without it the mapping serves as well, at a little more cost.

use core::ops::Range;
use core::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use memmap2::{Advice, MmapMut};

use super::copy::{Budget, Share};
use super::identity::Identity;
use crate::limits::{FRAME_AFTER, FRAMED_BLKSIZE_MIN, FRAMED_BLKSIZES};
use crate::transfer::last_block;
use crate::wire::HEADER_LEN;
use crate::wire::packet::data_header;

/// All blocks of one file in one block size.
#[derive(Debug)]
pub(super) struct Framed {
    memory: MmapMut,
    /// Bytes from one block's header to the next one's.
    stride: usize,
    /// Bytes in all, the short last block with its header included.
    len: usize,
    _share: Share,
}

impl Framed {
    /// Reads `file` into frames. `None` where the budget, the memory or the file does not allow
    /// it: then nothing is lost but the gain.
    fn build(file: &File, identity: &Identity, blksize: u16, budget: &Arc<Budget>) -> Option<Self> {
        let len = framed_len(identity.size, blksize)?;
        let share = budget.take(len as u64).ok()?;
        let mut memory = MmapMut::map_anon(len).ok()?;
        // Fewer page-table entries for the kernel to walk; a wish, no need.
        let _ = memory.advise(Advice::HugePage);
        let stride = usize::from(blksize) + HEADER_LEN;
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
    slots: [Slot; FRAMED_BLKSIZES],
}

#[derive(Debug, Default)]
struct Slot {
    /// 0: free.
    blksize: AtomicU16,
    transfers: AtomicU32,
    framed: OnceLock<Option<Framed>>,
}

impl Frames {
    /// Where the blocks lie framed, if they do.
    pub(super) fn blocks(&self, blksize: u16, first: u64, last: u64) -> Option<(*const u8, usize)> {
        let slot = self.slot(blksize)?;
        let framed = slot.framed.get()?.as_ref()?;
        Some(framed.blocks(first, last))
    }

    /// Start and length of the frames that `address` lies in.
    pub(super) fn around(&self, address: usize) -> Option<(*const u8, usize)> {
        let framed = |slot: &Slot| slot.framed.get()?.as_ref()?.around(address);
        self.slots.iter().find_map(framed)
    }

    /// A transfer with this block size begins. Says whether it is the one at which to build: the
    /// first client may be alone.
    pub(super) fn note_transfer(&self, blksize: u16) -> bool {
        if blksize < FRAMED_BLKSIZE_MIN {
            return false;
        }
        let Some(slot) = self.slot(blksize).or_else(|| self.claim(blksize)) else {
            return false;
        };
        slot.transfers.load(Relaxed) < FRAME_AFTER
            && slot.transfers.fetch_add(1, Relaxed) + 1 == FRAME_AFTER
    }

    /// Builds the form for a block size, which takes a while: not on a shard.
    pub(super) fn build(
        &self,
        file: &File,
        identity: &Identity,
        blksize: u16,
        budget: &Arc<Budget>,
    ) {
        if let Some(slot) = self.slot(blksize) {
            let build = || Framed::build(file, identity, blksize, budget);
            slot.framed.get_or_init(build);
        }
    }

    fn slot(&self, blksize: u16) -> Option<&Slot> {
        let of = |slot: &&Slot| slot.blksize.load(Relaxed) == blksize;
        self.slots.iter().find(of)
    }

    fn claim(&self, blksize: u16) -> Option<&Slot> {
        let free = |slot: &&Slot| {
            let claimed = slot.blksize.compare_exchange(0, blksize, Relaxed, Relaxed);
            // Two shards may claim a slot each for one block size: the first in line is found.
            claimed.is_ok()
        };
        self.slots.iter().find(free)
    }
}

/// Bytes of all frames. `None` for files of more blocks than numbers: which number follows 65,535
/// differs between clients, so frames could not be shared.
fn framed_len(size: u64, blksize: u16) -> Option<usize> {
    let blocks = last_block(size, blksize);
    if blocks > u64::from(u16::MAX) {
        return None;
    }
    usize::try_from(size + blocks * HEADER_LEN as u64).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_run_of_blocks_is_what_would_be_sent() {
        for size in [1, 511, 512, 513, 5_000, 5_120] {
            let content: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
            let (file, identity) = file(&content);
            let frames = built(&file, &identity, 512, &budget(1 << 20));
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
    fn the_second_transfer_with_a_block_size_is_the_one_to_build() {
        let frames = Frames::default();
        let notes: Vec<_> = (0..4).map(|_| frames.note_transfer(1024)).collect();
        assert_eq!(notes, [false, true, false, false]);
        assert!(
            !frames.note_transfer(8),
            "frames of 8 bytes are half headers"
        );
        for blksize in 600..700 {
            frames.note_transfer(blksize);
        }
        let claimed = (600..700).filter(|&blksize| frames.note_transfer(blksize));
        assert_eq!(claimed.count(), FRAMED_BLKSIZES - 1);
    }

    #[test]
    fn a_spent_budget_a_changed_file_and_a_file_of_too_many_blocks_are_not_framed() {
        let (file, identity) = file(&[7; 10_000]);
        let tight = budget(10_000);
        assert!(
            built(&file, &identity, 512, &tight)
                .blocks(512, 1, 1)
                .is_none()
        );
        assert_eq!(tight.used(), 0, "given back");
        file.set_len(9_000).expect("shorter");
        let changed = built(&file, &identity, 512, &budget(1 << 20));
        assert!(changed.blocks(512, 1, 1).is_none());
        assert_eq!(framed_len(512 * 65_535, 512), None);
        assert!(framed_len(512 * 65_535 - 1, 512).is_some());
    }

    #[test]
    fn the_memory_is_given_back() {
        let (file, identity) = file(&[7; 10_000]);
        let budget = budget(1 << 20);
        let frames = built(&file, &identity, 512, &budget);
        assert_eq!(budget.used(), 10_000 + 20 * 4);
        drop(frames);
        assert_eq!(budget.used(), 0);
    }

    fn built(file: &File, identity: &Identity, blksize: u16, budget: &Arc<Budget>) -> Frames {
        let frames = Frames::default();
        frames.note_transfer(blksize);
        frames.build(file, identity, blksize, budget);
        frames
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

    fn budget(limit: u64) -> Arc<Budget> {
        Arc::new(Budget::new(limit))
    }

    fn file(content: &[u8]) -> (File, Identity) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content).expect("written");
        let identity = Identity::of(&file).expect("fstat");
        (file, identity)
    }
}
