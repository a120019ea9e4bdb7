//! Trains without a copy, and the memory registered for them.

use crate::transfer::Nanos;

/// Bytes of a train from which on it may be worth not to copy it: eight blocks of 1,428. Below,
/// the copy costs no more than the notification.
pub const ZERO_COPY_MIN: usize = 11 * 1024;

/// Trains tried on a network of which nothing is known. One may be an exception; more would cost
/// where the kernel copies anyway, a fifth more for each.
pub const ZERO_COPY_TRIALS: u32 = 4;

/// Reports after which a network that is on is judged anew: soon enough when somebody begins to
/// listen in on the device, not at once for a client that lives on this host.
pub const ZERO_COPY_REVIEW: u32 = 16;

/// Large trains to a network that is off before one is tried again; doubled each time up to the
/// second figure. One in a thousand at a fifth more cost is 0.02 %.
pub const ZERO_COPY_AGAIN: u32 = 1_024;
pub const ZERO_COPY_AGAIN_MAX: u32 = 65_536;

/// Networks remembered. A farm has a few dozen at most.
pub const ZERO_COPY_PATHS: usize = 1_024;

/// Lines that a shard may write about all that: a network may come and go.
pub const ZERO_COPY_NEWS: usize = 8;

/// At its end a shard waits so long for devices to let go of its memory. They take microseconds; a
/// device that is stuck must not hold up a restart.
pub const ZERO_COPY_LAST_WAIT: Nanos = Nanos::from_millis(100);

/// Bytes of frames that are registered with a ring together: 2 microseconds in huge pages, 53 without.
pub const LEASE_LEN: usize = 4 << 20;

/// The longest train: what fits one datagram.
pub const TRAIN_MAX: usize = 65_536;

/// Pieces registered at a time, 2 GiB of frames. The rest goes without.
pub const LEASES: u16 = 512;

/// Frames that nothing was sent from for this long are no longer kept registered. Shorter than
/// [`super::KEPT_IDLE`], so that the last hold on an image is not a shard's.
pub const LEASE_IDLE: Nanos = Nanos::from_secs(5);
