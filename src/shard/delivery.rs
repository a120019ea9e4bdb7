//! What follows when the kernel does not take a message: again, in smaller pieces, later or never.
//! It never waits; both backends use it and differ only in how they make the first attempt.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::backend::{Counters, Event};
use super::backlog::{Backlog, Waiting};
use super::errqueue;
use super::options;
use super::outbox::{Message, Outbox};
use super::render::Piece;
use super::segmentation::Segmentation;

/// Errors of other peers that may be pending on a socket when we send: each attempt takes one.
const ATTEMPTS: u32 = 3;

/// The state behind all sends of one shard.
#[derive(Default)]
pub(super) struct Delivery {
    pub(super) segmentation: Segmentation,
    pub(super) backlog: Backlog,
    pub(super) counters: Counters,
}

/// A laid-out message that was not sent, and where.
#[derive(Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) fd: BorrowedFd<'a>,
    pub(super) outbox: &'a Outbox,
    /// Its place among the laid-out headers.
    pub(super) position: usize,
    pub(super) errno: i32,
}

impl Delivery {
    /// A laid-out message went out.
    pub(super) fn sent(&mut self, piece: Piece) {
        self.counters.messages_sent += 1;
        self.counters.datagrams_sent += u64::from(piece.count);
    }

    /// A laid-out message did not go out: does what can still be done in this turn.
    pub(super) fn failed(&mut self, failure: Failure<'_>, on_event: &mut dyn FnMut(Event<'_>)) {
        let rendered = failure.outbox.rendered();
        let (Some(&piece), Some(header)) = (
            rendered.pieces.get(failure.position),
            rendered.headers.get(failure.position),
        ) else {
            return;
        };
        let Some(message) = failure.outbox.message(piece.message) else {
            return;
        };
        let errno = match second_attempt(&failure, message, &header.msg_hdr, on_event) {
            Ok(()) => return self.sent(piece),
            Err(errno) => errno,
        };
        if piece.count > 1 && refuses_segmentation(errno) {
            self.send_singly(&failure, message, piece, errno, on_event);
        } else {
            self.settle(failure.outbox, message, piece, errno, on_event);
        }
    }

    /// Puts a laid-out message off until its socket has room.
    pub(super) fn put_off(&mut self, outbox: &Outbox, position: usize) {
        if let Some(&piece) = outbox.rendered().pieces.get(position)
            && let Some(message) = outbox.message(piece.message)
        {
            self.put_off_piece(outbox, message, piece);
        }
    }

    /// The kernel will not cut this train: sends its datagrams one by one, and remembers.
    fn send_singly(
        &mut self,
        failure: &Failure<'_>,
        message: &Message,
        piece: Piece,
        errno: i32,
        on_event: &mut dyn FnMut(Event<'_>),
    ) {
        let peer = message.route.peer.ip();
        self.segmentation.refuse(peer, message.segment, errno);
        self.counters.gso_fallbacks += 1;
        let rendered = failure.outbox.rendered();
        let control = message.control(failure.outbox.controls());
        for nth in 0..piece.count {
            let mut spare = failure.outbox.train(message);
            let single = rendered.single(failure.position, (message, control), nth, &mut spare);
            let Some(header) = single else {
                return;
            };
            let one = Piece {
                first: piece.first + nth,
                count: 1,
                ..piece
            };
            match try_again(failure.fd, &header) {
                Ok(()) => self.sent(one),
                Err(errno) => {
                    // What one block meets, those behind it would meet as well.
                    let rest = Piece {
                        count: piece.count - nth,
                        ..one
                    };
                    return self.settle(failure.outbox, message, rest, errno, on_event);
                }
            }
        }
    }

    /// The last word on a piece that could not be sent.
    fn settle(
        &mut self,
        outbox: &Outbox,
        message: &Message,
        piece: Piece,
        errno: i32,
        on_event: &mut dyn FnMut(Event<'_>),
    ) {
        match errno {
            libc::EAGAIN => self.put_off_piece(outbox, message, piece),
            // A device's queue overflowed. Sending again at once would only feed it.
            libc::ENOBUFS => self.counters.lost += 1,
            _ => {
                self.counters.send_errors += 1;
                if let Some((ticket, blocks)) = message.blocks(piece.first, piece.count) {
                    on_event(Event::SendFailed {
                        ticket,
                        blocks,
                        unreadable: errno == libc::EFAULT,
                        errno,
                    });
                }
            }
        }
    }

    fn put_off_piece(&mut self, outbox: &Outbox, message: &Message, piece: Piece) {
        self.counters.congested += 1;
        let waiting = match message.blocks(piece.first, piece.count) {
            Some((ticket, blocks)) => Some(Waiting::Blocks(ticket, blocks)),
            None => outbox
                .packet(message)
                .map(|bytes| Waiting::Packet(message.route, bytes.into())),
        };
        let kept = waiting.is_some_and(|it| self.backlog.put_off(message.route.socket, it));
        if !kept {
            self.counters.lost += 1;
        }
    }
}

/// An ICMP error is reported to whoever uses the socket next, whatever the destination.
const fn may_be_of_another_peer(errno: i32) -> bool {
    !matches!(errno, libc::EAGAIN | libc::EFAULT | libc::ENOBUFS)
}

/// EIO: no checksum offload, or IPsec. EINVAL, EMSGSIZE: a segment larger than the route's MTU.
const fn refuses_segmentation(errno: i32) -> bool {
    matches!(errno, libc::EIO | libc::EINVAL | libc::EMSGSIZE)
}

/// Sends anew what may have failed for an error that was pending, or for the packet's length.
fn second_attempt(
    failure: &Failure<'_>,
    message: &Message,
    header: &libc::msghdr,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<(), i32> {
    if !may_be_of_another_peer(failure.errno) {
        return Err(failure.errno);
    }
    errqueue::drain(failure.fd, message.route.socket, on_event);
    match try_again(failure.fd, header) {
        Err(libc::EMSGSIZE) if options::let_fragment(failure.fd).is_ok() => {
            try_again(failure.fd, header)
        }
        result => result,
    }
}

fn try_again(fd: BorrowedFd<'_>, header: &libc::msghdr) -> Result<(), i32> {
    let mut errno = 0;
    for _ in 0..ATTEMPTS {
        // SAFETY: the header was laid out by a sealed outbox that is still borrowed, so everything
        // that it points to is alive; file pages that are gone give EFAULT.
        let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), header, libc::MSG_DONTWAIT) };
        if sent >= 0 {
            return Ok(());
        }
        errno = super::last_errno();
        if !may_be_of_another_peer(errno) {
            break;
        }
    }
    Err(errno)
}
