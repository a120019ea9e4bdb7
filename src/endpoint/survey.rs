//! The transfers under way as an operator sees them, copied a few at a time.
//! It never changes a transfer, and never allocates.

use core::hash::BuildHasher;

use super::Endpoint;
use super::route::{Peer, Ticket};
use super::tenant::{Phase, Tenant};
use crate::limits::NAME_SHOWN;
use crate::transfer::Nanos;

/// One transfer as it stands.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse {
    pub ticket: Ticket,
    pub peer: Peer,
    /// When the request came.
    pub since: Nanos,
    pub write: bool,
    pub doing: Doing,
    /// When it last got on; the request's time before it did.
    pub progress_at: Nanos,
    /// Bytes that were acknowledged; of an upload: that came.
    pub bytes: u64,
    /// Bytes in all; of an upload: the client's tsize, or 0.
    pub size: u64,
    pub blksize: u16,
    pub windowsize: u16,
    pub resends: u32,
    pub round_trip: Nanos,
    pub name: NameEnd,
}

/// What a transfer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// There are as many transfers as there may be.
    Queued,
    /// Its file is being opened.
    Opening,
    /// The client has not answered yet.
    Greeting,
    Sending,
    /// Blocks are on their way from a disk.
    Loading,
    Receiving,
    /// Blocks are on their way to a disk.
    Storing,
    /// One of many that listen to a stream.
    Listening,
}

/// The end of a client's name for a file: what tells files apart, in a fixed size.
#[derive(Clone, Copy)]
pub struct NameEnd {
    bytes: [u8; NAME_SHOWN],
    len: u8,
}

const _: () = assert!(NAME_SHOWN <= u8::MAX as usize);

impl NameEnd {
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        let end = name.get(name.len().saturating_sub(NAME_SHOWN)..);
        let end = end.unwrap_or_default();
        let mut bytes = [0; NAME_SHOWN];
        for (to, from) in bytes.iter_mut().zip(end) {
            *to = *from;
        }
        Self {
            bytes,
            len: u8::try_from(end.len()).unwrap_or(0),
        }
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl core::fmt::Debug for NameEnd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

impl<I, S: BuildHasher> Endpoint<I, S> {
    /// Shows the transfers in `most` places from `from` on. Answers where to go on, or nothing when
    /// these were the last.
    pub fn survey(&self, from: u32, most: u32, see: &mut impl FnMut(Glimpse)) -> Option<u32> {
        let end = from.saturating_add(most).min(self.slots.used());
        for slot in from..end {
            if let Some((ticket, tenant)) = self.slots.at(slot)
                && !tenant.is_dallying()
            {
                see(self.glimpse(ticket, tenant));
            }
        }
        (end < self.slots.used()).then_some(end)
    }

    fn glimpse(&self, ticket: Ticket, tenant: &Tenant<I>) -> Glimpse {
        // A request was well-formed when it was taken in: opcode, name, zero.
        let name = tenant.request.get(2..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut glimpse = Glimpse {
            ticket,
            peer: tenant.route.peer,
            since: tenant.since,
            write: tenant.request.get(1) == Some(&2),
            doing: Doing::Opening,
            progress_at: tenant.since,
            bytes: 0,
            size: 0,
            blksize: 0,
            windowsize: 0,
            resends: 0,
            round_trip: Nanos::ZERO,
            name: NameEnd::new(name),
        };
        match &tenant.phase {
            Phase::Opening => {}
            Phase::Waiting { .. } => glimpse.doing = Doing::Queued,
            Phase::Listening(member) => {
                glimpse.doing = Doing::Listening;
                glimpse.size = member.size;
                (glimpse.blksize, glimpse.windowsize) = (member.blksize, 1);
                if let Some(group) = self.groups.get(member.group) {
                    glimpse.bytes = group.bytes_of(ticket, member);
                    glimpse.progress_at = glimpse.progress_at.max(group.transfer.progress_at());
                    if group.is_master(ticket) && group.transfer.acked_bytes().is_some() {
                        glimpse.doing = if group.transfer.is_parked() {
                            Doing::Loading
                        } else {
                            Doing::Sending
                        };
                    }
                }
            }
            Phase::Reading { transfer, .. } => {
                glimpse.doing = if transfer.is_parked() {
                    Doing::Loading
                } else if transfer.proven() {
                    Doing::Sending
                } else {
                    Doing::Greeting
                };
                glimpse.progress_at = transfer.progress_at();
                (glimpse.bytes, glimpse.size) = (transfer.acked_bytes(), transfer.size());
                let terms = transfer.terms();
                (glimpse.blksize, glimpse.windowsize) = (terms.blksize, terms.windowsize);
                glimpse.resends = transfer.resends();
                glimpse.round_trip = transfer.round_trip();
            }
            Phase::Writing { transfer, .. } => {
                glimpse.doing = if transfer.waits_for_us() {
                    Doing::Storing
                } else if transfer.proven() {
                    Doing::Receiving
                } else {
                    Doing::Greeting
                };
                glimpse.progress_at = transfer.progress_at();
                (glimpse.bytes, glimpse.size) = (transfer.received_bytes(), transfer.announced());
                let terms = transfer.terms();
                (glimpse.blksize, glimpse.windowsize) = (terms.blksize, terms.windowsize);
                glimpse.resends = transfer.repeats();
                glimpse.round_trip = transfer.round_trip();
            }
        }
        glimpse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_end() {
        let long = [b"x".repeat(NAME_SHOWN), b"/initrd.img".to_vec()].concat();
        let end = NameEnd::new(&long);
        assert_eq!(end.as_bytes().len(), NAME_SHOWN);
        assert!(end.as_bytes().ends_with(b"x/initrd.img"));
        assert_eq!(NameEnd::new(b"a").as_bytes(), b"a");
        assert_eq!(NameEnd::new(b"").as_bytes(), b"");
    }
}
