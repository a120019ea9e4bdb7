//! Brings the clients of one multicast stream together on one shard (RFC 2090), whichever shard
//! heard their requests. It never starts a transfer: the endpoint of that shard does.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::backend::Arrival;
use crate::endpoint::{Peer, SocketId};
use crate::wire::{OptionName, Packet, decode};

/// A request that another shard heard.
#[derive(Debug)]
pub struct Forwarded {
    pub(super) socket: SocketId,
    pub(super) peer: Peer,
    pub(super) arrival: Arrival,
    pub(super) bytes: Box<[u8]>,
}

/// A number for the stream that a request asks to join: the same on every shard and for all who ask
/// for the same name. `None` where it asks for no stream.
pub(super) fn wanted(bytes: &[u8]) -> Option<u64> {
    let Ok(Packet::Rrq(request)) = decode(bytes) else {
        return None;
    };
    request.options.get(OptionName::Multicast)?;
    // Its keys are fixed, so all shards agree. A client that chooses its names to meet on one shard
    // only crowds the stream that it asks for.
    let mut hasher = DefaultHasher::new();
    request.filename.hash(&mut hasher);
    Some(hasher.finish())
}
