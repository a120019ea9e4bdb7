//! Receive buffers shared with the kernel, for one socket: a ring of free ones, the kernel takes.
//! It never reads a buffer that the kernel still owns: a completion names the one it gives up.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use memmap2::MmapMut;

pub(super) struct Buffers {
    memory: MmapMut,
    /// A power of two.
    count: u16,
    size: usize,
    /// Free buffers handed to the kernel so far.
    tail: u16,
}

impl Buffers {
    pub(super) fn new(count: u16, size: usize) -> io::Result<Self> {
        let count = count.next_power_of_two();
        let size = size.next_multiple_of(64);
        let memory = MmapMut::map_anon(usize::from(count) * (size_of::<BufRingEntry>() + size))?;
        let mut buffers = Self {
            memory,
            count,
            size,
            tail: 0,
        };
        for id in 0..count {
            buffers.give_back(id);
        }
        Ok(buffers)
    }

    /// # Safety
    /// The buffers must outlive the ring.
    pub(super) unsafe fn register(&self, ring: &IoUring, group: u16) -> io::Result<()> {
        let addr = self.memory.as_ptr().addr() as u64;
        // SAFETY: the mapping begins with `count` entries on a page boundary; the caller keeps it.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(addr, self.count, group, 0)
        }
    }

    /// A buffer that a completion has just named.
    pub(super) fn filled(&self, id: u16) -> &[u8] {
        let from = self.offset(id);
        self.memory.get(from..from + self.size).unwrap_or(&[])
    }

    /// Lets the kernel fill a buffer (again).
    pub(super) fn give_back(&mut self, id: u16) {
        if id >= self.count {
            return;
        }
        let base: *mut BufRingEntry = self.memory.as_mut_ptr().cast();
        let slot = usize::from(self.tail & (self.count - 1));
        let addr = base.cast::<u8>().wrapping_add(self.offset(id)).addr() as u64;
        // SAFETY: `slot` is below `count`, so the entry lies within the mapping, which is aligned
        // to a page. The kernel reads an entry only once the tail has passed it.
        let entry = unsafe { &mut *base.add(slot) };
        entry.set_addr(addr);
        entry.set_len(u32::try_from(self.size).unwrap_or(u32::MAX));
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies within the first entry, which is mapped and initialised.
        let tail: *mut u16 = unsafe { BufRingEntry::tail(base) }.cast_mut();
        // SAFETY: it is a valid, aligned u16 that only we write.
        unsafe { AtomicU16::from_ptr(tail) }.store(self.tail, Ordering::Release);
    }

    const fn offset(&self, id: u16) -> usize {
        self.count as usize * size_of::<BufRingEntry>() + id as usize * self.size
    }
}
