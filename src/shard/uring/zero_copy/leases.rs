//! Pieces of framed images registered with the ring, so that a send need not look their pages up.
//! It never keeps a piece that nothing was sent from for a while: registered memory is pinned.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use io_uring::Submitter;

use crate::files::Image;
use crate::limits::{LEASE_IDLE, LEASE_LEN, LEASES, TRAIN_MAX};
use crate::transfer::Nanos;

/// The registered pieces by their first address.
pub(super) struct Leases {
    pieces: BTreeMap<usize, Piece>,
    free: Vec<u16>,
    sweep_at: Option<Nanos>,
    /// Until the next sweep.
    denied: Option<Denied>,
}

struct Piece {
    end: usize,
    slot: u16,
    image: Arc<Image>,
    /// Since the last sweep.
    used: bool,
}

/// Why nothing is registered at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// Not with messages, it seems.
    Unknown,
    /// `RLIMIT_MEMLOCK`.
    NoMemory,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self {
            pieces: BTreeMap::new(),
            free: (0..LEASES).rev().collect(),
            sweep_at: None,
            denied: None,
        }
    }

    /// The registered buffer that holds `len` bytes at `address`, which are frames of `image`;
    /// `None` where they have to be sent without.
    pub(super) fn find(
        &mut self,
        (address, len): (usize, usize),
        image: &Arc<Image>,
        submitter: &Submitter<'_>,
        now: impl FnOnce() -> Nanos,
    ) -> Result<Option<u16>, Denied> {
        if let Some((_, piece)) = self.pieces.range_mut(..=address).next_back()
            && address + len <= piece.end
        {
            piece.used = true;
            return Ok(Some(piece.slot));
        }
        if self.denied.is_some() {
            return Ok(None);
        }
        self.register(address, image, submitter, now)
    }

    fn register(
        &mut self,
        address: usize,
        image: &Arc<Image>,
        submitter: &Submitter<'_>,
        now: impl FnOnce() -> Nanos,
    ) -> Result<Option<u16>, Denied> {
        let Some((frames, len)) = image.frames_around(address) else {
            return Ok(None);
        };
        let Some(&slot) = self.free.last() else {
            return Ok(None);
        };
        // Pieces overlap by a train, so that each train lies within one of them.
        let offset = (address - frames.addr()) / LEASE_LEN * LEASE_LEN;
        let start = frames.wrapping_byte_add(offset);
        let len = (len - offset).min(LEASE_LEN + TRAIN_MAX);
        if let Err(error) = update(submitter, slot, start, len) {
            let denied = match error.raw_os_error() {
                Some(libc::ENOMEM) => Denied::NoMemory,
                _ => Denied::Unknown,
            };
            self.denied = Some(denied);
            self.sweep_later(now());
            return Err(denied);
        }
        self.free.pop();
        let piece = Piece {
            end: start.addr() + len,
            slot,
            image: Arc::clone(image),
            used: true,
        };
        self.sweep_later(now());
        self.pieces.insert(start.addr(), piece);
        Ok(Some(slot))
    }

    /// The kernel did not take a message from a registered buffer.
    pub(super) fn deny(&mut self, now: Nanos) {
        self.denied = Some(Denied::Unknown);
        self.sweep_later(now);
    }

    fn sweep_later(&mut self, now: Nanos) {
        self.sweep_at.get_or_insert(now + LEASE_IDLE);
    }

    /// When [`sweep`](Self::sweep) is due.
    pub(super) const fn sweep_at(&self) -> Option<Nanos> {
        self.sweep_at
    }

    /// Lets go of what was not used since the last sweep. The kernel keeps its own hold on pages
    /// that it still reads.
    pub(super) fn sweep(&mut self, submitter: &Submitter<'_>, now: Nanos) {
        let free = &mut self.free;
        self.pieces.retain(|_, piece| {
            if core::mem::take(&mut piece.used) {
                return true;
            }
            let gone = update(submitter, piece.slot, core::ptr::null(), 0);
            if gone.is_ok() {
                free.push(piece.slot);
            } else {
                // The slot and the image stay taken, as far as the kernel is concerned.
                core::mem::forget(Arc::clone(&piece.image));
            }
            false
        });
        self.denied = None;
        self.sweep_at = (!self.pieces.is_empty()).then_some(now + LEASE_IDLE);
    }
}

/// Puts memory into a slot of the ring's table, or empties it.
fn update(submitter: &Submitter<'_>, slot: u16, start: *const u8, len: usize) -> io::Result<()> {
    let buffer = libc::iovec {
        iov_base: start.cast_mut().cast(),
        iov_len: len,
    };
    // SAFETY: the memory is mapped, by the image that is kept as long as the slot names it, and
    // nobody writes to it; the kernel pins the pages besides.
    unsafe { submitter.register_buffers_update(u32::from(slot), &[buffer], None) }
}
