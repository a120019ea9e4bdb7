//! The slab of transfers: fixed places, reused, each tenant with a generation of its own.
//! It never looks inside a tenant.

use alloc::vec::Vec;

use super::pieces::Pieces;
use super::route::Ticket;

/// A slab whose places are named by [`Ticket`]s.
#[derive(Debug)]
pub struct Slots<T> {
    places: Pieces<Place<T>>,
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
            places: Pieces::new(),
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
        let place = self.places.get_mut(slot)?;
        place.tenant = Some(tenant);
        Some(Ticket {
            slot,
            generation: place.generation,
        })
    }

    /// Moves the tenant out; its tickets are void from here on.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.places.get_mut(ticket.slot)?;
        if place.generation != ticket.generation {
            return None;
        }
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(ticket.slot);
        Some(tenant)
    }

    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let place = self.places.get_mut(ticket.slot)?;
        (place.generation == ticket.generation)
            .then_some(place.tenant.as_mut())
            .flatten()
    }

    /// The tenant of a place, whoever it is, and the ticket that is its own.
    pub fn at(&self, slot: u32) -> Option<(Ticket, &T)> {
        let place = self.places.get(slot)?;
        let generation = place.generation;
        let ticket = Ticket { slot, generation };
        place.tenant.as_ref().map(|tenant| (ticket, tenant))
    }

    /// Has the memory of these places fetched, all at the same time: `read` answers with something of each
    /// part of a tenant, of which nothing is made.
    pub fn touch(&self, slots: impl Iterator<Item = u32>, read: impl Fn(&T) -> u64) {
        let places = slots.filter_map(|slot| self.places.get(slot));
        let parts = places.map(|place| {
            let tenant = place.tenant.as_ref().map_or(0, &read);
            tenant ^ u64::from(place.generation)
        });
        core::hint::black_box(parts.fold(0, |all, one| all ^ one));
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
        if !self.places.has_room(self.used + 1) {
            self.places.grow(self.capacity - self.used, || Place {
                generation: 0,
                tenant: None,
            });
        }
        self.used += 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::pieces::PIECE;

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
