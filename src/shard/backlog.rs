//! What met a full socket buffer and waits for room.
//! It never keeps a pointer into a file: blocks are kept as numbers, packets as copies.

use super::backend::Event;
use super::outbox::Outbox;
use crate::endpoint::{Route, SocketId, Ticket};
use crate::limits::BACKLOG;
use crate::transfer::BlockRange;

pub(super) enum Waiting {
    Blocks(Ticket, BlockRange),
    Packet(Route, Box<[u8]>),
}

/// Sends put off, by socket.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: Vec<(SocketId, Waiting)>,
    /// Sockets without room.
    full: Vec<SocketId>,
    /// Packets whose socket has room again.
    ready: Vec<(Route, Box<[u8]>)>,
}

impl Backlog {
    pub(super) fn is_full(&self, socket: SocketId) -> bool {
        self.full.contains(&socket)
    }

    /// Sockets whose room is waited for.
    pub(super) fn full(&self) -> &[SocketId] {
        &self.full
    }

    /// False when there is no place left: the send is lost.
    pub(super) fn put_off(&mut self, socket: SocketId, waiting: Waiting) -> bool {
        if !self.is_full(socket) {
            self.full.push(socket);
        }
        if self.waiting.len() >= BACKLOG {
            return false;
        }
        self.waiting.push((socket, waiting));
        true
    }

    /// The socket has room again, or is closed.
    pub(super) fn writable(&mut self, socket: SocketId, on_event: &mut dyn FnMut(Event<'_>)) {
        self.full.retain(|&full| full != socket);
        let ready = &mut self.ready;
        for (_, waiting) in self.waiting.extract_if(.., |entry| entry.0 == socket) {
            match waiting {
                Waiting::Blocks(ticket, blocks) => on_event(Event::Congested { ticket, blocks }),
                Waiting::Packet(route, bytes) => ready.push((route, bytes)),
            }
        }
    }

    /// Packets that can go now join the turn's other sends.
    pub(super) fn refill(&mut self, outbox: &mut Outbox) {
        for (route, bytes) in self.ready.drain(..) {
            outbox.push_packet(&route, &bytes);
        }
    }

    /// Whether something can be sent without waiting for any event.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}
