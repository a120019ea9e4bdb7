//! Write requests from the first answer on: whose DATA it is, what is kept, what is acknowledged.
//! It never touches a file: bytes go out through [`Effects`], and an ACK waits for their room.

use core::hash::BuildHasher;

use super::effects::Effects;
use super::report::Outcome;
use super::route::{Route, Ticket};
use super::tenant::Phase;
use super::{Endpoint, Refusal};
use crate::limits::UPLOAD_CHUNK;
use crate::transfer::{Answer, Nanos, Offer, SizeSaid, Terms, WriteTransfer, negotiate};
use crate::wire::options::parse_decimal;
use crate::wire::packet::ack;
use crate::wire::{ErrorCode, Mode, OptionName, Request};

/// What the client says of the size, where its bytes can be compared with it. In netascii clients
/// name the size of their file, not of what they send; and 0 is what those say who do not know.
pub(super) fn announced(request: &Request<'_>) -> Option<u64> {
    let size = parse_decimal(request.options.get(OptionName::Tsize)?)?;
    (request.mode == Mode::Octet && size > 0).then_some(size)
}

impl<I, S: BuildHasher> Endpoint<I, S> {
    /// The file of a write request can be written, or not.
    pub fn created<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        result: Result<(), Refusal<'_>>,
        effects: &mut F,
    ) {
        match result {
            Ok(()) => self.receive(now, ticket, effects),
            Err(refusal) => self.decline(now, ticket, refusal, effects),
        }
    }

    /// There may be room for an upload whose ACK waits for it.
    pub fn room<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        if let Some(transfer) = self.writing(ticket) {
            let answer = transfer.room(now);
            self.answer(now, ticket, answer, effects);
        }
    }

    /// An upload is durable under its name, or cannot be. It may fail before its last block, too.
    pub fn stored<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        result: Result<(), Refusal<'_>>,
        effects: &mut F,
    ) {
        match result {
            Ok(()) => {
                if let Some(transfer) = self.writing(ticket) {
                    let answer = transfer.stored(now);
                    self.acknowledge_last(now, ticket, answer, effects);
                }
            }
            Err(refusal) => self.abort(now, ticket, refusal, effects),
        }
    }

    pub(super) fn data<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        route: &Route,
        block: u16,
        payload: &[u8],
        effects: &mut F,
    ) {
        let Some(ticket) = self.find(route.peer, route.socket) else {
            self.unknown_tid(now, route, effects);
            return;
        };
        let Some(Phase::Writing { transfer, oack }) = self.phase(ticket) else {
            self.counters.malformed += 1;
            return;
        };
        let taken = transfer.data(now, block, payload.len());
        if taken.keep {
            *oack = None;
            effects.store(ticket, payload);
        }
        self.answer(now, ticket, taken.answer, effects);
    }

    /// Does what a write transfer asks for.
    pub(super) fn answer<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        answer: Answer,
        effects: &mut F,
    ) {
        match answer {
            Answer::Nothing => {}
            Answer::Greet => self.invite(ticket, None, effects),
            Answer::Invite(number) => self.invite(ticket, Some(number), effects),
            Answer::Commit => effects.commit(ticket),
            Answer::Final(number) => self.acknowledge(ticket, Some(number), effects),
            Answer::TooLong => return self.abort(now, ticket, TOO_LONG, effects),
            Answer::Oversized => return self.abort(now, ticket, OVERSIZED, effects),
            Answer::Over => return self.finish(now, ticket, Outcome::Completed, "", effects),
            Answer::GiveUp(reason) => {
                return self.finish(now, ticket, Outcome::TimedOut, reason, effects);
            }
        }
        self.rearm(ticket);
    }

    /// The first answer: the file is ready.
    fn receive<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        let Some(tenant) = self.slots.get_mut(ticket) else {
            // The client was faster to leave than the disk to answer.
            effects.discard(ticket);
            return;
        };
        let Some(request) = tenant.request() else {
            return;
        };
        self.counters.writes += 1;
        let offer = self.policy.offer(tenant.max_blksize, SizeSaid::Theirs);
        let (terms, oack) = negotiate_window(&request, offer);
        let mut transfer = WriteTransfer::new(terms, announced(&request), oack.is_some(), now);
        let answer = transfer.first_answer(now);
        tenant.phase = Phase::Writing { transfer, oack };
        self.answer(now, ticket, answer, effects);
    }

    /// Sends an ACK if there is room for what it invites.
    fn invite<F: Effects<Image = I>>(
        &mut self,
        ticket: Ticket,
        number: Option<u16>,
        effects: &mut F,
    ) {
        let Some(transfer) = self.writing(ticket) else {
            return;
        };
        if effects.reserve(ticket, transfer.window_bytes()) {
            self.acknowledge(ticket, number, effects);
        } else {
            transfer.no_room();
        }
    }

    /// Sends an ACK; without a number, the answer to the request: the OACK, if there is one.
    fn acknowledge<F: Effects<Image = I>>(
        &mut self,
        ticket: Ticket,
        number: Option<u16>,
        effects: &mut F,
    ) {
        if let Some(tenant) = self.slots.get_mut(ticket) {
            match (number, tenant.oack()) {
                (None, Some(oack)) => effects.send_packet(&tenant.route, oack),
                (number, _) => effects.send_packet(&tenant.route, &ack(number.unwrap_or(0))),
            }
        }
    }

    /// The file is durable: now the client may know, and the log.
    fn acknowledge_last<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        answer: Answer,
        effects: &mut F,
    ) {
        if !matches!(answer, Answer::Final(_)) {
            return;
        }
        self.dallying += 1;
        self.answer(now, ticket, answer, effects);
        if let Some(tenant) = self.slots.get_mut(ticket) {
            tenant.report_stored(now, effects);
        }
    }

    fn writing(&mut self, ticket: Ticket) -> Option<&mut WriteTransfer> {
        match self.phase(ticket) {
            Some(Phase::Writing { transfer, .. }) => Some(transfer),
            _ => None,
        }
    }
}

/// A window of an upload has to fit the memory that is set aside for one.
fn negotiate_window(
    request: &Request<'_>,
    offer: Offer,
) -> (Terms, Option<alloc::boxed::Box<[u8]>>) {
    let (terms, _) = negotiate(&request.options, &offer);
    let fits = UPLOAD_CHUNK / usize::from(terms.blksize.max(1));
    let fits = u16::try_from(fits).unwrap_or(u16::MAX);
    let offer = Offer {
        max_windowsize: offer.max_windowsize.min(fits),
        ..offer
    };
    negotiate(&request.options, &offer)
}

const TOO_LONG: Refusal<'static> = Refusal {
    code: ErrorCode::DISK_FULL,
    text: "More data than tsize announced",
    reason: "the client sent more than the tsize that it announced",
};

const OVERSIZED: Refusal<'static> = Refusal {
    code: ErrorCode::ILLEGAL_OPERATION,
    text: "Block larger than agreed",
    reason: "the client sent a block larger than was agreed",
};
