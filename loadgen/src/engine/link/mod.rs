//! Datagrams in and out, in batches, over few sockets or many.
//! It never knows what a packet means.

mod control;
mod inbox;
mod mmsg;
mod name;
mod outbox;
mod ready;
mod sockets;
mod uring;

use std::io;
use std::net::{IpAddr, SocketAddr};

pub use mmsg::Mmsg;
pub use sockets::{Sockets, allow_files};
pub use uring::Uring;

/// Number of a socket within its thread.
pub type Lane = u32;

/// A received datagram, or one segment of a received train.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    pub lane: Lane,
    /// The address that the server sent to, where sockets speak for several.
    pub local: Option<IpAddr>,
    pub from: SocketAddr,
    /// What was read of it, from the start.
    pub bytes: &'a [u8],
    /// Its length as it was sent.
    pub len: usize,
}

impl Datagram<'_> {
    /// Hands it over, or one after the other what the kernel has merged into pieces of `segment`
    /// bytes (UDP_GRO).
    fn hand_over(mut self, segment: Option<usize>, take: &mut dyn FnMut(Datagram<'_>)) {
        let Some(segment) = segment else {
            return take(self);
        };
        for bytes in self.bytes.chunks(segment.max(1)) {
            self.bytes = bytes;
            self.len = bytes.len();
            take(self);
        }
    }
}

/// Where a datagram leaves from and goes to.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub lane: Lane,
    /// Set where sockets speak for several addresses.
    pub source: Option<IpAddr>,
    pub to: SocketAddr,
}

/// How packets are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// A window may come as one piece (UDP_GRO).
    pub trains: bool,
    /// The largest packet that is wanted as a whole; of others only the head is read.
    pub largest: usize,
}

/// A backend.
pub trait Link {
    /// Queues a packet. What it cannot queue leaves at once.
    fn send(&mut self, route: Route, packet: &[u8]) -> io::Result<()>;

    /// Everything queued leaves.
    fn flush(&mut self) -> io::Result<()>;

    /// Takes a batch of what is there and says how many datagrams it was and whether more may be
    /// waiting.
    fn receive(&mut self, take: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received>;

    /// After so many calls of `receive` every socket was looked at.
    fn looks(&self) -> usize {
        1
    }

    /// Sleeps until something comes or so many nanoseconds are over.
    fn wait(&mut self, nanos: u64) -> io::Result<()>;
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    pub datagrams: usize,
    pub more: bool,
}
