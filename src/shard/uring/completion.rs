//! What follows from each completion.
//! It never enters the kernel by way of the ring; that is the turn's business.

use std::io;

use io_uring::squeue::Entry;
use io_uring::types::Fixed;
use io_uring::{cqueue, opcode};

use super::port::Port;
use super::setup::Slots;
use super::tag::Tag;
use super::zero_copy::ZeroCopy;
use crate::endpoint::SocketId;
use crate::limits::RECEIVE_FAILURES;
use crate::shard::backend::Event;
use crate::shard::delivery::{Delivery, Failure};
use crate::shard::errqueue;
use crate::shard::outbox::Outbox;
use crate::shard::sockets::Sockets;
use crate::shard::waker::Waker;

/// Everything beside the ring itself.
pub(super) struct State {
    pub(super) ports: Vec<Port>,
    pub(super) sockets: Sockets,
    pub(super) waker: Waker,
    pub(super) watching_waker: bool,
    pub(super) delivery: Delivery,
    pub(super) zero_copy: ZeroCopy,
    /// Sends of this turn that have not completed.
    pub(super) in_flight: usize,
    /// Receives that failed in a row.
    pub(super) receive_failures: u32,
    /// Since it was last reset: something happened that the turn is to end for.
    pub(super) eventful: bool,
    /// Since it was last reset: the kernel let go of a send's bytes.
    pub(super) released: bool,
}

impl State {
    /// The next request that should be pending and is not.
    pub(super) fn next_to_arm(&mut self) -> Option<Entry> {
        if !self.watching_waker {
            self.watching_waker = true;
            let slot = Slots::of(&self.ports).waker();
            let poll = opcode::PollAdd::new(Fixed(slot), libc::POLLIN as u32).multi(true);
            return Some(poll.build().user_data(Tag::Wake.pack()));
        }
        (0..).zip(&mut self.ports).find_map(|(id, port)| {
            let socket = SocketId(id);
            port.next_to_arm(socket, self.delivery.backlog.is_full(socket))
        })
    }

    pub(super) fn complete(
        &mut self,
        completion: &cqueue::Entry,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        self.note_end(completion);
        let tag = Tag::unpack(completion.user_data());
        let send = matches!(tag, Some(Tag::Send(_) | Tag::ZeroCopy(_)));
        let released = cqueue::notif(completion.flags());
        self.eventful |= !send || completion.result() < 0 && !released;
        match tag {
            Some(Tag::Receive(socket)) => return self.received(socket, completion, on_event),
            Some(Tag::Send(position)) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.sent(position as usize, completion.result(), outbox, on_event);
            }
            Some(Tag::ZeroCopy(flight)) => {
                self.sent_without_copy(flight, completion, outbox, on_event);
            }
            Some(Tag::Room(socket)) => self.delivery.backlog.writable(socket, on_event),
            Some(Tag::Wake) => {
                self.waker.clear();
                on_event(Event::Woken);
            }
            Some(Tag::Cancel) | None => {}
        }
        Ok(())
    }

    /// A multishot request without a successor must be armed again.
    pub(super) fn note_end(&mut self, completion: &cqueue::Entry) {
        if cqueue::more(completion.flags()) {
            return;
        }
        let tag = Tag::unpack(completion.user_data());
        match tag {
            Some(Tag::ZeroCopy(flight)) if cqueue::notif(completion.flags()) => {
                let counters = &mut self.delivery.counters;
                self.zero_copy
                    .released(flight, completion.result(), counters);
            }
            Some(Tag::Receive(socket)) => self.edit(socket, |port| port.receiving = false),
            Some(Tag::Room(socket)) => self.edit(socket, |port| port.watching_room = false),
            Some(Tag::Wake) => self.watching_waker = false,
            _ => {}
        }
    }

    fn edit(&mut self, socket: SocketId, change: impl FnOnce(&mut Port)) {
        if let Some(port) = self.ports.get_mut(usize::from(socket.0)) {
            change(port);
        }
    }

    fn received(
        &mut self,
        socket: SocketId,
        completion: &cqueue::Entry,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        let Some(port) = self.ports.get_mut(usize::from(socket.0)) else {
            return Ok(());
        };
        let counters = &mut self.delivery.counters;
        if let Some(event) = port.datagram(socket, completion) {
            counters.received(&event);
            on_event(event);
        }
        port.given += usize::from(completion.result() >= 0);
        port.recycle(completion);
        match -completion.result() {
            libc::ENOBUFS => counters.buffers_exhausted += 1,
            errno @ 1.. if errno != libc::ECANCELED => {
                counters.receive_errors += 1;
                match self.drain_errors(socket, on_event) {
                    0 => return self.note_failure(errno),
                    _ => self.receive_failures = 0,
                }
            }
            _ => self.receive_failures = 0,
        }
        Ok(())
    }

    /// No ICMP error explains it, of which any number may come: a receive that never succeeds would
    /// keep us spinning.
    fn note_failure(&mut self, errno: i32) -> io::Result<()> {
        self.receive_failures += 1;
        if self.receive_failures > RECEIVE_FAILURES {
            return Err(io::Error::from_raw_os_error(errno));
        }
        Ok(())
    }

    fn sent(
        &mut self,
        position: usize,
        result: i32,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) {
        let Some(&piece) = outbox.rendered().pieces.get(position) else {
            return;
        };
        if result >= 0 {
            return self.delivery.sent(piece);
        }
        let socket = outbox
            .message(piece.message)
            .map(|message| message.route.socket);
        if let Some(fd) = socket.and_then(|socket| self.sockets.fd(socket)) {
            let failure = Failure {
                fd,
                outbox,
                position,
                errno: -result,
            };
            self.delivery.failed(failure, on_event);
        }
    }

    fn sent_without_copy(
        &mut self,
        flight: u32,
        completion: &cqueue::Entry,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) {
        if cqueue::notif(completion.flags()) {
            self.released = true;
            return;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        let counters = &mut self.delivery.counters;
        if let Some((position, errno)) = self.zero_copy.taken(flight, completion, counters) {
            self.sent(position as usize, -errno, outbox, on_event);
        }
    }

    /// Says how many ICMP errors the socket had.
    fn drain_errors(&self, socket: SocketId, on_event: &mut dyn FnMut(Event<'_>)) -> u32 {
        let data = self
            .ports
            .get(usize::from(socket.0))
            .is_some_and(Port::carries_data);
        match self.sockets.fd(socket).filter(|_| data) {
            Some(fd) => errqueue::drain(fd, socket, on_event),
            None => 0,
        }
    }

    /// Open sockets that only receive requests.
    pub(super) fn listeners(&self) -> impl Iterator<Item = SocketId> + '_ {
        let ports = (0..).map(SocketId).zip(&self.ports);
        ports.filter_map(|(socket, port)| (!port.carries_data() && !port.closed).then_some(socket))
    }

    pub(super) fn close(&mut self, socket: SocketId) {
        self.edit(socket, |port| port.closed = true);
        self.sockets.close(socket);
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.watching_waker && self.ports.iter().all(Port::is_idle)
    }
}
