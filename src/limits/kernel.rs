//! Sockets, buffers and rings.

use crate::transfer::Nanos;

/// Receive buffer of each socket, in bytes. The kernel doubles it and counts 768 bytes and more for a
/// small datagram, 2,304 from many cards: 20,000 requests at once take 15 to 46 MB of port 69's
/// buffer. Empty, it takes none.
pub const RECEIVE_BUFFER: usize = 32 << 20;

/// The same for a socket that ACKs come to: those of 100,000 clients take 77 MB. Who gets only
/// [`RECEIVE_BUFFER`] has room for half of that many on each shard, which is no reason to warn.
pub const ACKS_BUFFER: usize = 2 * RECEIVE_BUFFER;

/// Send buffer of each socket, in bytes: the windows of some thousand clients on their way to a card.
pub const SEND_BUFFER: usize = 8 << 20;

/// A predecessor's port is waited for this many times this long: a second in all.
pub const BIND_TRIES: u32 = 50;
pub const BIND_TRY_MILLIS: u64 = 20;

/// The interface MTU is asked again after this many seconds: it changes rarely, but it does.
pub const MTU_FRESH_SECS: u64 = 5;

/// Sends that wait for room in a socket's buffer. What does not fit is left to retransmission.
pub const BACKLOG: usize = 4096;

/// The largest request taken whole. RFC 1350 knows 512 bytes; long names and options need more.
pub const REQUEST_BUFFER: usize = 2048;

/// Batches of 64 datagrams taken from one socket before the others have their turn.
pub const BATCHES_PER_TURN: usize = 2;

/// A socket that gave this many datagrams in each of this many turns is read without asking epoll
/// first, until it gives none. With fewer of them the calls saved are not worth the changes.
pub const BUSY_DATAGRAMS: usize = 4;
pub const BUSY_TURNS: u8 = 8;

/// While such sockets are busy, a turn looks at the others only if the last look is this long ago. So much
/// longer may a request wait than for the turn that is under way.
pub const BUSY_LOOK: Nanos = Nanos::from_micros(500);

/// The largest datagram taken whole on a data socket: ACKs have 4 bytes, ERRORs a short text.
pub const ACK_BUFFER: usize = 128;

/// Receive buffers of each data socket where clients send blocks. With the largest blocks these are
/// 16 MiB of addresses, of which only what was once filled is memory; more blocks wait in the socket.
pub const DATA_BUFFERS: u16 = 256;

/// Entries of a shard's ring and of its receive buffers.
#[derive(Debug, Clone, Copy)]
pub struct RingSize {
    pub submissions: u32,
    pub completions: u32,
    /// For each listening socket; a burst beyond it waits in the socket.
    pub request_buffers: u16,
    /// For each data socket.
    pub ack_buffers: u16,
}

/// A turn of 1,024 sends is one system call.
pub const RING_LARGE: RingSize = RingSize {
    submissions: 1024,
    completions: 4096,
    request_buffers: 512,
    ack_buffers: 1024,
};

/// Fits the 64 KiB of memory that a process may lock on an old or careful host.
pub const RING_SMALL: RingSize = RingSize {
    submissions: 256,
    completions: 512,
    request_buffers: 128,
    ack_buffers: 256,
};

/// How long a shard that is to drain still reads its listening sockets when no further request can
/// come to them: a datagram that was on its way into one is there long before.
pub const LEAVE_PAUSE: Nanos = Nanos::from_millis(50);

/// At most this long, where there is so much to read.
pub const LEAVE_MAX: Nanos = Nanos::from_secs(1);

/// Attempts to get completions that must come. Each one is a system call that makes progress.
pub const RING_TRIES: u32 = 1000;

/// Datagrams that try a new ring out, and the wait for each. Loopback loses some where a firewall
/// drops at random or a receive buffer is full; one that comes proves the ring.
pub const PROBE_TRIES: u32 = 5;
pub const PROBE_WAIT: Nanos = Nanos::from_millis(200);

/// Receives that may fail in a row without an ICMP error as the reason.
pub const RECEIVE_FAILURES: u32 = 10_000;
