//! Requests that wait for their turn: taken in and remembered, their files not opened yet.
//! It never refuses while there is room to wait, and forgets clients that have given up.

use alloc::collections::VecDeque;
use core::hash::BuildHasher;

use super::Endpoint;
use super::effects::{Effects, OpenRequest};
use super::guard::Full;
use super::report::Outcome;
use super::route::Ticket;
use super::tenant::Phase;
use super::upload::announced;
use crate::limits::{WAITING_MAX, WAITING_PATIENCE, WAITING_PAUSE, WAITING_PER_TURN};
use crate::transfer::Nanos;

/// The requests of one shard that wait, the oldest first.
#[derive(Debug, Default)]
pub struct Line {
    tickets: VecDeque<Ticket>,
    /// When it is worth looking again.
    look_at: Nanos,
}

impl Line {
    /// With room for all who may wait, so that nothing is allocated later.
    pub fn with_room(room: bool) -> Self {
        let places = if room { WAITING_MAX } else { 0 };
        Self {
            tickets: VecDeque::with_capacity(places),
            look_at: Nanos::ZERO,
        }
    }

    /// Makes room for all who may wait from now on.
    pub fn make_room(&mut self, room: bool) {
        if room {
            let lacking = WAITING_MAX.saturating_sub(self.tickets.len());
            self.tickets.reserve(lacking);
        }
    }

    pub fn is_full(&self) -> bool {
        self.tickets.len() >= WAITING_MAX
    }

    /// Somebody left, so somebody may come in.
    pub const fn look_soon(&mut self) {
        self.look_at = Nanos::ZERO;
    }

    pub fn next_look(&self) -> Option<Nanos> {
        (!self.tickets.is_empty()).then_some(self.look_at)
    }

    pub fn push(&mut self, ticket: Ticket) {
        self.tickets.push_back(ticket);
    }
}

/// What became of the request at the head of the line.
enum Head {
    /// Its file is being opened, or it is gone.
    Left,
    /// Its client has as many transfers as it may; others may go before it.
    StepAside,
    /// Nobody may start now.
    Stay,
}

impl<I, S: BuildHasher> Endpoint<I, S> {
    /// Lets those start for whom there is a place now.
    pub(super) fn call_up<F: Effects<Image = I>>(&mut self, now: Nanos, effects: &mut F) {
        if self.line.next_look().is_none_or(|at| at > now) {
            return;
        }
        self.line.look_at = now + WAITING_PAUSE;
        let most = self.line.tickets.len().min(WAITING_PER_TURN);
        for _ in 0..most {
            let Some(ticket) = self.line.tickets.pop_front() else {
                return;
            };
            match self.call(now, ticket, effects) {
                Head::Left => {}
                Head::StepAside => self.line.tickets.push_back(ticket),
                Head::Stay => {
                    self.line.tickets.push_front(ticket);
                    return;
                }
            }
        }
    }

    fn call<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) -> Head {
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return Head::Left;
        };
        let Phase::Waiting { asked } = tenant.phase else {
            return Head::Left;
        };
        if now - asked >= WAITING_PATIENCE {
            let reason = "the client stopped asking before its turn came";
            self.finish(now, ticket, Outcome::Shed, reason, effects);
            return Head::Left;
        }
        match self.guard.enter(tenant.route.peer.ip()) {
            Err(Full::Client) => return Head::StepAside,
            Err(Full::Server) => return Head::Stay,
            Ok(()) => {}
        }
        tenant.phase = Phase::Opening;
        self.open(now, ticket, effects);
        Head::Left
    }

    /// Has the tenant's file opened, or made.
    pub(super) fn open<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        effects: &mut F,
    ) {
        let Some(tenant) = self.slots.get_mut(ticket) else {
            return;
        };
        let Some(request) = tenant.request() else {
            return;
        };
        let write = tenant.is_write();
        let wanted = OpenRequest {
            ticket,
            route: &tenant.route,
            name: request.filename,
            mode: request.mode,
            options: request.options,
        };
        let queued = if write {
            effects.create(wanted, announced(&request))
        } else {
            effects.open(wanted)
        };
        if !queued {
            let reason = if write {
                "too many uploads"
            } else {
                "too many files are waiting to be opened"
            };
            self.finish(now, ticket, Outcome::Shed, reason, effects);
        }
    }
}
