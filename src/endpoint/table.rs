//! The demultiplexing table: from (peer, socket) to the place of its transfer.
//! It never trusts its keys: clients choose their addresses, so the hash is keyed (SipHash).

use core::hash::BuildHasher;

use hashbrown::HashTable;

use super::route::{Peer, SocketId};

/// Places by peer and socket. The keys themselves stand with the transfers, so an entry is 4 bytes.
#[derive(Debug)]
pub struct Table<S> {
    entries: HashTable<u32>,
    hasher: S,
}

/// What a transfer is found by: the two transfer identifiers (RFC 1350, section 4).
pub type Key = (Peer, SocketId);

impl<S: BuildHasher> Table<S> {
    pub const fn new(hasher: S) -> Self {
        Self {
            entries: HashTable::new(),
            hasher,
        }
    }

    /// What `of` makes of the place with this key; it is asked for places that only may be it.
    pub fn find<R>(&self, key: Key, of: impl Fn(u32) -> Option<R>) -> Option<R> {
        let mut found = None;
        self.entries.find(hash(&self.hasher, key), |&slot| {
            found = of(slot);
            found.is_some()
        });
        found
    }

    /// A place that probably is of this key, found without a look at the place itself.
    pub fn guess(&self, key: Key) -> Option<u32> {
        self.entries
            .find(hash(&self.hasher, key), |_| true)
            .copied()
    }

    pub fn insert(&mut self, key: Key, slot: u32, key_of: impl Fn(u32) -> Option<Key>) {
        let hasher = &self.hasher;
        self.entries
            .insert_unique(hash(hasher, key), slot, |&slot| {
                key_of(slot).map_or(0, |key| hash(hasher, key))
            });
    }

    pub fn remove(&mut self, key: Key, slot: u32) {
        let hash = hash(&self.hasher, key);
        if let Ok(entry) = self.entries.find_entry(hash, |&entry| entry == slot) {
            entry.remove();
        }
    }

    pub const fn hasher(&self) -> &S {
        &self.hasher
    }
}

/// Most clients have IPv4 addresses, whose keys are one word. Both forms never collide by themselves:
/// SipHash takes the length in.
#[inline]
fn hash<S: BuildHasher>(hasher: &S, (peer, socket): Key) -> u64 {
    match peer.key_v4() {
        Some(numbers) => hasher.hash_one((numbers << 16) | u64::from(socket.0)),
        None => hash_v6(hasher, (peer, socket)),
    }
}

#[inline(never)]
fn hash_v6<S: BuildHasher>(hasher: &S, (peer, socket): Key) -> u64 {
    let (ip, numbers) = peer.key();
    hasher.hash_one((ip, (numbers << 16) | u64::from(socket.0)))
}
