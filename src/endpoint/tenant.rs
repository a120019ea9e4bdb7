//! One place of the slab: a request, its route, and what became of it so far.
//! It never searches for itself: `Endpoint` keeps the table and the wheel.

use alloc::boxed::Box;

use super::effects::{Effects, Train};
use super::report::{Ending, Outcome, Report};
use super::route::{Route, Ticket};
use super::table::Key;
use super::wheel::Armed;
use crate::transfer::{BlockRange, Nanos, ReadTransfer};
use crate::wire::{Mode, Packet, Request, decode};

/// A request that was taken in.
#[derive(Debug)]
pub struct Tenant<I> {
    pub route: Route,
    /// The datagram as it came: compared with repetitions, and read again once the file is open.
    pub request: Box<[u8]>,
    pub max_blksize: u16,
    pub since: Nanos,
    pub armed: Armed,
    pub phase: Phase<I>,
}

#[derive(Debug)]
pub enum Phase<I> {
    /// There are as many transfers as there may be; the client last asked then.
    Waiting { asked: Nanos },
    /// The file is being opened elsewhere.
    Opening,
    Reading {
        transfer: ReadTransfer,
        image: I,
        /// Kept until the peer has acknowledged it.
        oack: Option<Box<[u8]>>,
    },
    /// A member of a multicast group, which has content and state.
    Listening(Membership),
}

/// A client's place in a multicast group.
#[derive(Debug)]
pub struct Membership {
    pub group: u16,
    pub blksize: u16,
    pub size: u64,
    /// How often it was told that it is a member.
    pub told: u8,
    /// When it is told again; the master has the group's deadline instead.
    pub deadline: Nanos,
}

impl<I> Tenant<I> {
    pub fn request(&self) -> Option<Request<'_>> {
        read_request(&self.request)
    }

    pub fn send_oack<F: Effects<Image = I>>(&self, effects: &mut F) {
        if let Phase::Reading {
            oack: Some(oack), ..
        } = &self.phase
        {
            effects.send_packet(&self.route, oack);
        }
    }

    /// Sends blocks if they are in memory, and parks them otherwise. `false` where the file's last
    /// block is among them and the file is not what it was.
    #[must_use]
    pub fn send_blocks<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        blocks: BlockRange,
        effects: &mut F,
    ) -> bool {
        let Phase::Reading {
            transfer, image, ..
        } = &mut self.phase
        else {
            return true;
        };
        let blocks = transfer.with_parked(blocks);
        let terms = transfer.terms();
        let train = Train {
            ticket,
            blocks,
            blksize: terms.blksize,
            lockstep: terms.windowsize == 1,
            rollover: terms.rollover,
        };
        if !effects.resident(now, image, train) {
            transfer.park(now, blocks);
            return true;
        }
        if blocks.last() == transfer.last_block() && !effects.unchanged(image) {
            return false;
        }
        if transfer.is_parked() {
            transfer.loaded(now);
        }
        effects.send_blocks(&self.route, image, train);
        true
    }

    /// Hands the record of this request, and its image, to the outside. A member of a group has no
    /// image of its own: `shared` is the group's, where this was its last member.
    pub fn end<F: Effects<Image = I>>(
        self,
        now: Nanos,
        ending: Ending<'_>,
        shared: Option<I>,
        effects: &mut F,
    ) {
        let request = read_request(&self.request);
        let mut report = Report {
            route: &self.route,
            name: request.as_ref().map_or(&[], |request| request.filename),
            mode: request
                .as_ref()
                .map_or(Mode::Unknown, |request| request.mode),
            outcome: ending.outcome,
            reason: ending.reason,
            peer_error: ending.peer_error,
            bytes: 0,
            size: 0,
            duration: now - self.since,
            blksize: 0,
            windowsize: 0,
            resends: 0,
            round_trip: Nanos::ZERO,
        };
        match self.phase {
            Phase::Opening | Phase::Waiting { .. } => effects.finished(&report, None),
            Phase::Reading {
                transfer, image, ..
            } => {
                report.bytes = transfer.acked_bytes();
                report.size = transfer.size();
                report.blksize = transfer.terms().blksize;
                report.windowsize = transfer.terms().windowsize;
                report.resends = transfer.resends();
                report.round_trip = transfer.round_trip();
                effects.finished(&report, Some(image));
            }
            Phase::Listening(member) => {
                let all = ending.outcome == Outcome::Completed;
                report.bytes = if all { member.size } else { 0 };
                report.size = member.size;
                report.blksize = member.blksize;
                report.windowsize = 1;
                effects.finished(&report, shared);
            }
        }
    }
}

/// Reads a request again that was well-formed when it was taken in.
fn read_request(bytes: &[u8]) -> Option<Request<'_>> {
    match decode(bytes) {
        Ok(Packet::Rrq(request)) => Some(request),
        _ => None,
    }
}

/// Bytes of one transfer in the slab; a thousand machines cost less than 300 kB.
const _: () = assert!(size_of::<Tenant<alloc::sync::Arc<()>>>() <= 280);

impl Route {
    pub(super) const fn key(&self) -> Key {
        (self.peer, self.socket)
    }
}
