//! When a block is sent again, and when a client is given up.

use crate::transfer::Nanos;

/// Wait for the answer to the first packet, before any round trip was measured. Longer than a
/// crowded server's first answer takes, shorter than the patience of any firmware (PXELINUX
/// repeats its request after 110 ms, the others after 250 ms and more).
pub const RETRY_INITIAL: Nanos = Nanos::from_millis(250);

/// Never resend sooner, however short the round trip: a client's own scheduling takes milliseconds.
pub const RETRY_FLOOR: Nanos = Nanos::from_millis(8);

/// The floor doubles up to this for a client whose answer to a first sending came after the
/// resend: emulated and busy machines pause for tens of milliseconds.
pub const RETRY_FLOOR_MAX: Nanos = Nanos::from_millis(128);

/// So many answers in a row that came only after a resend are a sign of long round trips. At 5 % loss
/// each way one in a hundred blocks in lock-step has two, and then waits a little longer for nothing.
pub const LATE_IN_A_ROW: u8 = 2;

/// The interval exceeds the round trip by at least this share of it. 100,000 clients of one shard have
/// round trips of 650 ms: without it, a server that stands still for 20 ms sends their blocks again.
pub const LATE_SHARE: u32 = 16;

/// Never wait longer between resends, unless the client negotiated a longer `timeout`. Firmware
/// gives up after 4 s to 25 s of silence, so a client that comes back must be met within that.
pub const RETRY_CEILING: Nanos = Nanos::from_secs(2);

/// After so many resends of a block in a row, a quarter of a second or more, comes a pause. atftp
/// answers the first repeat of a block and ignores the others; each of them puts off its own timer,
/// which would repeat the ACK that was lost. Without a pause it would hang until [`GIVE_UP`]; as that
/// ACK may be lost as well, there is one after as many further resends.
pub const RESENDS_BEFORE_PAUSE: u8 = 5;

/// atftp's timer where no `timeout` was negotiated, and what the pause is longer than it. Where a
/// longer one was negotiated there is no pause: other clients would wait for nothing.
pub const PAUSE_TIMER: Nanos = Nanos::from_secs(5);
pub const PAUSE_MARGIN: Nanos = Nanos::from_millis(300);

/// However short the `timeout` or `utimeout` that the client negotiated, resends to a silent client
/// spread to this: with 10 ms a client that vanished in a window of 64 would be sent 192,000 blocks
/// before it is given up. The measured round trip still decides when the first resends go out.
pub const RETRY_CEILING_MIN: Nanos = RETRY_INITIAL;

/// Resends of an OACK to a peer that has proved nothing: its address may be forged.
pub const UNPROVEN_OACKS: u8 = 3;

/// Resends of DATA 1 to a peer that has proved nothing. Fewer, because DATA amplifies.
pub const UNPROVEN_DATA: u8 = 2;

/// A peer that has proved nothing within this time is forgotten.
pub const UNPROVEN_LIFETIME: Nanos = Nanos::from_secs(10);

/// A transfer without progress for this long is given up: longer than any firmware waits (EDK2
/// 24 s, U-Boot 25 s).
pub const GIVE_UP: Nanos = Nanos::from_secs(30);

/// A client whose port is closed after all was sent may have acknowledged it just before: that ACK waits
/// in our socket, if anywhere, and a busy shard comes to it in some turns.
pub const LAST_ACK: Nanos = Nanos::from_millis(20);

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

/// How long the last ACK of an upload may be asked for again: clients repeat their last block after
/// 1 s to 6 s, and the second answer may get lost as well.
pub const DALLY: Nanos = Nanos::from_secs(15);
