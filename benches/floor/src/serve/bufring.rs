//! A ring of provided buffers: the kernel takes one for each received packet, we give it back.
//! Never moves its memory while the ring exists.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The kernel wants the ring on a page's edge.
#[repr(C, align(4096))]
struct Page([u8; 4096]);

pub struct BufRing {
    pages: Vec<Page>,
    buffers: Vec<u8>,
    buffer_bytes: usize,
    entries: u16,
    tail: u16,
}

impl BufRing {
    /// `entries` is a power of two. Made before the ring, so that it is dropped after it.
    pub fn new(entries: u16, buffer_bytes: usize) -> BufRing {
        assert!(entries.is_power_of_two());
        let pages = (usize::from(entries) * size_of::<BufRingEntry>()).div_ceil(size_of::<Page>());
        BufRing {
            pages: (0..pages).map(|_| Page([0; 4096])).collect(),
            buffers: vec![0; usize::from(entries) * buffer_bytes],
            buffer_bytes,
            entries,
            tail: 0,
        }
    }

    pub fn register(&mut self, ring: &IoUring, group: u16) -> io::Result<()> {
        let at = self.pages.as_mut_ptr() as u64;
        // SAFETY: `at` is page-aligned memory for `entries` entries; the caller keeps us as long as the ring.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(at, self.entries, group, 0)?
        };
        for id in 0..self.entries {
            self.give_back(id);
        }
        self.publish();
        Ok(())
    }

    pub fn buffer(&self, id: u16) -> &[u8] {
        &self.buffers[usize::from(id) * self.buffer_bytes..][..self.buffer_bytes]
    }

    /// Takes effect with the next `publish`.
    pub fn give_back(&mut self, id: u16) {
        let addr = self.buffers[usize::from(id) * self.buffer_bytes..].as_mut_ptr() as u64;
        let slot = usize::from(self.tail & (self.entries - 1));
        // SAFETY: `slot < entries`, and the kernel does not read an entry at or beyond the published tail.
        let entry = unsafe { &mut *self.pages.as_mut_ptr().cast::<BufRingEntry>().add(slot) };
        entry.set_addr(addr);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    pub fn publish(&mut self) {
        // SAFETY: the base is the first entry; the tail in it is an aligned u16 that the kernel reads concurrently,
        // which is why the store is atomic, with release order so that the entries are seen first.
        unsafe {
            let tail = BufRingEntry::tail(self.pages.as_mut_ptr().cast());
            AtomicU16::from_ptr(tail.cast_mut()).store(self.tail, Ordering::Release);
        }
    }
}
