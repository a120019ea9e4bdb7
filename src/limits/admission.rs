//! Who is let in, how many at a time, and how long the others wait.

use crate::transfer::Nanos;

/// Transfers of one shard: 100,000 machines and those that start over.
pub const MAX_TRANSFERS: usize = 131_072;

/// Strangers (address and port) remembered for the rate of ERROR 5. A collision only means that
/// one of two strangers is answered less often.
pub const STRANGERS: usize = 1_024;

/// One ERROR 5 for each stranger in this time: enough to tell a confused client, useless to an
/// attacker who wants an echo.
pub const STRANGER_INTERVAL: Nanos = Nanos::from_secs(1);

/// A transfer whose blocks are being read from a disk asks for them again after this long, in case
/// the queue to the disk was full.
pub const DISK_ASK_AGAIN: Nanos = Nanos::from_millis(200);

/// Letters of other threads (files that were opened or loaded) read in one turn. Each has a first
/// answer or a window follow: a crowd whose file was just opened leaves the transfers under way
/// their share of every turn, as port 69 does with its batches.
pub const LETTERS_PER_TURN: usize = 2 * 64;

/// Blocks of windows that go out in a turn for each block that goes to a client in lock-step. On
/// loopback, where both are dearest, a block of a train costs a seventh of one that is sent alone: so
/// windows take less than half of the time, and a block of a client in lock-step at most doubles.
pub const BLOCKS_FOR_A_SINGLE: u32 = 4;

/// For so many turns after the last single block, windows go out one in a turn. A turn of one window
/// lasts 30 us, so these are 2 ms: longer than clients in lock-step on the same network are silent.
pub const MIXED_TURNS: u32 = 64;

/// Windows that may wait for the next turns; beyond that they go out at once.
pub const WINDOWS_PUT_OFF: usize = 4096;

/// Timers handled in one turn; the rest follow in the next, so that datagrams are not starved.
pub const TIMERS_PER_TURN: usize = 512;

/// Datagrams that may be read while timers are held back, or as many as there are transfers: the ACK
/// that one waits for may be among those left unread, and a resend would only add to the load. So many
/// are about 10 ms of reading, as long as the shortest resend takes anyway.
pub const TIMERS_HELD_BACK: u64 = 2_048;

/// Token buckets for networks, for each of requests and ERRORs: 32 KiB. Networks that meet in one share
/// its rate; a farm has a few dozen of them.
pub const PREFIX_BUCKETS: usize = 4096;

/// Requests of one network that have not proved themselves by an ACK, in a second and at once, unless
/// the operator says otherwise. A forger of one network's addresses can take this many places in
/// ten seconds ([`super::UNPROVEN_LIFETIME`]), which leaves most of them to others; clients that answer get
/// theirs back, so that a farm in one network is not held up.
pub const REQUESTS_PER_SECOND: u32 = 5_000;
pub const REQUESTS_BURST: u32 = 20_000;

/// ERROR packets to one network, likewise. A farm of 2,000 machines with ten misses each is within the
/// burst; for a victim of forged requests they are some hundred kilobytes a second.
pub const ERRORS_PER_SECOND: u32 = 2_000;
pub const ERRORS_BURST: u32 = 20_000;

/// Counts of transfers by client, where there is a cap: 256 KiB. Clients that meet in one place share
/// the cap, and so one may wait a little for the other.
pub const CLIENT_COUNTS: usize = 65_536;

/// Requests of one shard that wait for their turn.
pub const WAITING_MAX: usize = 16_384;

/// A client that has not repeated its request for so long has given up waiting for its turn: firmware
/// repeats every few seconds.
pub const WAITING_PATIENCE: Nanos = Nanos::from_secs(15);

/// Waiting requests looked at in one turn.
pub const WAITING_PER_TURN: usize = 256;

/// Waiting requests are looked at again after this long: a place may have become free on another
/// shard, which does not tell.
pub const WAITING_PAUSE: Nanos = Nanos::from_millis(20);

/// The default cap for RFC 7440 windows. RFC 7440's own figures gain little beyond it, and
/// receive rings of firmware are small.
pub const DEFAULT_MAX_WINDOWSIZE: u16 = 64;
