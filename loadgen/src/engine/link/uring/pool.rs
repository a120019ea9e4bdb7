//! What all sockets receive into: the buffers, and how each of them is divided.
//! It never enters the kernel.

use std::io;

use io_uring::squeue::Entry;
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode};

use super::buffers::Buffers;
use crate::engine::link::control::{self, CONTROL_LEN};
use crate::engine::link::inbox::{HEAD_BYTES, TRAIN_BYTES};
use crate::engine::link::name::Name;
use crate::engine::link::{Datagram, Lane, Reading};

/// `io_uring_recvmsg_out`, which the kernel puts before name, control messages and payload.
const PREFIX_LEN: usize = 16;
/// More than an address needs, so that the control messages behind it are aligned.
const NAME_LEN: usize = 32;
/// Buffers for packets, and for trains. Untouched ones cost no memory.
const PACKETS: u16 = 4096;
const TRAINS: u16 = 256;
/// The number under which the ring knows them.
const GROUP: u16 = 0;

pub(super) struct Pool {
    buffers: Buffers,
    /// Only its two lengths count. In place, because the kernel reads it when the receive starts.
    shape: Box<libc::msghdr>,
}

impl Pool {
    pub(super) fn new(reading: Reading) -> io::Result<Self> {
        let (count, payload) = if reading.trains {
            (TRAINS, TRAIN_BYTES)
        } else {
            (PACKETS, reading.largest.max(HEAD_BYTES))
        };
        // SAFETY: all-zero bytes are a valid msghdr.
        let mut shape: libc::msghdr = unsafe { std::mem::zeroed() };
        shape.msg_namelen = NAME_LEN as libc::socklen_t;
        shape.msg_controllen = CONTROL_LEN as _;
        Ok(Self {
            buffers: Buffers::new(count, PREFIX_LEN + NAME_LEN + CONTROL_LEN + payload)?,
            shape: Box::new(shape),
        })
    }

    /// # Safety
    /// The pool must outlive the ring.
    pub(super) unsafe fn register(&self, ring: &IoUring) -> io::Result<()> {
        // SAFETY: passed on to the caller.
        unsafe { self.buffers.register(ring, GROUP) }
    }

    /// Receives until told otherwise. Lengths are those that were sent, whatever fits a buffer.
    pub(super) fn receive(&self, fd: i32) -> Entry {
        opcode::RecvMsgMulti::new(Fd(fd), &raw const *self.shape, GROUP)
            .flags(libc::MSG_TRUNC as u32)
            .build()
    }

    /// Hands over what a completion has brought, and gives its buffer back.
    pub(super) fn complete(
        &mut self,
        lane: Lane,
        completion: &cqueue::Entry,
        take: &mut dyn FnMut(Datagram<'_>),
    ) -> bool {
        let Some(id) = cqueue::buffer_select(completion.flags()) else {
            return false;
        };
        let whole = completion.result() >= 0 && read(lane, self.buffers.filled(id), take).is_some();
        self.buffers.give_back(id);
        whole
    }
}

fn read(lane: Lane, buffer: &[u8], take: &mut dyn FnMut(Datagram<'_>)) -> Option<()> {
    let (prefix, rest) = buffer.split_first_chunk::<PREFIX_LEN>()?;
    let (name, rest) = rest.split_first_chunk::<NAME_LEN>()?;
    let (control, payload) = rest.split_first_chunk::<CONTROL_LEN>()?;
    let word = |at: usize| {
        let bytes = prefix.get(at..at + 4)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*bytes) as usize)
    };
    let (control_len, len) = (word(4)?.min(CONTROL_LEN), word(8)?);
    // SAFETY: `NAME_LEN` bytes are enough for a `Name`, of which every bit pattern is valid.
    let from = unsafe { name.as_ptr().cast::<Name>().read_unaligned() }.get()?;
    // SAFETY: all-zero bytes are a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_control = control.as_ptr().cast_mut().cast();
    header.msg_controllen = control_len as _;
    let (local, segment) = control::read(&header);
    let bytes = payload.get(..len.min(payload.len()))?;
    let datagram = Datagram {
        lane,
        local,
        from,
        bytes,
        len,
    };
    datagram.hand_over(segment, take);
    Some(())
}
