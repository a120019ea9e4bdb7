//! What a shard needs from the kernel, and what it is told in return.
//! It never knows what a datagram means.

use core::net::IpAddr;
use std::io;

use super::outbox::Outbox;
use crate::endpoint::{Guess, Peer, SocketId, Ticket};
use crate::transfer::{BlockRange, Nanos};

/// Where a datagram came to, as a listening socket sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The address to answer from: the one asked, or the interface's own after a broadcast.
    /// Unspecified after an IPv6 multicast: then the kernel chooses by the interface.
    pub ip: IpAddr,
    pub ifindex: u32,
    /// It was sent to a broadcast or multicast address, so every shard has seen it.
    pub broadcast: bool,
}

/// What happened during a turn.
#[derive(Debug)]
pub enum Event<'a> {
    /// Datagrams of these peers are about to be reported, in this order, each with the guess that is made here.
    Batch {
        socket: SocketId,
        peers: &'a [Option<Peer>],
        guesses: &'a mut [Guess],
    },
    /// `local` is known on listening sockets only.
    Datagram {
        socket: SocketId,
        peer: Peer,
        local: Option<Arrival>,
        guess: Guess,
        bytes: &'a [u8],
        truncated: bool,
    },
    /// ICMP: nobody listens at `peer` any more, or its host is not reached.
    Unreachable { socket: SocketId, peer: Peer },
    /// The kernel refused these blocks for good.
    SendFailed {
        ticket: Ticket,
        blocks: BlockRange,
        /// EFAULT: the file is shorter than it was.
        unreadable: bool,
        errno: i32,
    },
    /// These blocks met a full socket buffer, which has room again now: send them anew.
    Congested { ticket: Ticket, blocks: BlockRange },
    /// Another thread used the [`Waker`](super::Waker).
    Woken,
    /// For the log.
    ZeroCopy(super::ZeroCopyNews),
}

/// One shard's way to the kernel.
///
/// Blocks that meet a full socket buffer (EAGAIN) leave the outbox, so that nothing queued points
/// into an image whose transfer has ended. They are named in [`Event::Congested`] as soon as the
/// socket is writable, to be rendered again if they are still wanted; until then, whatever else is
/// pushed for that socket waits with them. Packets (OACK, ERROR) are kept here and sent by
/// themselves. Blocks lost in a device's queue (ENOBUFS) are counted and nothing more: to the
/// transfer they are lost like any others.
pub trait Backend {
    /// Hands the outbox to the kernel and leaves it empty, waits until something arrives or
    /// `deadline` passes (`None`: as long as it takes; in the past: not at all), reports what
    /// happened. The work of one turn is bounded.
    ///
    /// `on_event` may be called for failures before the wait.
    ///
    /// # Errors
    /// When the backend itself no longer works. No datagram can cause that.
    fn turn(
        &mut self,
        outbox: &mut Outbox,
        deadline: Option<Nanos>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()>;

    /// Lets no further datagram come to the sockets that only receive requests. What they hold is
    /// still reported, so that nothing is lost when they are closed soon after.
    fn leave_listeners(&mut self) {}

    /// Closes the sockets that only receive requests, so that a successor may bind their port.
    /// Data sockets go on; in single-port mode there is nothing to close.
    ///
    /// # Errors
    /// When the kernel does not let a socket go.
    fn close_listeners(&mut self) -> io::Result<()>;

    /// Whether the last turn left datagrams in the sockets. What a timer waits for may be one. Only a turn
    /// that brought some says so: it comes to an end.
    fn behind(&self) -> bool;

    fn counters(&self) -> &Counters;

    /// Datagrams that the kernel dropped before we saw them, because a receive buffer was full.
    fn kernel_drops(&self) -> u64;

    /// The word for logs and metrics.
    fn name(&self) -> &'static str;
}

/// Totals since the backend was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    pub turns: u64,
    pub datagrams_received: u64,
    /// Received datagrams that were longer than the buffer.
    pub truncated: u64,
    pub receive_errors: u64,
    /// Datagrams accepted by the kernel, each block of a train counted.
    pub datagrams_sent: u64,
    /// Messages accepted by the kernel, a train counted once.
    pub messages_sent: u64,
    /// Messages refused for good.
    pub send_errors: u64,
    /// Messages that met a full socket buffer.
    pub congested: u64,
    /// Messages lost between us and the wire: ENOBUFS, or a packet for which no room was left.
    pub lost: u64,
    /// Trains that had to be sent block by block after the kernel refused to segment them.
    pub gso_fallbacks: u64,
    /// Trains accepted by the kernel that were to go out without a copy.
    pub zero_copy_sent: u64,
    /// Those of them that did.
    pub zero_copy_spared: u64,
    /// Those that the kernel copied after all. The rest is still with a device.
    pub zero_copy_copied: u64,
    /// The completion queue was full.
    pub ring_overflows: u64,
    /// A receive found no buffer provided.
    pub buffers_exhausted: u64,
}

impl Counters {
    /// Counts what a socket gave.
    pub(super) const fn received(&mut self, event: &Event<'_>) {
        self.datagrams_received += 1;
        if let Event::Datagram {
            truncated: true, ..
        } = event
        {
            self.truncated += 1;
        }
    }

    /// What became of zero-copy, where it was tried: a line for the log.
    pub(super) fn zero_copy(&self) -> Option<String> {
        let &Self {
            zero_copy_sent: sent,
            zero_copy_spared: spared,
            zero_copy_copied: copied,
            ..
        } = self;
        let rest = sent.saturating_sub(spared + copied);
        (sent > 0).then(|| {
            format!(
                "zero-copy for {sent} trains: {spared} transmitted without a copy, {copied} copied \
                 by the kernel after all, {rest} under way"
            )
        })
    }
}
