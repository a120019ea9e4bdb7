//! Buffers for a batch of received datagrams (`recvmmsg`).
//! It never knows what is in them.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::address::{self, NAME_LEN};
use super::backend::{Counters, Event};
use super::control::{CONTROL_LEN, Received};
use super::errqueue;
use super::sockets::Sockets;
use crate::endpoint::{Peer, SocketId};
use crate::limits::BATCHES_PER_TURN;

/// Datagrams taken by one call.
const BATCH: usize = 64;

/// Aligned as `cmsghdr` wants it; of a size that keeps the next slot aligned.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Slot {
    control: [u8; CONTROL_LEN],
    name: [u8; NAME_LEN],
}

pub(super) struct Inbox {
    slots: Box<[Slot]>,
    /// The slots' payloads, one behind the other, `room` bytes each.
    bytes: Box<[u8]>,
    room: usize,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    /// So many headers must be laid out anew: the kernel wrote to them.
    stale: usize,
    /// Whether they were laid out with room for control messages.
    arrivals: bool,
}

/// What a turn's reading of one socket brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) datagrams: usize,
    /// The socket holds more than these.
    pub(super) behind: bool,
}

impl Inbox {
    /// Takes datagrams of up to `room` bytes whole.
    pub(super) fn new(room: usize) -> Self {
        let room = room.max(1);
        let empty = Slot {
            control: [0; CONTROL_LEN],
            name: [0; NAME_LEN],
        };
        let no_iovec = libc::iovec {
            iov_base: core::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: mmsghdr is plain data; all zero is a valid value.
        let no_header: libc::mmsghdr = unsafe { core::mem::zeroed() };
        Self {
            slots: vec![empty; BATCH].into_boxed_slice(),
            bytes: vec![0; BATCH * room].into_boxed_slice(),
            room,
            iovecs: vec![no_iovec; BATCH].into_boxed_slice(),
            headers: vec![no_header; BATCH].into_boxed_slice(),
            stale: BATCH,
            arrivals: false,
        }
    }

    /// Reports what a socket holds, up to its share of a turn.
    pub(super) fn take(
        &mut self,
        sockets: &Sockets,
        socket: SocketId,
        counters: &mut Counters,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Taken {
        let role = sockets.role(socket);
        let mut taken = Taken::default();
        for _ in 0..BATCHES_PER_TURN {
            let Some(fd) = sockets.fd(socket) else {
                return taken;
            };
            match self.receive(fd, role.listens()) {
                Ok(count) => {
                    taken.datagrams += count;
                    self.report(count, socket, counters, on_event);
                    if count < BATCH {
                        return taken;
                    }
                }
                Err(libc::EAGAIN) => return taken,
                // An ICMP error; the error queue tells whose.
                Err(_) => {
                    counters.receive_errors += 1;
                    if role.carries_data() {
                        errqueue::drain(fd, socket, on_event);
                    }
                }
            }
        }
        taken.behind = taken.datagrams > 0;
        taken
    }

    fn report(
        &self,
        count: usize,
        socket: SocketId,
        counters: &mut Counters,
        on_event: &mut dyn FnMut(Event<'_>),
    ) {
        for event in self.datagrams(count, socket) {
            counters.received(&event);
            on_event(event);
        }
    }

    /// Takes what the socket holds, up to [`BATCH`] datagrams.
    ///
    /// # Errors
    /// The errno; EAGAIN when there is nothing.
    fn receive(&mut self, fd: BorrowedFd<'_>, arrivals: bool) -> Result<usize, i32> {
        self.prepare(arrivals);
        // SAFETY: each header describes buffers of its own slot, alive and borrowed by no one.
        let result = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                core::ptr::null_mut(),
            )
        };
        let count = usize::try_from(result).map_err(|_| super::last_errno());
        self.stale = count.unwrap_or(BATCH);
        count
    }

    /// The kernel overwrites lengths, so the headers that it used are laid out anew.
    fn prepare(&mut self, arrivals: bool) {
        if self.arrivals != arrivals {
            self.arrivals = arrivals;
            self.stale = BATCH;
        }
        let slots = self.slots.iter_mut().zip(&mut self.iovecs);
        let slots = slots.zip(self.bytes.chunks_exact_mut(self.room));
        let headers = self.headers.iter_mut().zip(slots);
        for (header, ((slot, iovec), bytes)) in headers.take(self.stale) {
            iovec.iov_base = bytes.as_mut_ptr().cast();
            iovec.iov_len = bytes.len();
            let header = &mut header.msg_hdr;
            header.msg_name = slot.name.as_mut_ptr().cast();
            header.msg_namelen = NAME_LEN as libc::socklen_t;
            header.msg_iov = iovec;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.as_mut_ptr().cast();
            header.msg_controllen = if arrivals { CONTROL_LEN as _ } else { 0 };
            header.msg_flags = 0;
        }
    }

    /// The first `count` datagrams of the batch.
    fn datagrams(&self, count: usize, socket: SocketId) -> impl Iterator<Item = Event<'_>> {
        let slots = self.slots.iter().zip(self.bytes.chunks_exact(self.room));
        let received = self.headers.iter().zip(slots).take(count);
        received.filter_map(move |(header, (slot, bytes))| {
            let len = header.msg_len as usize;
            let header = &header.msg_hdr;
            let name = slot.name.get(..header.msg_namelen as usize)?;
            let control = slot.control.get(..header.msg_controllen as _)?;
            Some(Event::Datagram {
                socket,
                peer: Peer::from(address::decode(name)?),
                local: Received::new(control).arrival(),
                bytes: bytes.get(..len)?,
                truncated: header.msg_flags & libc::MSG_TRUNC != 0,
            })
        })
    }
}
