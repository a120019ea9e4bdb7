//! Sends whose bytes the kernel may still read.
//! It never lets an image go before the kernel has said that it is done with it.

use std::sync::Arc;

use super::paths::Network;
use crate::files::Image;

/// A send without a copy, until its notification.
pub(super) struct Flight {
    /// Keeps the bytes where they are, and counted in the memory that frames may take.
    pub(super) _image: Arc<Image>,
    pub(super) network: Network,
    /// Its place among the headers of the turn in which it was sent.
    pub(super) position: u32,
    pub(super) registered: bool,
    /// The kernel did not take it, so its notification says nothing about the path.
    pub(super) refused: bool,
}

/// A slab of a fixed size.
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    free: Vec<u32>,
}

impl Flights {
    pub(super) fn new(room: u32) -> Self {
        Self {
            slots: (0..room).map(|_| None).collect(),
            free: (0..room).rev().collect(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// `None` when there is no room.
    pub(super) fn begin(&mut self, flight: Flight) -> Option<u32> {
        let slot = self.free.pop()?;
        *self.slots.get_mut(slot as usize)? = Some(flight);
        Some(slot)
    }

    pub(super) fn get(&mut self, slot: u32) -> Option<&mut Flight> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn end(&mut self, slot: u32) -> Option<Flight> {
        let flight = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(flight)
    }

    /// Keeps all that is still under way for as long as the process lives.
    pub(super) fn leak(&mut self) {
        self.slots.drain(..).flatten().for_each(core::mem::forget);
        self.free.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Peer;

    #[test]
    fn an_image_stays_until_its_last_flight_has_ended() {
        let image = Arc::new(Image::from_bytes(vec![1, 2, 3]));
        let mut flights = Flights::new(2);
        let first = flights.begin(flight(&image)).expect("room");
        let second = flights.begin(flight(&image)).expect("room");
        assert!(!flights.has_room());
        assert!(flights.begin(flight(&image)).is_none());
        assert_eq!(Arc::strong_count(&image), 3);
        assert!(flights.end(first).is_some());
        assert!(
            flights.end(first).is_none(),
            "a second notification is nothing"
        );
        assert!(flights.get(second).is_some());
        assert_eq!(Arc::strong_count(&image), 2);
        assert!(!flights.is_empty());
        flights.end(second);
        assert!(flights.is_empty());
        assert_eq!(Arc::strong_count(&image), 1);
    }

    #[test]
    fn what_the_kernel_never_gave_back_is_never_freed() {
        let image = Arc::new(Image::from_bytes(vec![1, 2, 3]));
        let mut flights = Flights::new(2);
        flights.begin(flight(&image));
        flights.leak();
        drop(flights);
        assert_eq!(Arc::strong_count(&image), 2);
    }

    fn flight(image: &Arc<Image>) -> Flight {
        let addr: core::net::SocketAddr = "192.0.2.1:9".parse().expect("an address");
        Flight {
            _image: Arc::clone(image),
            network: Network::from(Peer::from(addr)),
            position: 0,
            registered: false,
            refused: false,
        }
    }
}
