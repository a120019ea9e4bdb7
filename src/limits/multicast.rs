//! One stream for many (RFC 2090).

use crate::transfer::Nanos;

/// How often a new master is told again in one election. It may have left since it joined, and hundreds
/// may wait behind it; its address may even be forged.
pub const MASTER_OACKS: u8 = 1;

/// Elections that a member may miss: a busy machine takes longer than a round trip to wake up. Each
/// comes after those of all others and waits four times as long.
pub const MASTER_CHANCES: u8 = 4;

/// A master that asks for nothing new in this time makes room for the next: long enough for its resends
/// and for the pause after them.
pub const MASTER_PATIENCE: Nanos = Nanos::from_secs(9);

/// After this time a master that took longer than [`MASTER_BLOCK`] for each block lets the others
/// have their turn, and comes back at the end of the line.
pub const MASTER_TERM: Nanos = Nanos::from_secs(10);
pub const MASTER_BLOCK: Nanos = Nanos::from_millis(20);

/// A member that is not the master does not answer its OACK (RFC 2090), so it is told this often. If
/// all were lost it would hear nothing and ask again seconds later, when most of the file has passed.
pub const MEMBER_OACKS: u8 = 2;
pub const MEMBER_OACK_PAUSE: Nanos = Nanos::from_millis(60);

/// How long a stream waits for members, in seconds, unless the operator says otherwise: longer than
/// the 5 s after which a client repeats a request that was lost. Without it that client would need a
/// second copy of whatever the others have had by then.
pub const GATHER_SECS: u64 = 6;

/// The port at which members of a group listen, as RFC 2090's examples and atftpd have it.
pub const MULTICAST_PORT: u16 = 1758;

/// A client that is alone after this long is not kept waiting.
pub const GATHER_ALONE: Nanos = Nanos::from_secs(1);

/// Letters in a shard's mailbox beyond which other shards pass no requests on.
pub const FORWARDED_MAX: usize = 8192;

/// Groups of one shard at a time. A farm boots from a dozen files.
pub const MULTICAST_GROUPS: usize = 64;

/// Members of one group; who comes later is served alone.
pub const MULTICAST_MEMBERS: usize = 16_384;
