//! The bytes of a shard's uploads on their way to the upload threads, in chunks from a fixed store.
//! It never waits and never turns bytes away: an ACK goes out only when there is room for what it
//! invites.

use core::net::IpAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::endpoint::{OpenRequest, Ticket};
use crate::files::Finder;
use crate::files::upload::{Policy, Uploads, Wanted};
use crate::limits::{UPLOAD_AHEAD, UPLOAD_CHUNK};
use crate::wire::options::Options;

/// This shard's uploads.
pub struct Intake {
    /// None: uploads are off.
    uploads: Option<Arc<Uploads>>,
    /// What may be uploaded from now on.
    policy: Arc<Policy>,
    shard: usize,
    /// By the transfer's slot.
    places: Vec<Place>,
    /// Memory that nobody uses.
    spare: Vec<Vec<u8>>,
    /// Chunks that may still be allocated.
    unmade: usize,
    /// Uploads that wait for memory, in the order of their asking. Some may have gone since.
    waiting: VecDeque<Ticket>,
}

#[derive(Default)]
struct Place {
    /// Of the transfer that the rest belongs to.
    generation: u32,
    chunk: Option<Vec<u8>>,
    /// Chunks at the upload threads.
    away: u8,
    /// An ACK waits for room.
    waits: bool,
}

impl Intake {
    /// Takes no uploads.
    #[must_use]
    pub fn closed() -> Self {
        Self::with(None, Arc::default(), 0, 0)
    }

    /// `memory` is this shard's part, in bytes.
    #[must_use]
    pub fn new(uploads: Arc<Uploads>, policy: Arc<Policy>, shard: usize, memory: usize) -> Self {
        let chunks = (memory / UPLOAD_CHUNK).max(1);
        Self::with(Some(uploads), policy, shard, chunks)
    }

    const fn with(
        uploads: Option<Arc<Uploads>>,
        policy: Arc<Policy>,
        shard: usize,
        unmade: usize,
    ) -> Self {
        Self {
            uploads,
            policy,
            shard,
            places: Vec::new(),
            spare: Vec::new(),
            unmade,
            waiting: VecDeque::new(),
        }
    }

    /// Takes new uploads by another policy, or none without one; those under way keep theirs. Says
    /// whether any may come.
    pub(super) fn renew(&mut self, policy: Option<Arc<Policy>>) -> bool {
        let takes = policy.is_some() && self.uploads.is_some();
        if let Some(policy) = policy {
            self.policy = policy;
        }
        takes
    }

    /// Asks for a file; `local` is the address of ours that was asked, `finder` says where names lead.
    /// Says whether there is room for one more upload.
    pub(super) fn create(
        &mut self,
        request: &OpenRequest<'_>,
        size: Option<u64>,
        local: Option<IpAddr>,
        finder: &Arc<Finder>,
    ) -> bool {
        let Some(uploads) = &self.uploads else {
            return false;
        };
        let slot = request.ticket.slot as usize;
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, Place::default);
        }
        if let Some(place) = self.places.get_mut(slot) {
            *place = Place {
                generation: request.ticket.generation,
                ..Place::default()
            };
        }
        let options = if finder.names().needs().options {
            request.options
        } else {
            Options::new(&[])
        };
        let wanted = Wanted {
            client: request.route.peer.ip(),
            local,
            name: request.name,
            mode: request.mode,
            finder,
            policy: &self.policy,
            options,
            size,
        };
        uploads.create(self.shard, request.ticket, &wanted)
    }

    /// Keeps room for `bytes`, at most a chunk. What is full goes to be written.
    pub(super) fn reserve(&mut self, ticket: Ticket, bytes: usize) -> bool {
        let Some(place) = self.place(ticket) else {
            return false;
        };
        if let Some(chunk) = &place.chunk
            && UPLOAD_CHUNK - chunk.len() >= bytes
        {
            return true;
        }
        self.send_off(ticket);
        self.take_chunk(ticket)
    }

    /// Takes bytes for which there is room.
    pub(super) fn store(&mut self, ticket: Ticket, payload: &[u8]) {
        let chunk = self.place(ticket).and_then(|place| place.chunk.as_mut());
        debug_assert!(chunk.is_some() || payload.is_empty(), "room was reserved");
        if let Some(chunk) = chunk {
            debug_assert!(chunk.len() + payload.len() <= UPLOAD_CHUNK);
            chunk.extend_from_slice(payload);
        }
    }

    pub(super) fn commit(&mut self, ticket: Ticket) {
        self.send_off(ticket);
        if let Some(uploads) = &self.uploads {
            uploads.commit(self.shard, ticket);
        }
    }

    pub(super) fn discard(&mut self, ticket: Ticket) {
        if let Some(place) = self.place(ticket) {
            place.waits = false;
            if let Some(mut chunk) = place.chunk.take() {
                chunk.clear();
                self.spare.push(chunk);
            }
        }
        if let Some(uploads) = &self.uploads {
            uploads.discard(self.shard, ticket);
        }
    }

    /// A chunk came back. The upload that sent it may go on if it had too many away.
    pub(super) fn written(&mut self, ticket: Ticket, memory: Vec<u8>) {
        self.spare.push(memory);
        if let Some(place) = self.place(ticket) {
            let bound = place.away >= UPLOAD_AHEAD;
            place.away = place.away.saturating_sub(1);
            if place.waits && bound {
                self.waiting.push_back(ticket);
            }
        }
    }

    /// The upload that has waited longest, if there is memory for it now.
    pub(super) fn next_waiting(&mut self) -> Option<Ticket> {
        if self.spare.is_empty() && self.unmade == 0 {
            return None;
        }
        while let Some(ticket) = self.waiting.pop_front() {
            if self.place(ticket).is_some_and(|place| place.waits) {
                return Some(ticket);
            }
        }
        None
    }

    /// Hands what has come to be written.
    fn send_off(&mut self, ticket: Ticket) {
        let Some(place) = self.place(ticket) else {
            return;
        };
        let Some(chunk) = place.chunk.take() else {
            return;
        };
        if chunk.is_empty() {
            self.spare.push(chunk);
            return;
        }
        place.away += 1;
        if let Some(uploads) = &self.uploads {
            uploads.write(self.shard, ticket, chunk);
        }
    }

    fn take_chunk(&mut self, ticket: Ticket) -> bool {
        let Some(place) = self.place(ticket) else {
            return false;
        };
        if place.away >= UPLOAD_AHEAD {
            place.waits = true;
            return false;
        }
        let chunk = self.spare.pop().or_else(|| {
            self.unmade = self.unmade.checked_sub(1)?;
            Some(Vec::with_capacity(UPLOAD_CHUNK))
        });
        let has = chunk.is_some();
        if let Some(place) = self.place(ticket) {
            place.waits = !has;
            place.chunk = chunk;
        }
        if !has {
            self.waiting.push_back(ticket);
        }
        has
    }

    fn place(&mut self, ticket: Ticket) -> Option<&mut Place> {
        let place = self.places.get_mut(ticket.slot as usize)?;
        (place.generation == ticket.generation).then_some(place)
    }
}
