//! One core's loop: receive, hand to the endpoint, send what it says, sleep until the next deadline.
//! It never opens a file and never waits for anything but its backend.
//!
//! # Many shards
//!
//! Measured on two cores; what follows is the plan for 32 and more, and what the simulator shows of it
//! (`tests/simulation/shards.rs`: each client meets one shard, shares are even, a shard that stands
//! still disturbs no other).
//!
//! **What a packet touches.** The shard's own: sockets, ring and receive buffers, table, slab, wheel,
//! outbox. They are made on the shard's thread after it was pinned, so that their pages are first
//! touched on its node, and lie in allocations of their own, which no other core writes to. Shared, and
//! only read: the [`Image`](crate::files::Image), its frames or mapping, and once for each chunk of a
//! file its stamp of residency, which is written once a second.
//!
//! **What a turn touches.** One reference count for each image in the outbox. It is the only line
//! that all cores write at the rate of turns, so an image keeps its count on a line apart from what
//! every packet reads (its alignment). Should it show on real hardware, the outbox can take over the
//! images of the transfers that end in a turn instead of counting.
//!
//! **What a transfer touches.** The queue to the opening threads and the queue of log records, one
//! compare-and-swap each; the mailbox, whose ends crossbeam keeps on lines apart. The limits that hold for
//! all shards together ([`Guard`](crate::endpoint::Guard)): the bucket of the client's network, once for the
//! request and once for the proof (a farm in one /24 has one word for it), the client's count and the count
//! of all, at its begin and end. The count of requests of the [`Loader`](crate::files::Loader). That is
//! some six words that all cores write for each transfer, against hundreds of packets. The one thread that
//! answers for names which the kernel remembers would be the first to be doubled, by hash of the name.
//!
//! **Where datagrams arrive.** Requests: the kernel hashes both ends over port 69's group, so a
//! repeated request meets the same shard as long as the group is unchanged. ACKs: to the shard's own
//! port, whatever the card does. A card spreads by a hash of its own, so most ACKs are received on
//! another core than their shard's and cross over once, in the socket's queue. To avoid that, filter by
//! port on the card (`ethtool -N … dst-port`), for which `--data-ports` gives each shard fixed ports.
//! `SO_INCOMING_CPU` or a BPF program by CPU (`SKF_AD_CPU`) on port 69 would only move the requests, of
//! which there is one for each transfer, and break the group's stability when interrupts move: left out.
//! Single-port mode has one group for everything and steers by source port (`steer`).
//! Broadcasts reach every member of the group; all but one drop them by the same rule, so a broadcast
//! costs every shard one receive: with 64 shards a storm of 2,000 of them costs each some milliseconds.
//!
//! **Memory nodes.** Frames and page cache lie where they were first touched, so half of the shards
//! of a machine with two nodes read them over the link. One server for each node avoids it today; frames
//! for each node would cost their budget once more for each and wait for somebody to measure them.
//!
//! **Threads beside the shards** (opening, reading, framing, log) are not pinned: they run on the
//! shards' cores and sleep when nothing is cold.

mod address;
mod backend;
mod backlog;
mod bind;
mod control;
mod delivery;
mod direct;
mod epoll;
mod epoll_wait;
mod errqueue;
mod inbox;
mod intake;
mod interleave;
mod leaving;
mod mailbox;
mod mtu;
mod open;
mod options;
mod outbox;
mod outside;
mod punctual;
mod render;
mod secret;
mod segmentation;
mod sockets;
mod steer;
mod streams;
pub mod uring;
mod waker;
mod worker;

pub use backend::{Arrival, Backend, Counters, Event};
pub use bind::{adopt, bind, join};
pub use epoll::EpollBackend;
pub use intake::Intake;
pub use interleave::Interleave;
pub use mailbox::{Address, Letter, Mailbox, Order, Orders, mailbox};
pub use mtu::Mtus;
pub use open::{IoChoice, Opened, ZeroCopy, open, uring_refusal};
pub use outbox::Outbox;
pub use outside::Outside;
pub use secret::secret_hash;
pub use sockets::{BindError, Buffers, Layout, Listen, Plan, Role, Sockets};
pub use uring::ZeroCopyNews;
pub use waker::Waker;
pub use worker::{Settings, Terms, Worker};

#[cfg(test)]
mod tests;

/// The errno of the system call that just failed on this thread.
fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
