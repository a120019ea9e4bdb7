//! Buffers for a batch of received datagrams (`recvmmsg`).
//! It never knows what is in them.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::address::{self, NAME_LEN};
use super::backend::{Counters, Event};
use super::control::{CONTROL_LEN, Received};
use super::errqueue;
use super::sockets::Sockets;
use crate::endpoint::{Guess, Peer, SocketId};
use crate::limits::BATCHES_PER_TURN;

/// Datagrams taken by one call.
const BATCH: usize = 64;

/// Aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL_LEN]);

/// Room for a name before its payload: what comes with an ACK lies in one cache line.
const NAME_ROOM: usize = NAME_LEN.next_multiple_of(8);

pub(super) struct Inbox {
    controls: Box<[Control]>,
    /// A slot for each datagram, for its name and its payload, as far apart as `room` asks for.
    bytes: Box<[u8]>,
    /// What a datagram of the socket that was last read may take.
    room: usize,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    /// So many headers must be prepared anew: the kernel wrote to them.
    stale: usize,
    /// Whether they were laid out with room for control messages.
    arrivals: bool,
    /// Who sent the datagrams of the batch, and where their transfers probably are.
    peers: Box<[Option<Peer>]>,
    guesses: Box<[Guess]>,
}

/// What a turn's reading of one socket brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) datagrams: usize,
    /// The socket holds more than these.
    pub(super) behind: bool,
}

impl Inbox {
    /// For sockets of whose datagrams up to `room` bytes are taken.
    pub(super) fn new(room: usize) -> Self {
        let no_iovec = libc::iovec {
            iov_base: core::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: mmsghdr is plain data; all zero is a valid value.
        let no_header: libc::mmsghdr = unsafe { core::mem::zeroed() };
        Self {
            controls: vec![Control([0; CONTROL_LEN]); BATCH].into_boxed_slice(),
            bytes: vec![0; BATCH * stride(room)].into_boxed_slice(),
            // Nothing is laid out yet.
            room: 0,
            iovecs: vec![no_iovec; BATCH].into_boxed_slice(),
            headers: vec![no_header; BATCH].into_boxed_slice(),
            stale: BATCH,
            arrivals: false,
            peers: vec![None; BATCH].into_boxed_slice(),
            guesses: vec![Guess::default(); BATCH].into_boxed_slice(),
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
            match self.receive(fd, role.listens(), sockets.datagram_len(socket)) {
                Ok(count) => {
                    taken.datagrams += count;
                    self.read_names(count);
                    if role.carries_data() {
                        self.foresee(count, socket, on_event);
                    }
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

    fn read_names(&mut self, count: usize) {
        let slots = self.bytes.chunks_exact(stride(self.room));
        let received = self.headers.iter().zip(slots).take(count);
        for ((header, slot), peer) in received.zip(&mut self.peers) {
            let name = slot.get(..header.msg_hdr.msg_namelen as usize);
            *peer = name.and_then(address::decode);
        }
    }

    fn foresee(&mut self, count: usize, socket: SocketId, on_event: &mut dyn FnMut(Event<'_>)) {
        if let (Some(peers), Some(guesses)) =
            (self.peers.get(..count), self.guesses.get_mut(..count))
        {
            on_event(Event::Batch {
                socket,
                peers,
                guesses,
            });
        }
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
    fn receive(&mut self, fd: BorrowedFd<'_>, arrivals: bool, room: usize) -> Result<usize, i32> {
        self.prepare(arrivals, room);
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

    /// The kernel overwrites lengths and flags: those of the headers that it used are set anew.
    fn prepare(&mut self, arrivals: bool, room: usize) {
        if (self.arrivals, self.room) != (arrivals, room) {
            (self.arrivals, self.room) = (arrivals, room);
            self.lay_out();
        }
        for header in self.headers.iter_mut().take(self.stale) {
            let header = &mut header.msg_hdr;
            header.msg_namelen = NAME_LEN as libc::socklen_t;
            header.msg_controllen = if arrivals { CONTROL_LEN as _ } else { 0 };
            header.msg_flags = 0;
        }
    }

    /// Points all headers to their buffers, for the room that the payloads have now.
    fn lay_out(&mut self) {
        self.stale = BATCH;
        let controls = self.controls.iter_mut().zip(&mut self.iovecs);
        let slots = controls.zip(self.bytes.chunks_exact_mut(stride(self.room)));
        for (header, ((control, iovec), slot)) in self.headers.iter_mut().zip(slots) {
            let (name, payload) = slot.split_at_mut(NAME_ROOM);
            iovec.iov_base = payload.as_mut_ptr().cast();
            iovec.iov_len = self.room;
            let header = &mut header.msg_hdr;
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_iov = iovec;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
        }
    }

    /// The first `count` datagrams of the batch.
    fn datagrams(&self, count: usize, socket: SocketId) -> impl Iterator<Item = Event<'_>> {
        let slots = self.bytes.chunks_exact(stride(self.room));
        let slots = self.controls.iter().zip(slots);
        let senders = self.peers.iter().zip(&self.guesses);
        let received = self.headers.iter().zip(slots).zip(senders).take(count);
        let arrival = |control: &Control, len| Received::new(control.0.get(..len)?).arrival();
        received.filter_map(move |((header, (control, slot)), (peer, guess))| {
            let len = header.msg_len as usize;
            let header = &header.msg_hdr;
            let arrivals = self.arrivals.then_some(header.msg_controllen as _);
            Some(Event::Datagram {
                socket,
                peer: (*peer)?,
                local: arrivals.and_then(|len| arrival(control, len)),
                guess: *guess,
                bytes: slot.get(NAME_ROOM..)?.get(..len)?,
                truncated: header.msg_flags & libc::MSG_TRUNC != 0,
            })
        })
    }
}

/// From one slot to the next, for payloads of `room` bytes: an odd number of cache lines. The first lines of all
/// slots, which for ACKs are all that is used, would otherwise share a few places of the cache.
const fn stride(room: usize) -> usize {
    const LINE: usize = 64;
    (NAME_ROOM + room).next_multiple_of(LINE) | LINE
}
