//! The slab of transfers: fixed places, reused, each tenant with a generation of its own.
//! It never looks inside a tenant.

use alloc::vec::Vec;

use super::route::Ticket;

/// A slab whose places are named by [`Ticket`]s.
#[derive(Debug)]
pub struct Slots<T> {
    places: Vec<Place<T>>,
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
            places: Vec::new(),
            free: Vec::new(),
            capacity,
        }
    }

    /// Moves a tenant in, unless every place is taken.
    pub fn insert(&mut self, tenant: T) -> Option<Ticket> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.places.len() < self.capacity => {
                let slot = u32::try_from(self.places.len()).ok()?;
                self.places.push(Place {
                    generation: 0,
                    tenant: None,
                });
                slot
            }
            None => return None,
        };
        let place = self.places.get_mut(slot as usize)?;
        place.tenant = Some(tenant);
        Some(Ticket {
            slot,
            generation: place.generation,
        })
    }

    /// Moves the tenant out; its tickets are void from here on.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let place = self.places.get_mut(ticket.slot as usize)?;
        if place.generation != ticket.generation {
            return None;
        }
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(ticket.slot);
        Some(tenant)
    }

    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut T> {
        let place = self.places.get_mut(ticket.slot as usize)?;
        (place.generation == ticket.generation)
            .then_some(place.tenant.as_mut())
            .flatten()
    }

    /// The tenant of a place, whoever it is.
    pub fn tenant(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.tenant.as_ref()
    }

    /// The ticket of the place's present tenant.
    pub fn ticket(&self, slot: u32) -> Option<Ticket> {
        let place = self.places.get(slot as usize)?;
        place.tenant.as_ref().map(|_| Ticket {
            slot,
            generation: place.generation,
        })
    }

    /// The tickets of all tenants.
    pub fn tickets(&self) -> Vec<Ticket> {
        (0..self.places.len())
            .filter_map(|slot| self.ticket(u32::try_from(slot).ok()?))
            .collect()
    }

    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
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
        let mut slots = Slots::new(1);
        assert!(slots.insert(1).is_some());
        assert_eq!(slots.insert(2), None);
        assert_eq!(slots.len(), 1);
    }
}
