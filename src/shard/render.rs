//! Lays messages out as `mmsghdr`, one array for each socket as `sendmmsg` wants them.
//! It never changes what is sent, only how many system calls see it.

use core::ops::Range;

use super::address;
use super::control::Control;
use super::outbox::{IOVECS_PER_BLOCK, Layout, Message};
use super::segmentation::Segmentation;
use crate::endpoint::{Peer, SocketId};

/// What one msghdr sends: datagrams `first..first + count` of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) message: u32,
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Headers grouped by socket, in the order of pushing within each group.
#[derive(Default)]
pub(super) struct Rendered {
    pub(super) headers: Vec<libc::mmsghdr>,
    /// Of the same length as `headers`.
    pub(super) pieces: Vec<Piece>,
    /// Several for a socket where windows that were put off go behind everything else.
    pub(super) runs: Vec<(SocketId, Range<usize>)>,
    /// Datagrams of frames that may not go out as a train; never grows while it is pointed into.
    singles: Vec<libc::iovec>,
    /// Message numbers for each socket; kept for their memory.
    queues: Vec<Vec<u32>>,
}

/// What is to be laid out, and what is known of the routes.
#[derive(Clone, Copy)]
pub(super) struct Sends<'a> {
    pub(super) messages: &'a [Message],
    pub(super) controls: &'a [Control],
    pub(super) segmentation: &'a Segmentation,
    /// Datagrams of all trains, which may have to go out one by one.
    pub(super) singles_max: usize,
}

impl Rendered {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.pieces.clear();
        self.runs.clear();
        self.singles.clear();
    }

    /// The addresses laid down here stay valid while `sends` and `iovecs` are not touched.
    pub(super) fn lay_out(
        &mut self,
        sends: Sends<'_>,
        iovecs: &mut [libc::iovec],
        windows_from: usize,
    ) {
        self.clear();
        self.singles.reserve(sends.singles_max);
        for part in [0..windows_from, windows_from..sends.messages.len()] {
            match only_socket(sends.messages.get(part.clone()).unwrap_or_default()) {
                Some(socket) => self.lay_out_all(socket, part, &sends, iovecs),
                None => self.lay_out_sorted(part, &sends, iovecs),
            }
        }
    }

    /// The usual case: all of them leave from one socket.
    fn lay_out_all(
        &mut self,
        socket: SocketId,
        part: Range<usize>,
        sends: &Sends<'_>,
        iovecs: &mut [libc::iovec],
    ) {
        let start = self.headers.len();
        for (index, message) in (0..).zip(sends.messages).take(part.end).skip(part.start) {
            self.add(index, message, sends, iovecs);
        }
        self.runs.push((socket, start..self.headers.len()));
    }

    fn lay_out_sorted(
        &mut self,
        part: Range<usize>,
        sends: &Sends<'_>,
        iovecs: &mut [libc::iovec],
    ) {
        self.sort_by_socket(part, sends.messages);
        let mut queues = core::mem::take(&mut self.queues);
        for (socket, queue) in (0..).zip(&mut queues) {
            let start = self.headers.len();
            for index in queue.drain(..) {
                if let Some(message) = sends.messages.get(index as usize) {
                    self.add(index, message, sends, iovecs);
                }
            }
            if start < self.headers.len() {
                self.runs
                    .push((SocketId(socket), start..self.headers.len()));
            }
        }
        self.queues = queues;
    }

    fn sort_by_socket(&mut self, part: Range<usize>, messages: &[Message]) {
        for (index, message) in (0..).zip(messages).take(part.end).skip(part.start) {
            let socket = usize::from(message.route.socket.0);
            if socket >= self.queues.len() {
                self.queues.resize_with(socket + 1, Vec::new);
            }
            if let Some(queue) = self.queues.get_mut(socket) {
                queue.push(index);
            }
        }
    }

    #[inline]
    fn add(&mut self, index: u32, message: &Message, sends: &Sends<'_>, all: &mut [libc::iovec]) {
        let iovecs = all.get_mut(message.iovecs()).unwrap_or_default();
        let control = message.control(sends.controls);
        if !goes_whole(message, sends.segmentation) {
            return self.add_singles(index, message, control, iovecs);
        }
        self.headers.push(libc::mmsghdr {
            msg_hdr: header(&message.route.peer, iovecs, control, true),
            msg_len: 0,
        });
        self.pieces.push(Piece {
            message: index,
            first: 0,
            count: message.datagrams,
        });
    }

    /// A train whose datagrams go out one by one.
    fn add_singles(
        &mut self,
        index: u32,
        message: &Message,
        control: Option<&Control>,
        iovecs: &mut [libc::iovec],
    ) {
        for first in 0..message.datagrams {
            let part = part(message, first, iovecs, &mut self.singles);
            self.headers.push(libc::mmsghdr {
                msg_hdr: header(&message.route.peer, part, control, false),
                msg_len: 0,
            });
            self.pieces.push(Piece {
                message: index,
                first,
                count: 1,
            });
        }
    }

    /// The bytes of a send that lie in one piece and go without control messages.
    pub(super) fn plain(&self, position: usize) -> Option<libc::iovec> {
        let header = &self.headers.get(position)?.msg_hdr;
        let plain = header.msg_controllen == 0 && header.msg_iovlen == 1;
        // SAFETY: `lay_out` pointed the header to that many entries, in memory that does not move
        // while it is laid out.
        plain.then(|| unsafe { *header.msg_iov })
    }

    /// One datagram of a train that was laid out whole, ready to be sent alone. `spare` holds what
    /// the header may point to.
    pub(super) fn single(
        &self,
        position: usize,
        (message, control): (&Message, Option<&Control>),
        nth: u32,
        spare: &mut libc::iovec,
    ) -> Option<libc::msghdr> {
        let mut header = self.headers.get(position)?.msg_hdr;
        (header.msg_control, header.msg_controllen) = control_fields(control, false);
        match message.layout {
            Layout::Packet => {}
            Layout::Gathered => {
                header.msg_iov = header.msg_iov.wrapping_add(nth as usize * IOVECS_PER_BLOCK);
                header.msg_iovlen = IOVECS_PER_BLOCK as _;
            }
            Layout::Framed => {
                *spare = frame(spare, message.segment, nth as usize);
                header.msg_iov = spare;
            }
        }
        Some(header)
    }
}

/// The socket of all these messages, if it is one.
fn only_socket(messages: &[Message]) -> Option<SocketId> {
    let socket = messages.first()?.route.socket;
    let is_it = |message: &Message| message.route.socket == socket;
    messages.iter().all(is_it).then_some(socket)
}

/// The one datagram number `nth` of a message.
fn part<'a>(
    message: &Message,
    nth: u32,
    iovecs: &'a mut [libc::iovec],
    singles: &'a mut Vec<libc::iovec>,
) -> &'a mut [libc::iovec] {
    let nth = nth as usize;
    match (message.layout, iovecs.first()) {
        (Layout::Framed, Some(frames)) => {
            let at = singles.len();
            debug_assert!(at < singles.capacity(), "room was made");
            singles.push(frame(frames, message.segment, nth));
            singles.get_mut(at..).unwrap_or_default()
        }
        _ => {
            let start = nth * IOVECS_PER_BLOCK;
            let end = start + IOVECS_PER_BLOCK;
            iovecs.get_mut(start..end).unwrap_or_default()
        }
    }
}

#[inline]
fn goes_whole(message: &Message, segmentation: &Segmentation) -> bool {
    message.segment == 0 || segmentation.allows(message.route.peer.ip(), message.segment)
}

/// Datagram number `nth` of a train that lies in one piece.
fn frame(frames: &libc::iovec, segment: u16, nth: usize) -> libc::iovec {
    let start = (nth * usize::from(segment)).min(frames.iov_len);
    libc::iovec {
        iov_base: frames.iov_base.wrapping_byte_add(start),
        iov_len: (frames.iov_len - start).min(usize::from(segment)),
    }
}

fn header(
    peer: &Peer,
    iovecs: &mut [libc::iovec],
    control: Option<&Control>,
    whole: bool,
) -> libc::msghdr {
    // SAFETY: msghdr is plain data (musl's has private padding); all zero is a valid value.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    let (name, name_len) = address::name(peer);
    header.msg_name = name.cast_mut();
    header.msg_namelen = name_len;
    header.msg_iov = iovecs.as_mut_ptr();
    header.msg_iovlen = iovecs.len() as _;
    (header.msg_control, header.msg_controllen) = control_fields(control, whole);
    header
}

#[cfg(target_env = "gnu")]
type ControlLen = usize;
#[cfg(not(target_env = "gnu"))]
type ControlLen = libc::socklen_t;

fn control_fields(control: Option<&Control>, whole: bool) -> (*mut libc::c_void, ControlLen) {
    let (bytes, len) = control.map_or((core::ptr::null(), 0), |control| control.raw(whole));
    (bytes.cast_mut().cast(), len as ControlLen)
}
