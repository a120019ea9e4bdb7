//! A finished transfer, remembered for a while: its last ACK may have been lost.
//! It never counts as progress.

use std::net::SocketAddr;

use ringboot::wire::{Packet, decode};

use super::{Nanos, Say};

/// How long a client still answers a repeated last block.
const DALLY: Nanos = 10_000_000_000;

#[derive(Debug, Clone, Copy)]
pub struct Past {
    peer: SocketAddr,
    last: u16,
    until: Nanos,
}

impl Past {
    pub(super) const fn new(peer: SocketAddr, last: u16, now: Nanos) -> Self {
        Self {
            peer,
            last,
            until: now + DALLY,
        }
    }

    #[must_use]
    pub fn is_from(&self, peer: SocketAddr) -> bool {
        self.peer == peer
    }

    /// The last block again means that its ACK was lost.
    #[must_use]
    pub fn handle(&self, now: Nanos, bytes: &[u8]) -> Say {
        match decode(bytes) {
            Ok(Packet::Data { block, .. }) if block == self.last && now < self.until => {
                Say::Ack(self.last)
            }
            _ => Say::Nothing,
        }
    }
}
