//! All transfers of one shard: finds whose a datagram is, starts, drives and ends transfers.
//! It never does I/O: what must happen outside goes through [`Effects`].
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable
    )
)]

mod admission;
mod effects;
mod groups;
mod guard;
mod keyed;
mod line;
mod multicast;
mod pieces;
mod prefix;
mod report;
mod route;
mod slots;
mod strangers;
mod survey;
mod table;
mod tenant;
mod upload;
mod wheel;

use alloc::sync::Arc;
use core::hash::BuildHasher;

pub use admission::Policy;
pub use effects::{Effects, OpenRequest, Train};
pub use groups::GroupRange;
pub use guard::{Access, Guard, Rate};
pub use keyed::Keyed;
pub use prefix::{Prefix, PrefixError};
pub use report::{Outcome, Report};
pub use route::{Guess, Local, Peer, Route, SocketId, Ticket};
pub use survey::{Doing, Glimpse, NameEnd};

use crate::limits::TIMERS_PER_TURN;
use crate::transfer::{BlockRange, Nanos, Step};
use crate::wire::packet::{ErrorPacket, next_window};
use crate::wire::{ErrorCode, Packet, decode};
use groups::Groups;
use line::Line;
use report::Ending;
use slots::Slots;
use strangers::Strangers;
use table::{Key, Table};
use tenant::{Phase, Tenant};
use wheel::Wheel;

/// The transfers of one shard. `I` is a file's content, `S` the keyed hash of the table.
#[derive(Debug)]
pub struct Endpoint<I, S> {
    slots: Slots<Tenant<I>>,
    table: Table<S>,
    wheel: Wheel,
    strangers: Strangers,
    groups: Groups<I>,
    guard: Arc<Guard<S>>,
    line: Line,
    policy: Policy,
    counters: Counters,
    draining: bool,
    /// Uploads that are complete and stay for their last ACK.
    dallying: usize,
}

/// What came in and led to nothing that a report would tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that are no TFTP packet, or not one that a server is sent.
    pub malformed: u64,
    /// Packets of transfers that we do not know.
    pub unknown_tid: u64,
    /// Requests that came again while the first was being answered.
    pub repeated_requests: u64,
    /// Those of them that were to write.
    pub repeated_writes: u64,
    /// Requests that were more than their network may make.
    pub limited: u64,
    /// Those of them that were to write.
    pub limited_writes: u64,
    /// ERRORs that were more than their network may cause.
    pub limited_errors: u64,
    /// Read and write requests that became transfers.
    pub reads: u64,
    pub writes: u64,
    /// Requests that had to wait for their turn.
    pub queued: u64,
    /// Transfers that ended because their file changed.
    pub file_changed: u64,
}

/// A datagram and where it came in.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// How the sender is answered: for a request by the data socket chosen for it.
    pub route: Route,
    /// Came to a socket that takes requests.
    pub listening: bool,
    /// Came to a socket that carries transfers; both hold in single-port mode. An ACK that comes
    /// to port 69 alone belongs to nobody: who does not know the data port is not the peer.
    pub carries_data: bool,
    /// Largest block that the path to the sender carries in one piece; used for requests.
    pub max_blksize: u16,
    pub bytes: &'a [u8],
}

/// A file that was opened for a request.
#[derive(Debug)]
pub struct Opened<I> {
    pub image: I,
    /// Bytes that the client will receive.
    pub size: u64,
}

/// Why a request is not served, as the client reads it and as the log says it.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    pub code: ErrorCode,
    /// For the client: never a path of the server.
    pub text: &'a str,
    /// For the operator.
    pub reason: &'a str,
}

impl<I, S: BuildHasher> Endpoint<I, S> {
    /// An endpoint that serves everybody, as often as they like.
    pub fn new(policy: Policy, hasher: S, now: Nanos) -> Self
    where
        S: Clone,
    {
        let guard = Guard::open(hasher.clone());
        Self::guarded(policy, Arc::new(guard), hasher, now)
    }

    /// An endpoint that shares its limits with those of other shards.
    pub fn guarded(policy: Policy, guard: Arc<Guard<S>>, hasher: S, now: Nanos) -> Self {
        Self {
            line: Line::with_room(guard.has_caps()),
            guard,
            slots: Slots::new(policy.max_transfers),
            table: Table::new(hasher),
            wheel: Wheel::new(now),
            strangers: Strangers::new(),
            groups: Groups::new(),
            policy,
            counters: Counters::default(),
            draining: false,
            dallying: 0,
        }
    }

    /// Looks for the transfers of a batch whose datagrams are about to be handed over: a crowd's are in cold
    /// memory, and one wait for all of them is shorter than one for each.
    pub fn foresee(&self, socket: SocketId, peers: &[Option<Peer>], guesses: &mut [Guess]) {
        let guess = |peer: &Option<Peer>| self.table.guess(((*peer)?, socket));
        for (peer, place) in peers.iter().zip(&mut *guesses) {
            *place = Guess(guess(peer));
        }
        let slots = guesses.iter().filter_map(|guess| guess.0);
        self.slots.touch(slots, Tenant::touch);
    }

    /// A datagram arrived.
    pub fn datagram<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        datagram: &Datagram<'_>,
        effects: &mut F,
    ) {
        self.foreseen(now, datagram, Guess::default(), effects);
    }

    /// The same with a guess at its transfer.
    pub fn foreseen<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        datagram: &Datagram<'_>,
        guess: Guess,
        effects: &mut F,
    ) {
        match decode(datagram.bytes) {
            Ok(Packet::Ack { .. } | Packet::Data { .. } | Packet::Error { .. })
                if !datagram.carries_data =>
            {
                self.counters.unknown_tid += 1;
            }
            Ok(Packet::Ack { block }) => {
                let next = next_window(datagram.bytes);
                self.ack(now, (&datagram.route, guess), (block, next), effects);
            }
            Ok(Packet::Rrq(request)) if datagram.listening => {
                self.read_request(now, datagram, &request, effects);
            }
            Ok(Packet::Wrq(request)) if datagram.listening => {
                self.write_request(now, datagram, &request, effects);
            }
            Ok(Packet::Error { code, text }) => {
                self.peer_error(now, &datagram.route, code, text, effects);
            }
            Ok(Packet::Data { block, payload }) => {
                self.data(now, &datagram.route, block, payload, effects);
            }
            Ok(Packet::Oack(_) | Packet::Rrq(_) | Packet::Wrq(_)) | Err(_) => {
                self.counters.malformed += 1;
            }
        }
    }

    /// ICMP says that nobody listens at `peer`: one proof of absence ends its transfer, unless its last
    /// ACK may be here already.
    pub fn unreachable<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        peer: Peer,
        socket: SocketId,
        effects: &mut F,
    ) {
        let Some(ticket) = self.find(peer, socket) else {
            return;
        };
        if let Some(Phase::Reading { transfer, .. }) = self.phase(ticket)
            && transfer.port_closed(now)
        {
            return self.rearm(ticket);
        }
        self.gone(now, ticket, effects);
    }

    fn gone<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        let reason = "the client's port is closed";
        self.finish(now, ticket, Outcome::PeerGone, reason, effects);
    }

    /// The kernel could not read the file's pages for a send: it was truncated.
    pub fn unreadable<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        effects: &mut F,
    ) {
        self.abort(now, ticket, FILE_CHANGED, effects);
    }

    /// Blocks that were not in memory are now, or will not be sooner.
    pub fn loaded<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        match self.phase(ticket) {
            Some(Phase::Reading { transfer, .. }) => {
                let step = transfer.loaded(now);
                self.act(now, ticket, step, effects);
            }
            Some(Phase::Listening(member)) => {
                let group = member.group;
                self.group_loaded(now, group, effects);
            }
            _ => {}
        }
    }

    /// Sends blocks once more that the kernel had no room for.
    pub fn repeat<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        blocks: BlockRange,
        effects: &mut F,
    ) {
        match self.phase(ticket) {
            Some(Phase::Listening(member)) => {
                let group = member.group;
                self.group_send(now, group, blocks, effects);
            }
            _ => self.act(now, ticket, Step::Send(blocks), effects),
        }
    }

    /// Acts on what is due, a bounded number at a time. Says whether that was all.
    pub fn advance<F: Effects<Image = I>>(&mut self, now: Nanos, effects: &mut F) -> bool {
        self.advance_to(now, now, effects)
    }

    /// The same with those timers alone that were due at `due`, which may be past: what the later ones wait for
    /// may have come since and not have been read.
    pub fn advance_to<F: Effects<Image = I>>(
        &mut self,
        due: Nanos,
        now: Nanos,
        effects: &mut F,
    ) -> bool {
        self.call_up(now, effects);
        let mut looks = TIMERS_PER_TURN;
        while let Some(slot) = self.wheel.pop(due, &mut looks) {
            self.timer((due, now), slot, effects);
        }
        looks > 0
    }

    /// When [`advance`](Self::advance) has something to do.
    pub fn next_deadline(&self) -> Option<Nanos> {
        match (self.wheel.next_deadline(), self.line.next_look()) {
            (Some(timer), Some(look)) => Some(timer.min(look)),
            (timer, look) => timer.or(look),
        }
    }

    /// Transfers under way, those that wait for their file or their turn included. Uploads that are complete are
    /// not: nothing is lost when nobody is left to repeat their last ACK.
    pub fn active(&self) -> usize {
        self.slots.len().saturating_sub(self.dallying)
    }

    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Goes on by other limits. Transfers under way keep the terms that were granted to them; those
    /// that wait in line are called up by the new caps.
    pub fn renew(&mut self, guard: Arc<Guard<S>>, max_windowsize: u16, uploads: bool) {
        self.line.make_room(guard.has_caps());
        self.line.look_soon();
        self.guard = guard;
        self.policy.max_windowsize = max_windowsize;
        self.policy.uploads = uploads;
    }

    /// Takes no request from here on.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Ends every transfer, telling the clients.
    pub fn abort_all<F: Effects<Image = I>>(&mut self, now: Nanos, effects: &mut F) {
        for ticket in self.slots.tickets() {
            self.abort(now, ticket, SHUTTING_DOWN, effects);
        }
    }

    fn ack<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        (route, guess): (&Route, Guess),
        (block, next): (u16, Option<u8>),
        effects: &mut F,
    ) {
        let found = self.verify(route.key(), guess);
        let Some(ticket) = found.or_else(|| self.find(route.peer, route.socket)) else {
            self.unknown_tid(now, route, effects);
            return;
        };
        match self.phase(ticket) {
            Some(Phase::Reading { transfer, oack, .. }) => {
                let unproven = !transfer.proven();
                let step = transfer.ack_wanting(now, block, next);
                if unproven && transfer.proven() {
                    *oack = None;
                    self.guard.proved(route.peer.ip());
                }
                self.act(now, ticket, step, effects);
            }
            Some(Phase::Listening(member)) => {
                let group = member.group;
                self.member_ack(now, group, ticket, block, effects);
            }
            Some(Phase::Opening | Phase::Waiting { .. } | Phase::Writing { .. }) | None => {}
        }
    }

    /// RFC 1350, section 4: a packet from an unexpected source gets ERROR 5 and disturbs nothing.
    fn unknown_tid<F: Effects<Image = I>>(&mut self, now: Nanos, route: &Route, effects: &mut F) {
        if self.find(route.peer, route.socket).is_some() {
            self.counters.malformed += 1;
            return;
        }
        self.counters.unknown_tid += 1;
        let hash = self.table.hasher().hash_one(route.peer.key());
        if self.strangers.may_answer(hash, now) && self.guard.may_tell(route.peer.ip(), now) {
            let error = ErrorPacket::new(ErrorCode::UNKNOWN_TID, "Unknown transfer ID");
            effects.send_packet(route, error.as_bytes());
        }
    }

    fn peer_error<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        route: &Route,
        code: ErrorCode,
        text: &[u8],
        effects: &mut F,
    ) {
        let Some(ticket) = self.find(route.peer, route.socket) else {
            self.counters.unknown_tid += 1;
            return;
        };
        let size_asked = match self.phase(ticket) {
            Some(Phase::Reading { transfer, .. }) => transfer.may_be_probe(),
            _ => false,
        };
        let stops = matches!(code, ErrorCode::NOT_DEFINED | ErrorCode::OPTION_REFUSED);
        let (outcome, reason) = if size_asked && stops {
            (Outcome::Probe, "the client only asked for the size")
        } else {
            (Outcome::PeerError, "")
        };
        if let Some(tenant) = self.evict(ticket) {
            let ending = Ending {
                outcome,
                reason,
                peer_error: Some((code, text)),
            };
            self.close(now, ticket, tenant, ending, effects);
        }
    }

    fn timer<F: Effects<Image = I>>(
        &mut self,
        (due, now): (Nanos, Nanos),
        slot: u32,
        effects: &mut F,
    ) {
        let Some((ticket, _)) = self.slots.at(slot) else {
            return;
        };
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return;
        };
        if let Some(deadline) = tenant.phase.deadline()
            && deadline > due
        {
            self.wheel.arm(slot, deadline);
            return;
        }
        match &mut tenant.phase {
            Phase::Opening | Phase::Waiting { .. } => {}
            Phase::Reading { transfer, .. } if transfer.is_closing() => {
                self.gone(now, ticket, effects);
            }
            Phase::Reading { transfer, .. } => {
                let step = transfer.expired(now);
                self.act(now, ticket, step, effects);
            }
            Phase::Writing { transfer, .. } => {
                let answer = transfer.expired(now);
                self.answer(now, ticket, answer, effects);
            }
            Phase::Listening(member) => {
                let group = member.group;
                self.member_timer(now, group, ticket, effects);
            }
        }
    }

    /// Does what a transfer asks for. One look at its place serves for all of it: a crowd's are cold.
    fn act<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        step: Step,
        effects: &mut F,
    ) {
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return;
        };
        match step {
            Step::Nothing => {}
            Step::Oack => tenant.send_oack(effects),
            Step::Send(blocks) => {
                if !tenant.send_blocks(now, ticket, blocks, effects) {
                    return self.abort(now, ticket, FILE_CHANGED, effects);
                }
            }
            Step::Completed => return self.finish(now, ticket, Outcome::Completed, "", effects),
            Step::GiveUp(reason) => {
                return self.finish(now, ticket, Outcome::TimedOut, reason, effects);
            }
        }
        arm(&mut self.wheel, &self.groups, ticket, tenant);
    }

    fn rearm(&mut self, ticket: Ticket) {
        if let Some(tenant) = self.slots.get_mut(ticket) {
            arm(&mut self.wheel, &self.groups, ticket, tenant);
        }
    }

    fn abort<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        why: Refusal<'_>,
        effects: &mut F,
    ) {
        if let Some(Phase::Listening(member)) = self.phase(ticket) {
            let group = member.group;
            return self.abort_group(now, group, why, effects);
        }
        if let Some(tenant) = self.evict(ticket) {
            self.counters.file_changed += u64::from(why.reason == FILE_CHANGED.reason);
            if !tenant.is_dallying() {
                let error = ErrorPacket::new(why.code, why.text);
                effects.send_packet(&tenant.route, error.as_bytes());
            }
            let ending = Ending::new(Outcome::Aborted, why.reason);
            tenant.end(now, ticket, ending, None, effects);
        }
    }

    fn finish<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        outcome: Outcome,
        reason: &str,
        effects: &mut F,
    ) {
        if let Some(tenant) = self.evict(ticket) {
            if outcome == Outcome::Completed {
                // A second copy of the last ACK is no stranger's: U-Boot takes ERROR 5 for it as
                // a reason to start all over.
                let hash = self.table.hasher().hash_one(tenant.route.peer.key());
                self.strangers.note(hash, now);
            }
            self.close(now, ticket, tenant, Ending::new(outcome, reason), effects);
        }
    }

    /// Records the end of an evicted transfer; a multicast group goes on without it.
    fn close<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        tenant: Tenant<I>,
        ending: Ending<'_>,
        effects: &mut F,
    ) {
        let shared = match &tenant.phase {
            Phase::Listening(member) => self.leave(now, member.group, ticket, effects),
            _ => None,
        };
        tenant.end(now, ticket, ending, shared, effects);
    }

    /// Takes a transfer out of the slab, the table and the wheel.
    fn evict(&mut self, ticket: Ticket) -> Option<Tenant<I>> {
        let tenant = self.slots.remove(ticket)?;
        self.wheel.disarm(ticket.slot);
        self.table.remove(tenant.route.key(), ticket.slot);
        if !matches!(tenant.phase, Phase::Waiting { .. }) {
            self.guard.leave(tenant.route.peer.ip());
            self.line.look_soon();
        }
        self.dallying -= usize::from(tenant.is_dallying());
        Some(tenant)
    }

    fn find(&self, peer: Peer, socket: SocketId) -> Option<Ticket> {
        let key = (peer, socket);
        self.table.find(key, |slot| self.ticket_at(key, slot))
    }

    fn verify(&self, key: Key, guess: Guess) -> Option<Ticket> {
        self.ticket_at(key, guess.0?)
    }

    /// The ticket of the transfer in `slot`, if it has this key.
    fn ticket_at(&self, key: Key, slot: u32) -> Option<Ticket> {
        let (ticket, tenant) = self.slots.at(slot)?;
        (tenant.route.key() == key).then_some(ticket)
    }

    fn phase(&mut self, ticket: Ticket) -> Option<&mut Phase<I>> {
        self.slots.get_mut(ticket).map(|tenant| &mut tenant.phase)
    }
}

/// Lets a transfer come up no later than its deadline; a group keeps those of its members.
fn arm<I>(wheel: &mut Wheel, groups: &Groups<I>, ticket: Ticket, tenant: &Tenant<I>) {
    let deadline = match &tenant.phase {
        Phase::Listening(member) => Some(groups.deadline_of(ticket, member)),
        phase => phase.deadline(),
    };
    if let Some(deadline) = deadline {
        wheel.arm(ticket.slot, deadline);
    }
}

const FILE_CHANGED: Refusal<'static> = Refusal {
    code: ErrorCode::NOT_DEFINED,
    text: "The file changed during the transfer; ask again",
    reason: "the file changed during the transfer",
};

const SHUTTING_DOWN: Refusal<'static> = Refusal {
    code: ErrorCode::NOT_DEFINED,
    text: "The server is shutting down",
    reason: "the server is shutting down",
};

#[cfg(test)]
mod tests;
