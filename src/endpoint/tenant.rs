//! One place of the slab: a request, its route, and what became of it so far.
//! It never searches for itself: `Endpoint` keeps the table and the wheel.

use alloc::boxed::Box;

use super::effects::{Effects, Train};
use super::report::{Ending, Outcome, Report};
use super::route::{Route, Ticket};
use super::table::Key;
use crate::transfer::{BlockRange, Nanos, ReadTransfer, WriteTransfer};
use crate::wire::{Mode, Packet, Request, decode};

/// A request that was taken in.
#[derive(Debug)]
pub struct Tenant<I> {
    pub route: Route,
    /// The datagram as it came: compared with repetitions, and read again once the file is open.
    pub request: Box<[u8]>,
    pub max_blksize: u16,
    pub since: Nanos,
    pub phase: Phase<I>,
}

#[derive(Debug)]
pub enum Phase<I> {
    /// There are as many transfers as there may be; the client last asked then.
    Waiting { asked: Nanos },
    /// The file is being opened, or a new one made, elsewhere.
    Opening,
    Reading {
        transfer: ReadTransfer,
        image: I,
        /// Kept until the peer has acknowledged it.
        oack: Option<Box<[u8]>>,
    },
    Writing {
        transfer: WriteTransfer,
        /// Kept until the peer has sent a block.
        oack: Option<Box<[u8]>>,
    },
    /// A member of a multicast group, which has content and state.
    Listening(Membership),
}

impl<I> Phase<I> {
    /// When the transfer's timer is due; `None` while the file is being opened.
    pub const fn deadline(&self) -> Option<Nanos> {
        match self {
            // A group keeps its members' timers.
            Self::Waiting { .. } | Self::Opening | Self::Listening(_) => None,
            Self::Reading { transfer, .. } => Some(transfer.deadline()),
            Self::Writing { transfer, .. } => Some(transfer.deadline()),
        }
    }
}

/// A client's place in a multicast group.
#[derive(Debug)]
pub struct Membership {
    pub group: u16,
    pub blksize: u16,
    pub size: u64,
    /// Blocks that the group had been sent before.
    pub joined_at: u64,
    /// How often it was told that it is a member.
    pub told: u8,
    /// Elections in which it did not answer.
    pub missed: u8,
    /// When it is told again; the master has the group's deadline instead.
    pub deadline: Nanos,
}

impl<I> Tenant<I> {
    pub fn request(&self) -> Option<Request<'_>> {
        read_request(&self.request).map(|(request, _)| request)
    }

    /// Whether the request is to write.
    pub fn is_write(&self) -> bool {
        read_request(&self.request).is_some_and(|(_, write)| write)
    }

    /// Something of each cache line that an ACK needs, so that it is read.
    pub fn touch(&self) -> u64 {
        let transfer = match &self.phase {
            Phase::Reading { transfer, .. } => transfer.touch(),
            _ => 0,
        };
        transfer ^ u64::from(self.route.peer.port())
    }

    /// The OACK, as long as the peer may not have got it.
    pub fn oack(&self) -> Option<&[u8]> {
        match &self.phase {
            Phase::Reading { oack, .. } | Phase::Writing { oack, .. } => oack.as_deref(),
            Phase::Opening | Phase::Waiting { .. } | Phase::Listening(_) => None,
        }
    }

    pub fn send_oack<F: Effects<Image = I>>(&self, effects: &mut F) {
        if let Some(oack) = self.oack() {
            effects.send_packet(&self.route, oack);
        }
    }

    /// An upload whose last ACK has been sent, and which has been reported then.
    pub fn is_dallying(&self) -> bool {
        matches!(&self.phase, Phase::Writing { transfer, .. } if transfer.is_done())
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
            if !transfer.is_parked() {
                effects.parked();
            }
            transfer.park(now, blocks);
            return true;
        }
        if blocks.last() == transfer.last_block() && !effects.unchanged(image) {
            return false;
        }
        if transfer.is_parked() {
            transfer.loaded(now);
        }
        if transfer.begins() {
            effects.begins(image, train.blksize, now - self.since);
        }
        effects.send_blocks(&self.route, image, train);
        true
    }

    /// Hands the record of this request, and its image, to the outside, and lets go of what was
    /// uploaded without success. An upload that only dallied has been reported already. A member of a
    /// group has no image of its own: `shared` is the group's, where this was its last member.
    pub fn end<F: Effects<Image = I>>(
        mut self,
        now: Nanos,
        ticket: Ticket,
        ending: Ending<'_>,
        shared: Option<I>,
        effects: &mut F,
    ) {
        if self.is_dallying() {
            return;
        }
        let figures = Figures::of(&self.phase, ending.outcome);
        let image = match core::mem::replace(&mut self.phase, Phase::Opening) {
            Phase::Reading { image, .. } => Some(image),
            Phase::Listening(_) => shared,
            Phase::Waiting { .. } | Phase::Opening | Phase::Writing { .. } => None,
        };
        let report = self.report(now, figures, ending);
        if report.write {
            effects.discard(ticket);
        }
        effects.finished(&report, image);
    }

    /// Reports an upload that is complete, and stays for its last ACK.
    pub fn report_stored<F: Effects<Image = I>>(&self, now: Nanos, effects: &mut F) {
        let figures = Figures::of(&self.phase, Outcome::Completed);
        let report = self.report(now, figures, Ending::new(Outcome::Completed, ""));
        effects.finished(&report, None);
    }

    fn report<'a>(&'a self, now: Nanos, figures: Figures, ending: Ending<'a>) -> Report<'a> {
        let request = read_request(&self.request);
        Report {
            route: &self.route,
            name: request
                .as_ref()
                .map_or(&[], |(request, _)| request.filename),
            mode: request
                .as_ref()
                .map_or(Mode::Unknown, |(request, _)| request.mode),
            write: request.as_ref().is_some_and(|(_, write)| *write),
            outcome: ending.outcome,
            reason: ending.reason,
            peer_error: ending.peer_error,
            bytes: figures.bytes,
            size: figures.size,
            duration: now - self.since,
            blksize: figures.blksize,
            windowsize: figures.windowsize,
            resends: figures.resends,
            round_trip: figures.round_trip,
        }
    }
}

/// What a transfer has come to.
#[derive(Default)]
struct Figures {
    bytes: u64,
    size: u64,
    blksize: u16,
    windowsize: u16,
    resends: u32,
    round_trip: Nanos,
}

impl Figures {
    fn of<I>(phase: &Phase<I>, outcome: Outcome) -> Self {
        match phase {
            Phase::Opening | Phase::Waiting { .. } => Self::default(),
            Phase::Listening(member) => Self {
                bytes: if outcome == Outcome::Completed {
                    member.size
                } else {
                    0
                },
                size: member.size,
                blksize: member.blksize,
                windowsize: 1,
                ..Self::default()
            },
            Phase::Reading { transfer, .. } => Self {
                bytes: transfer.acked_bytes(),
                size: transfer.size(),
                blksize: transfer.terms().blksize,
                windowsize: transfer.terms().windowsize,
                resends: transfer.resends(),
                round_trip: transfer.round_trip(),
            },
            Phase::Writing { transfer, .. } => Self {
                bytes: transfer.received_bytes(),
                size: transfer.announced(),
                blksize: transfer.terms().blksize,
                windowsize: transfer.terms().windowsize,
                resends: transfer.repeats(),
                round_trip: transfer.round_trip(),
            },
        }
    }
}

/// Reads a request again that was well-formed when it was taken in, and says whether it is to write.
fn read_request(bytes: &[u8]) -> Option<(Request<'_>, bool)> {
    match decode(bytes) {
        Ok(Packet::Rrq(request)) => Some((request, false)),
        Ok(Packet::Wrq(request)) => Some((request, true)),
        _ => None,
    }
}

/// Bytes of one transfer in the slab; a thousand machines cost less than 300 kB.
const _: () = assert!(size_of::<Tenant<alloc::sync::Arc<()>>>() <= 288);

impl Route {
    pub(super) const fn key(&self) -> Key {
        (self.peer, self.socket)
    }
}
