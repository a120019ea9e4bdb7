//! Packets that the impairment holds back.
//! It never decides which.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::link::{Lane, Route};
use crate::machine::Nanos;

/// A packet on its slow way.
pub enum HeldPacket {
    In {
        machine: u32,
        lane: Lane,
        from: SocketAddr,
        bytes: Box<[u8]>,
        len: usize,
    },
    Out {
        route: Route,
        bytes: Box<[u8]>,
    },
}

/// In order of release; equal moments in the order of arrival.
#[derive(Default)]
pub struct Held {
    packets: BTreeMap<(Nanos, u64), HeldPacket>,
    count: u64,
}

impl Held {
    pub fn add(&mut self, due: Nanos, packet: HeldPacket) {
        self.count += 1;
        self.packets.insert((due, self.count), packet);
    }

    pub fn next(&self) -> Option<Nanos> {
        let first = self.packets.first_key_value();
        first.map(|(&(due, _), _)| due)
    }

    pub fn pop(&mut self, now: Nanos) -> Option<HeldPacket> {
        let entry = self.packets.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
