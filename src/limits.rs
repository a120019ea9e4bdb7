//! Every bound, with its reason. A number that limits something stands here or nowhere.

/// Socket buffers, in bytes. A burst of 2,000 requests takes about 2 MiB of a receive buffer (the
/// kernel counts its own structures); windows of as many clients wait in the send buffer.
pub const SOCKET_BUFFER: usize = 8 << 20;

/// Data sockets of each shard for each address it listens on. More of them make a transfer's port
/// harder to guess and split batches into more calls.
pub const DATA_SOCKETS: usize = 2;

/// A predecessor's port is waited for this many times this long: a second in all.
pub const BIND_TRIES: u32 = 50;
pub const BIND_TRY_MILLIS: u64 = 20;

/// The interface MTU is asked again after this many seconds: it changes rarely, but it does.
pub const MTU_FRESH_SECS: u64 = 5;

/// The largest block (RFC 2348, section "Blocksize Option Specification").
pub const BLKSIZE_MAX: u16 = 65_464;

/// Sends that wait for room in a socket's buffer. What does not fit is left to retransmission.
pub const BACKLOG: usize = 4096;

/// The largest request taken whole. RFC 1350 knows 512 bytes; long names and options need more.
pub const REQUEST_BUFFER: usize = 2048;

/// Batches of 64 datagrams taken from one socket before the others have their turn.
pub const BATCHES_PER_TURN: usize = 2;

/// The largest datagram taken whole on a data socket: ACKs have 4 bytes, ERRORs a short text.
pub const ACK_BUFFER: usize = 128;

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

/// Attempts to get completions that must come. Each one is a system call that makes progress.
pub const RING_TRIES: u32 = 1000;

/// Receives that may fail in a row. Each takes an ICMP error from the socket.
pub const RECEIVE_FAILURES: u32 = 10_000;
