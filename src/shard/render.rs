//! Lays messages out as `mmsghdr`, one array for each socket as `sendmmsg` wants them.
//! It never changes what is sent, only how many system calls see it.

use core::ops::Range;

use super::outbox::Message;
use super::segmentation::Segmentation;
use crate::endpoint::SocketId;

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
    pub(super) runs: Vec<(SocketId, Range<usize>)>,
    /// Message numbers for each socket; kept for their memory.
    queues: Vec<Vec<u32>>,
}

impl Rendered {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.pieces.clear();
        self.runs.clear();
    }

    /// The addresses laid down here stay valid while `messages` and `iovecs` are not touched.
    pub(super) fn lay_out(
        &mut self,
        messages: &[Message],
        iovecs: &mut [libc::iovec],
        segmentation: &Segmentation,
    ) {
        self.clear();
        self.sort_by_socket(messages);
        let mut queues = core::mem::take(&mut self.queues);
        for (socket, queue) in (0..).zip(&mut queues) {
            let start = self.headers.len();
            for index in queue.drain(..) {
                let Some(message) = messages.get(index as usize) else {
                    continue;
                };
                self.add(index, message, iovecs, segmentation);
            }
            if start < self.headers.len() {
                self.runs
                    .push((SocketId(socket), start..self.headers.len()));
            }
        }
        self.queues = queues;
    }

    fn sort_by_socket(&mut self, messages: &[Message]) {
        for (index, message) in (0..).zip(messages) {
            let socket = usize::from(message.route.socket.0);
            if socket >= self.queues.len() {
                self.queues.resize_with(socket + 1, Vec::new);
            }
            if let Some(queue) = self.queues.get_mut(socket) {
                queue.push(index);
            }
        }
    }

    fn add(
        &mut self,
        index: u32,
        message: &Message,
        iovecs: &mut [libc::iovec],
        segmentation: &Segmentation,
    ) {
        let whole =
            message.segment == 0 || segmentation.allows(message.route.peer.ip(), message.segment);
        let step = if whole { message.datagrams } else { 1 };
        let mut first = 0;
        while first < message.datagrams {
            let piece = Piece {
                message: index,
                first,
                count: step,
            };
            self.headers.push(libc::mmsghdr {
                msg_hdr: header(message, &piece, iovecs),
                msg_len: 0,
            });
            self.pieces.push(piece);
            first += step;
        }
    }

    /// One datagram of a piece, ready to be sent alone.
    pub(super) fn single(
        &self,
        position: usize,
        message: &Message,
        nth: u32,
    ) -> Option<libc::msghdr> {
        let mut header = self.headers.get(position)?.msg_hdr;
        (header.msg_control, header.msg_controllen) = control(message, false);
        if message.owner.is_some() {
            header.msg_iov = header.msg_iov.wrapping_add(nth as usize * IOVECS_PER_BLOCK);
            header.msg_iovlen = IOVECS_PER_BLOCK as _;
        }
        Some(header)
    }
}

const IOVECS_PER_BLOCK: usize = 2;

fn header(message: &Message, piece: &Piece, iovecs: &mut [libc::iovec]) -> libc::msghdr {
    let (start, end) = message.iovecs;
    let whole = piece.count == message.datagrams;
    let (from, len) = if whole {
        (start, end - start)
    } else {
        (
            start + piece.first as usize * IOVECS_PER_BLOCK,
            IOVECS_PER_BLOCK,
        )
    };
    let iovecs = iovecs.get_mut(from..from + len).unwrap_or_default();
    let (control, controllen) = control(message, whole);
    // SAFETY: msghdr is plain data (musl's has private padding); all zero is a valid value.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_name = message.name.as_ptr().cast_mut();
    header.msg_namelen = message.name.len();
    header.msg_iov = iovecs.as_mut_ptr();
    header.msg_iovlen = iovecs.len() as _;
    header.msg_control = control;
    header.msg_controllen = controllen;
    header
}

#[cfg(target_env = "gnu")]
type ControlLen = usize;
#[cfg(not(target_env = "gnu"))]
type ControlLen = libc::socklen_t;

fn control(message: &Message, whole: bool) -> (*mut libc::c_void, ControlLen) {
    let (bytes, len) = message.control.raw(whole);
    (bytes.cast_mut().cast(), len as ControlLen)
}
