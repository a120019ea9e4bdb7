//! No allocation for a packet: the endpoint alone, and a whole shard between its sockets.
//! It never counts what a request costs: a transfer's memory is taken when it starts.

mod counting;
mod crowd;
mod endpoint;
mod shard;
mod upload;

#[path = "../support/datagram.rs"]
mod datagram;

#[path = "../support/rng.rs"]
#[allow(dead_code, reason = "shared with the tests of the server")]
mod rng;

#[path = "../support/shard.rs"]
#[allow(dead_code, reason = "nobody reads the log here")]
mod support;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
