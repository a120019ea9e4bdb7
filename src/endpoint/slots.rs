//! The slab of transfers: fixed places, reused, each tenant with a generation of its own.
//! It never looks inside a tenant.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::route::Ticket;

/// Places in a piece of the slab. A slab in one piece that doubles would at its worst take twice the
/// memory that its tenants need, and would be copied in the middle of a burst.
const PIECE: usize = 512;

/// A slab whose places are named by [`Ticket`]s.
#[derive(Debug)]
pub struct Slots<T> {
    pieces: Vec<Box<[Place<T>]>>,
    /// Places that were ever taken.
    used: usize,
    free: Vec<u32>,
    capacity: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Slots<T> {
    pub const fn new(capacity: usize) -> Self {
        Self {
            pieces: Vec::new(),
            used: 0,
            free: Vec::new(),
            capacity,
        }
    }

    /// Moves a tenant in, unless every place is taken.
    pub fn insert(&mut self, tenant: T) -> Option<Ticket> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.used < self.capacity => self.grow()?,
            None => return None,
        };
        let place = self.place_mut(slot)?;
        place.tenant = Some(tenant);
        Some(Ticket {
            slot,
            generation: place.generation,
        })
    }

    /// Moves the tenant out; its tickets are void from here on.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.place_mut(ticket.slot)?;
        if place.generation != ticket.generation {
            return None;
        }
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(ticket.slot);
        Some(tenant)
    }

    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let place = self.place_mut(ticket.slot)?;
        (place.generation == ticket.generation)
            .then_some(place.tenant.as_mut())
            .flatten()
    }

    /// The tenant of a place, whoever it is, and the ticket that is its own.
    pub fn at(&self, slot: u32) -> Option<(Ticket, &T)> {
        let place = self.place(slot)?;
        let generation = place.generation;
        let ticket = Ticket { slot, generation };
        place.tenant.as_ref().map(|tenant| (ticket, tenant))
    }

    /// The tenant of a place, whoever it is.
    pub fn tenant(&self, slot: u32) -> Option<&T> {
        self.at(slot).map(|(_, tenant)| tenant)
    }

    /// The tickets of all tenants.
    pub fn tickets(&self) -> Vec<Ticket> {
        (0..self.used)
            .filter_map(|slot| self.at(u32::try_from(slot).ok()?))
            .map(|(ticket, _)| ticket)
            .collect()
    }

    /// Places that were ever taken; they come before all others.
    pub fn used(&self) -> u32 {
        u32::try_from(self.used).unwrap_or(u32::MAX)
    }

    pub fn len(&self) -> usize {
        self.used - self.free.len()
    }

    /// One more place, and a piece with room for others where the last one is full.
    fn grow(&mut self) -> Option<u32> {
        let slot = u32::try_from(self.used).ok()?;
        if self.used == self.pieces.len() * PIECE {
            let vacant = || Place {
                generation: 0,
                tenant: None,
            };
            let places = self.capacity.saturating_sub(self.used).min(PIECE);
            self.pieces
                .push(core::iter::repeat_with(vacant).take(places).collect());
        }
        self.used += 1;
        Some(slot)
    }

    fn place(&self, slot: u32) -> Option<&Place<T>> {
        let slot = slot as usize;
        self.pieces.get(slot / PIECE)?.get(slot % PIECE)
    }

    fn place_mut(&mut self, slot: u32) -> Option<&mut Place<T>> {
        let slot = slot as usize;
        self.pieces.get_mut(slot / PIECE)?.get_mut(slot % PIECE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_of_a_former_tenant_opens_nothing() {
        let mut slots = Slots::new(2);
        let first = slots.insert("first").expect("room");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second").expect("room");
        assert_eq!(second.slot, first.slot);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(second), Some(&mut "second"));
    }

    #[test]
    fn a_full_house_takes_nobody() {
        for capacity in [1, PIECE, PIECE + 1] {
            let mut slots = Slots::new(capacity);
            for tenant in 0..capacity {
                let ticket = slots.insert(tenant).expect("room");
                assert_eq!(slots.get_mut(ticket), Some(&mut tenant.clone()));
            }
            assert_eq!(slots.insert(0), None);
            assert_eq!((slots.len(), slots.tickets().len()), (capacity, capacity));
        }
    }
}
