//! The receiving side of one socket: its buffers and what is armed in the ring.
//! It never submits anything itself; it says what to submit.

use std::io;

use io_uring::squeue::Entry;
use io_uring::types::Fixed;
use io_uring::{cqueue, opcode};

use super::buffers::Buffers;
use super::tag::Tag;
use crate::endpoint::{Guess, SocketId};
use crate::limits::{BUSY_DATAGRAMS, BUSY_TURNS, DATA_BUFFERS, REQUEST_BUFFER, RingSize};
use crate::shard::address::{self, NAME_LEN};
use crate::shard::backend::Event;
use crate::shard::control::Received;
use crate::shard::sockets::Role;

/// Room for an IPv6 PKTINFO message.
const ARRIVAL_LEN: usize = 40;

/// `io_uring_recvmsg_out`, which the kernel puts before name, control messages and payload.
const PREFIX_LEN: usize = 16;

pub(super) struct Port {
    pub(super) buffers: Buffers,
    role: Role,
    /// How each buffer is divided; only the two lengths count.
    shape: Box<libc::msghdr>,
    pub(super) receiving: bool,
    /// So busy that it is read in every turn, without a receive being armed; why, says
    /// `shard/direct.rs`.
    pub(super) direct: bool,
    /// Datagrams of this turn.
    pub(super) given: usize,
    /// Busy turns in a row.
    streak: u8,
    pub(super) watching_room: bool,
    pub(super) closed: bool,
}

impl Port {
    /// Takes datagrams of up to `payload` bytes whole.
    pub(super) fn new(role: Role, payload: usize, size: RingSize) -> io::Result<Self> {
        // SAFETY: msghdr is plain data; all zero is a valid value.
        let mut shape: libc::msghdr = unsafe { core::mem::zeroed() };
        shape.msg_namelen = NAME_LEN as libc::socklen_t;
        shape.msg_controllen = if role.listens() { ARRIVAL_LEN as _ } else { 0 };
        let count = match role {
            Role::Data => size.ack_buffers,
            Role::Listener | Role::Both => size.request_buffers,
        };
        let count = if payload > REQUEST_BUFFER {
            count.min(DATA_BUFFERS)
        } else {
            count
        };
        let head = PREFIX_LEN + NAME_LEN + shape.msg_controllen as usize;
        Ok(Self {
            buffers: Buffers::new(count, head + payload)?,
            role,
            shape: Box::new(shape),
            receiving: false,
            direct: false,
            given: 0,
            streak: 0,
            watching_room: false,
            closed: false,
        })
    }

    /// Receives on registered file `slot` until told otherwise, into the buffers of `group`.
    pub(super) fn receive(&self, slot: u32, group: u16) -> Entry {
        opcode::RecvMsgMulti::new(Fixed(slot), &raw const *self.shape, group).build()
    }

    /// The next thing that should be armed and is not. ICMP errors end the receive: a watch of their
    /// own would be one more waiter for the kernel to go through whenever a datagram has left.
    pub(super) fn next_to_arm(&mut self, socket: SocketId, full: bool) -> Option<Entry> {
        if self.closed {
            return None;
        }
        let slot = u32::from(socket.0);
        if !self.receiving && !self.direct {
            self.receiving = true;
            let entry = self.receive(slot, socket.0);
            return Some(entry.user_data(Tag::Receive(socket).pack()));
        }
        if full && !self.watching_room {
            self.watching_room = true;
            let poll = opcode::PollAdd::new(Fixed(slot), libc::POLLOUT as u32).build();
            return Some(poll.user_data(Tag::Room(socket).pack()));
        }
        None
    }

    /// Direct reading brought so much. After nothing the receive comes back, for the fewer turns the longer
    /// there had been something.
    pub(super) fn gave_directly(&mut self, datagrams: usize) {
        self.direct = datagrams > 0;
        if self.direct {
            self.streak = (self.streak + 1).min(BUSY_TURNS - 1);
        }
    }

    /// A turn is over. Says whether the socket has been busy for so long that its receive should
    /// make room for direct reading.
    pub(super) fn became_busy(&mut self) -> bool {
        let given = core::mem::take(&mut self.given);
        if self.direct {
            return false;
        }
        let busy = given >= BUSY_DATAGRAMS;
        self.streak = if busy && self.receiving && self.role.carries_data() {
            self.streak + 1
        } else {
            0
        };
        if self.streak < BUSY_TURNS {
            return false;
        }
        self.streak = 0;
        self.direct = true;
        true
    }

    /// The datagram that a completion of the receive announces.
    pub(super) fn datagram(
        &self,
        socket: SocketId,
        completion: &cqueue::Entry,
    ) -> Option<Event<'_>> {
        let id = cqueue::buffer_select(completion.flags())?;
        let len = usize::try_from(completion.result()).ok()?;
        let buffer = self.buffers.filled(id, len)?;
        let (prefix, rest) = buffer.split_first_chunk::<PREFIX_LEN>()?;
        let [name_len, control_len, _payload_len, flags] = words(*prefix);
        let (name, rest) = rest.split_at_checked(NAME_LEN)?;
        let (control, payload) = rest.split_at_checked(self.shape.msg_controllen as _)?;
        let name = name.get(..name_len.min(name.len()))?;
        let control = control.get(..control_len.min(control.len()))?;
        Some(Event::Datagram {
            socket,
            peer: address::decode(name)?,
            local: Received::new(control).arrival(),
            guess: Guess::default(),
            bytes: payload,
            truncated: flags & libc::MSG_TRUNC as usize != 0,
        })
    }

    /// The buffer of a completion may be filled again.
    pub(super) fn recycle(&mut self, completion: &cqueue::Entry) {
        if let Some(id) = cqueue::buffer_select(completion.flags()) {
            self.buffers.give_back(id);
        }
    }

    pub(super) const fn is_idle(&self) -> bool {
        !(self.receiving || self.watching_room)
    }

    /// The kernel may still write to the buffers: they stay mapped for ever.
    pub(super) fn leak(&mut self) {
        self.buffers.leak();
    }

    pub(super) const fn carries_data(&self) -> bool {
        self.role.carries_data()
    }
}

/// Lengths of name, control messages and payload, then the flags.
fn words(prefix: [u8; PREFIX_LEN]) -> [usize; 4] {
    let (words, _) = prefix.as_chunks::<4>();
    let mut numbers = words.iter().map(|&word| u32::from_ne_bytes(word) as usize);
    core::array::from_fn(|_| numbers.next().unwrap_or(0))
}
