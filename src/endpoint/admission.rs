//! Requests: who comes in, what a repeated request means, and the first answer.
//! It never refuses for being busy while there is room: a burst queues for its files.

use core::hash::BuildHasher;

use super::effects::Effects;
use super::report::{Ending, Outcome, Report};
use super::route::{Route, Ticket};
use super::tenant::{Phase, Tenant};
use super::{Datagram, Endpoint, GroupRange, Opened, Refusal};
use crate::limits::{DEFAULT_MAX_WINDOWSIZE, MAX_TRANSFERS, RESTART_AFTER};
use crate::transfer::{Nanos, Offer, ReadTransfer, SizeSaid, negotiate};
use crate::wire::packet::ErrorPacket;
use crate::wire::{ErrorCode, Mode, OptionName, OptionSet, Packet, Request, decode};

/// What the operator allows.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Largest window granted (RFC 7440).
    pub max_windowsize: u16,
    /// Transfers at a time.
    pub max_transfers: usize,
    /// Where clients that ask for it share a stream (RFC 2090); nowhere unless the operator says so.
    pub groups: Option<GroupRange>,
    /// Whether write requests are taken at all. Which ones, whoever creates the files decides.
    pub uploads: bool,
    /// Options that are never granted.
    pub refused: OptionSet,
    /// The longest wait before a packet is sent again, for clients that name none.
    pub retransmit: Option<Nanos>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_windowsize: DEFAULT_MAX_WINDOWSIZE,
            max_transfers: MAX_TRANSFERS,
            groups: None,
            uploads: false,
            // No Windows client has been seen to work with it.
            refused: OptionSet::default().with(OptionName::Msftwindow),
            retransmit: None,
        }
    }
}

impl Policy {
    /// Never grants these options, of which each is known by its name in any case.
    #[must_use]
    pub fn refusing(mut self, options: &[impl AsRef<str>]) -> Self {
        let known = options
            .iter()
            .filter_map(|name| OptionName::parse(name.as_ref().as_bytes()));
        self.refused = known.fold(self.refused, OptionSet::with);
        self
    }

    /// Grants Windows' boot manager windows of its own choice, or not.
    #[must_use]
    pub const fn with_msftwindow(mut self, granted: bool) -> Self {
        self.refused = if granted {
            self.refused.without(OptionName::Msftwindow)
        } else {
            self.refused.with(OptionName::Msftwindow)
        };
        self
    }

    /// What is granted to a client that can be sent blocks of `max_blksize`.
    pub(super) const fn offer(&self, max_blksize: u16, size: SizeSaid) -> Offer {
        Offer {
            max_blksize,
            max_windowsize: self.max_windowsize,
            size,
            invitation: None,
            refused: self.refused,
            timeout: self.retransmit,
        }
    }
}

impl<I, S: BuildHasher> Endpoint<I, S> {
    pub(super) fn read_request<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        datagram: &Datagram<'_>,
        request: &Request<'_>,
        effects: &mut F,
    ) {
        if self.draining {
            return;
        }
        let route = &datagram.route;
        if let Some(ticket) = self.find(route.peer, route.socket)
            && self.came_again(now, ticket, datagram, effects)
        {
            return;
        }
        if !self.lets_in(now, route, request, false, effects) {
            return;
        }
        if let Some(refusal) = bad_mode(request.mode) {
            self.refuse(now, route, request, false, refusal, effects);
            return;
        }
        self.admit(now, datagram, request, false, effects);
    }

    /// The file was opened, or not.
    pub fn opened<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        result: Result<Opened<I>, Refusal<'_>>,
        effects: &mut F,
    ) {
        match result {
            Ok(opened) => self.start(now, ticket, opened, effects),
            Err(refusal) => self.decline(now, ticket, refusal, effects),
        }
    }

    pub(super) fn write_request<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        datagram: &Datagram<'_>,
        request: &Request<'_>,
        effects: &mut F,
    ) {
        let route = &datagram.route;
        if self.draining {
            return;
        }
        if let Some(ticket) = self.find(route.peer, route.socket)
            && self.came_again(now, ticket, datagram, effects)
        {
            return;
        }
        if !self.lets_in(now, route, request, true, effects) {
            return;
        }
        if !self.policy.uploads {
            self.refuse(now, route, request, true, NO_UPLOADS, effects);
        } else if let Some(refusal) = bad_mode(request.mode) {
            self.refuse(now, route, request, true, refusal, effects);
        } else {
            self.admit(now, datagram, request, true, effects);
        }
    }

    /// Whether a new request may come in at all: the operator's lists, and how many its network has
    /// made. Whoever may not is told so as often as errors are told at all, else met with silence.
    pub(super) fn lets_in<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        route: &Route,
        request: &Request<'_>,
        write: bool,
        effects: &mut F,
    ) -> bool {
        let client = route.peer.ip();
        if !self.guard.allows(client) {
            let refusal = Refusal {
                code: ErrorCode::ACCESS_VIOLATION,
                text: "Access violation",
                reason: "this address is not to be served",
            };
            self.refuse(now, route, request, write, refusal, effects);
            return false;
        }
        let may_ask = self.guard.may_ask(client, now);
        if !may_ask {
            self.counters.limited += 1;
            self.counters.limited_writes += u64::from(write);
            if self.guard.may_tell(client, now) {
                let reason = "too many requests from this network";
                let ending = Ending::new(Outcome::Shed, reason);
                report(route, request, write, ending, effects);
            }
        }
        may_ask
    }

    /// Refuses a request that never became a transfer.
    fn refuse<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        route: &Route,
        request: &Request<'_>,
        write: bool,
        refusal: Refusal<'_>,
        effects: &mut F,
    ) {
        if !self.guard.may_tell(route.peer.ip(), now) {
            self.counters.limited_errors += 1;
            return;
        }
        let error = ErrorPacket::new(refusal.code, refusal.text);
        effects.send_packet(route, error.as_bytes());
        let ending = Ending::new(Outcome::Refused, refusal.reason);
        report(route, request, write, ending, effects);
    }

    /// A request from a peer that has a transfer already. Says whether that settles it.
    ///
    /// The same request is answered once more with the first answer as long as the peer has not
    /// proved that it got it. A different one, or the same after a pause, means that the client
    /// started over: the old transfer makes room.
    fn came_again<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        datagram: &Datagram<'_>,
        effects: &mut F,
    ) -> bool {
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return false;
        };
        if *tenant.request != *datagram.bytes {
            return self.replace(now, ticket, effects);
        }
        let stale = |progress_at| now - progress_at >= RESTART_AFTER;
        match &mut tenant.phase {
            Phase::Opening => {}
            Phase::Listening(member) => {
                let group = member.group;
                self.counters.repeated_requests += 1;
                // Only readers are members.
                self.welcome(now, group, ticket, effects);
                return true;
            }
            Phase::Waiting { asked } => *asked = now,
            Phase::Reading { transfer, .. } if !transfer.proven() => {
                let step = transfer.first_answer(now);
                self.act(now, ticket, step, effects);
            }
            Phase::Writing { transfer, .. } if !transfer.proven() => {
                let answer = transfer.first_answer(now);
                self.answer(now, ticket, answer, effects);
            }
            Phase::Reading { transfer, .. } if stale(transfer.progress_at()) => {
                return self.replace(now, ticket, effects);
            }
            // A client that uploads the same file again has its last ACK. While it waits for us, it
            // may well ask again.
            Phase::Writing { transfer, .. }
                if transfer.is_done()
                    || stale(transfer.progress_at()) && !transfer.waits_for_us() =>
            {
                return self.replace(now, ticket, effects);
            }
            Phase::Reading { .. } | Phase::Writing { .. } => {}
        }
        self.counters.repeated_requests += 1;
        let write = matches!(decode(datagram.bytes), Ok(Packet::Wrq(_)));
        self.counters.repeated_writes += u64::from(write);
        true
    }

    fn replace<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        effects: &mut F,
    ) -> bool {
        let reason = "the client made another request from the same port";
        self.finish(now, ticket, Outcome::Aborted, reason, effects);
        false
    }

    fn admit<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        datagram: &Datagram<'_>,
        request: &Request<'_>,
        write: bool,
        effects: &mut F,
    ) {
        let route = datagram.route;
        let waits = self.guard.enter(route.peer.ip()).is_err();
        let room = !waits || !self.line.is_full();
        let admitted = room.then(|| {
            let phase = if waits {
                Phase::Waiting { asked: now }
            } else {
                Phase::Opening
            };
            Tenant {
                route,
                request: datagram.bytes.into(),
                max_blksize: datagram.max_blksize,
                since: now,
                phase,
            }
        });
        let admitted = admitted.and_then(|tenant| self.slots.insert(tenant));
        let Some(ticket) = admitted else {
            if !waits {
                self.guard.leave(route.peer.ip());
            }
            // Silence: the client asks again by itself, and a flood gets no echo.
            let ending = Ending::new(Outcome::Shed, "too many transfers");
            report(&route, request, write, ending, effects);
            return;
        };
        let slots = &self.slots;
        self.table.insert(route.key(), ticket.slot, |slot| {
            slots.tenant(slot).map(|tenant| tenant.route.key())
        });
        if waits {
            self.counters.queued += 1;
            self.line.push(ticket);
        } else {
            self.open(now, ticket, effects);
        }
    }

    fn start<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        opened: Opened<I>,
        effects: &mut F,
    ) {
        if self.slots.get_mut(ticket).is_none() {
            // The client was faster to leave than the disk to answer.
            return;
        }
        self.counters.reads += 1;
        let Some(opened) = self.join(now, ticket, opened, effects) else {
            return;
        };
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return;
        };
        let Some(request) = tenant.request() else {
            return;
        };
        let size = SizeSaid::Ours(opened.size);
        let offer = self.policy.offer(tenant.max_blksize, size);
        let (terms, oack) = negotiate(&request.options, &offer);
        let mut transfer = ReadTransfer::new(terms, opened.size, oack.is_some(), now);
        let step = transfer.first_answer(now);
        tenant.phase = Phase::Reading {
            transfer,
            image: opened.image,
            oack,
        };
        self.act(now, ticket, step, effects);
    }

    pub(super) fn decline<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        refusal: Refusal<'_>,
        effects: &mut F,
    ) {
        if let Some(tenant) = self.evict(ticket) {
            if self.guard.may_tell(tenant.route.peer.ip(), now) {
                let error = ErrorPacket::new(refusal.code, refusal.text);
                effects.send_packet(&tenant.route, error.as_bytes());
            } else {
                self.counters.limited_errors += 1;
            }
            let outcome = match refusal.code {
                ErrorCode::NOT_FOUND => Outcome::Missing,
                _ => Outcome::Refused,
            };
            tenant.end(
                now,
                ticket,
                Ending::new(outcome, refusal.reason),
                None,
                effects,
            );
        }
    }
}

fn bad_mode(mode: Mode) -> Option<Refusal<'static>> {
    let reason = match mode {
        Mode::Octet | Mode::Netascii => return None,
        Mode::Mail => "mail mode is obsolete",
        Mode::Unknown => "unknown transfer mode",
    };
    Some(Refusal {
        code: ErrorCode::ILLEGAL_OPERATION,
        text: "Transfer mode not supported; use octet or netascii",
        reason,
    })
}

const NO_UPLOADS: Refusal<'static> = Refusal {
    code: ErrorCode::ACCESS_VIOLATION,
    text: "Uploads are not allowed here",
    reason: "uploads are not allowed",
};

/// The record of a request that never became a transfer.
fn report<F: Effects>(
    route: &Route,
    request: &Request<'_>,
    write: bool,
    ending: Ending<'_>,
    effects: &mut F,
) {
    let report = Report {
        route,
        name: request.filename,
        mode: request.mode,
        write,
        outcome: ending.outcome,
        reason: ending.reason,
        peer_error: None,
        bytes: 0,
        size: 0,
        duration: Nanos::ZERO,
        blksize: 0,
        windowsize: 0,
        resends: 0,
        round_trip: Nanos::ZERO,
    };
    effects.finished(&report, None);
}
