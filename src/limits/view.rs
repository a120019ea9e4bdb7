//! The operator's view: heartbeats, the farm page, the admin port.

use super::MAX_TRANSFERS;
use crate::transfer::Nanos;

/// A shard's loop turns at least this often, so that one that stands still differs from an idle one.
pub const HEARTBEAT: Nanos = Nanos::from_secs(1);

/// Totals are shown at most this often: a turn that has packets to send does not pay for it.
pub const PUBLISH_PAUSE: Nanos = Nanos::from_millis(100);

/// `/livez` fails when a shard's loop has not turned for so long: five heartbeats, which a busy host
/// does not keep a thread from running.
pub const LIVE_WITHIN: Nanos = Nanos::from_secs(5);

/// Transfers of a shard that one turn shows to those who watch the farm: some 10 us, so that a picture
/// of 10,000 transfers is no pause for any of them.
pub const SURVEY_PER_TURN: u32 = 128;

/// Parts of a shard's picture that may wait to be read: as many as its places make.
pub const SURVEY_PIECES: usize = MAX_TRANSFERS / SURVEY_PER_TURN as usize;

/// Bytes of a file's name that the farm shows, from its end.
pub const NAME_SHOWN: usize = 80;

/// The farm is looked at this often while somebody watches; rarer where a look is dear: it takes at
/// most a hundredth of a core.
pub const FARM_PAUSE: Nanos = Nanos::from_millis(400);
pub const FARM_PAUSE_MAX: Nanos = Nanos::from_secs(5);
pub const FARM_SHARE: u64 = 100;

/// Machines that the farm remembers, 20 MiB at the worst. Beyond that those go first that never
/// acknowledged anything, which forged requests can make many of.
pub const FARM_MACHINES: usize = 8192;

/// Bytes of a look that `ringboot top` takes: all machines with long names are a tenth of it.
pub const LOOK_MAX: u64 = 64 << 20;

/// Files of one boot that are remembered.
pub const FARM_FILES: usize = 32;

/// Transfers of one machine at a time that are followed: boot loaders have up to 8.
pub const FARM_LIVE: usize = 8;

/// Ended requests that wait to be told to the farm; more in one pause are left out.
pub const FARM_QUEUE: usize = 16_384;

/// Failures that are shown.
pub const FARM_FAILURES: usize = 64;

/// Points of the completion curve.
pub const FARM_POINTS: usize = 96;

/// Addresses and names of machines looked up in one look at the farm, and how long an answer holds.
pub const FARM_LOOKUPS: usize = 512;
pub const FARM_LOOKUP_FRESH: Nanos = Nanos::from_secs(30);

/// A transfer that has not got on for so long is stuck: longer than a resend ever waits.
pub const STUCK_AFTER: Nanos = Nanos::from_secs(3);

/// A machine that asks for something after so long a silence boots anew: firmware and loaders pause
/// for seconds, people at a prompt for longer.
pub const BOOT_GAP: Nanos = Nanos::from_secs(120);

/// A machine that has its files and asked for nothing more in this time is done.
pub const DONE_AFTER: Nanos = Nanos::from_secs(3);

/// One that began to boot and did not ask for a kernel in this time is silent.
pub const SILENT_AFTER: Nanos = Nanos::from_secs(30);

/// A storm begins with the first request after so long a silence of the whole farm.
pub const STORM_GAP: Nanos = Nanos::from_secs(300);

/// Connections to the admin port at a time: a few people, a scraper, probes. Others wait.
pub const ADMIN_CONNECTIONS: usize = 64;

/// Those of them that may watch the farm, so that health and metrics always find a place.
pub const ADMIN_STREAMS: usize = 16;

/// A request's head must be here within this time, so that a silent connection takes no place.
pub const ADMIN_PATIENCE: Nanos = Nanos::from_secs(10);

/// Bytes of a connection's read buffer, and so of a request's head. Browsers send some hundred.
pub const ADMIN_HEAD: usize = 16 << 10;

/// A client that takes nothing of what was sent to it for so long is cut off.
pub const ADMIN_STALL: Nanos = Nanos::from_secs(20);

/// Bytes of an admin token: at least 80 bits in base64, and no file that was meant for something else.
pub const TOKEN_MIN: usize = 14;
pub const TOKEN_MAX: usize = 4096;
