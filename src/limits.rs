//! Every bound, with its reason. A number that limits something stands here or nowhere.

use crate::transfer::Nanos;

// --- Retransmission ---

/// Wait for the answer to the first packet, before any round trip was measured. Longer than a
/// crowded server's first answer takes, shorter than the patience of any firmware (PXELINUX
/// repeats its request after 110 ms, the others after 250 ms and more).
pub const RETRY_INITIAL: Nanos = Nanos::from_millis(250);

/// Never resend sooner, however short the round trip: a client's own scheduling takes milliseconds.
pub const RETRY_FLOOR: Nanos = Nanos::from_millis(5);

/// Never wait longer between resends, unless the client negotiated a longer `timeout`. Firmware
/// gives up after 4 s to 25 s of silence, so a client that comes back must be met within that.
pub const RETRY_CEILING: Nanos = Nanos::from_secs(2);

/// Resends of an OACK to a peer that has proved nothing: its address may be forged.
pub const UNPROVEN_OACKS: u8 = 3;

/// Resends of DATA 1 to a peer that has proved nothing. Fewer, because DATA amplifies.
pub const UNPROVEN_DATA: u8 = 2;

/// A peer that has proved nothing within this time is forgotten.
pub const UNPROVEN_LIFETIME: Nanos = Nanos::from_secs(10);

/// A transfer without progress for this long is given up: longer than any firmware waits (EDK2
/// 24 s, U-Boot 25 s).
pub const GIVE_UP: Nanos = Nanos::from_secs(30);

/// With a negotiated `timeout`, at least this many of it pass before giving up.
pub const GIVE_UP_TIMEOUTS: u64 = 5;

/// A transfer may take this long whatever its size, and then [`SLOWEST_BLOCK`] for each block:
/// a client that acknowledges now and then cannot hold a slot for ever.
pub const PROGRESS_GRACE: Nanos = Nanos::from_secs(120);

/// The slowest acceptable average, about 100 bytes a second with the default block size.
pub const SLOWEST_BLOCK: Nanos = Nanos::from_secs(5);

/// A repeated request means that the client started over once its transfer has stood still for
/// this long; sooner it is a duplicate that the network delayed.
pub const RESTART_AFTER: Nanos = Nanos::from_secs(1);

// --- Admission ---

/// Transfers of one shard. At about 300 bytes each with its share of the tables this is 40 MB.
pub const MAX_TRANSFERS: usize = 131_072;

/// Strangers (address and port) remembered for the rate of ERROR 5. A collision only means that
/// one of two strangers is answered less often.
pub const STRANGERS: usize = 1_024;

/// One ERROR 5 for each stranger in this time: enough to tell a confused client, useless to an
/// attacker who wants an echo.
pub const STRANGER_INTERVAL: Nanos = Nanos::from_secs(1);

/// Timers handled in one turn; the rest follow in the next, so that datagrams are not starved.
pub const TIMERS_PER_TURN: usize = 512;

// --- Requests ---

/// The default cap for RFC 7440 windows. RFC 7440's own figures gain little beyond it, and
/// receive rings of firmware are small.
pub const DEFAULT_MAX_WINDOWSIZE: u16 = 64;

// --- The log ---

/// Lines of finished transfers that may wait for the log. A pipe whose reader is slow must not
/// stop a shard; what does not fit is counted and said later.
pub const LOG_QUEUE: usize = 16_384;

// --- The kernel ---

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

// --- Files ---

/// Bytes in a client's name. A request holds no more in practice (RFC 2347 bounds it at 512), and
/// a path below the root must stay within the kernel's 4,096.
pub const NAME_MAX: usize = 1_024;

/// Bytes between two slashes: what every Linux filesystem takes.
pub const COMPONENT_MAX: usize = 255;

/// Symbolic links on one path, as in the kernel.
pub const LINKS_MAX: usize = 40;

/// How often openat2 is asked again when a rename raced with it.
pub const OPEN_TRIES: usize = 8;

/// What is loaded before the first block is sent; the kernel reads ahead from there.
pub const IMAGE_WARM_BYTES: usize = 8 << 20;

/// Netascii is for configuration files; the translated form is held in memory.
pub const NETASCII_MAX: usize = 64 << 20;

/// Bytes read at a time for translation.
pub const NETASCII_CHUNK: usize = 256 << 10;

/// How often a file that changes while it is translated is read again.
pub const NETASCII_TRIES: usize = 3;

/// Images kept after their last transfer, and for how long: a farm boots from a handful of files,
/// and a deleted file's space must come back soon.
pub const CATALOG_RECENT: usize = 64;
pub const CATALOG_RECENT_FOR: Nanos = Nanos::from_secs(10);

/// Threads that open files: one may hang on a slow disk while the other goes on.
pub const FILE_THREADS: usize = 2;

/// Requests that wait for their file: a burst of thousands queues and is not refused.
pub const FILE_QUEUE: usize = 65_536;

/// Requests answered with one look at the disk for each name.
pub const FILE_BATCH: usize = 512;
