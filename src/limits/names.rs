//! Names of clients, and whom an address belongs to.

use crate::transfer::Nanos;

/// Bytes in a client's name. Firmware asks for names of a few dozen bytes and RFC 1350 requests
/// fitted 512; longer ones are noise that should not cost a system call.
pub const NAME_MAX: usize = 1024;

/// Bytes in one component of a name: what every Linux file system takes.
pub const COMPONENT_MAX: usize = 255;

/// Entries of one directory that are looked at for a name in another case. A boot directory has
/// some hundreds; a larger one must not keep a file thread busy for a client's typing mistake.
pub const FOLD_ENTRIES: usize = 65_536;

/// Bytes of a leases file that are read: a hundred thousand leases of the wordiest format.
pub const LEASES_MAX: u64 = 32 << 20;

/// A leases file is looked at again after this long: a machine that has just got its address asks
/// for its boot file a moment later, and may have asked for another before.
pub const LEASES_FRESH: Nanos = Nanos::from_millis(500);

/// The neighbour table is taken anew after this long: an address may have gone to another machine.
pub const NEIGHBOURS_KEPT: Nanos = Nanos::from_secs(5);

/// And for machines that are not in our copy this often at most, with so many at once. A dump of a
/// large table takes a millisecond or two.
pub const NEIGHBOURS_INTERVAL: Nanos = Nanos::from_millis(5);
pub const NEIGHBOURS_BURST: u64 = 50;

/// Datagrams of 64 KiB that the kernel may need for its table: a million neighbours.
pub const NEIGHBOUR_ANSWERS: usize = 2048;

/// Bytes of a hostname (RFC 1123, section 2.1).
pub const HOSTNAME_MAX: usize = 255;

/// Symbolic links followed for one name: the kernel's own MAXSYMLINKS, so that both ways of
/// resolving a name give the same answers.
pub const LINKS_MAX: usize = 40;

/// How often one name is resolved anew when a rename raced with it. The kernel says EAGAIN only
/// while renames go on, so a handful always did in tests with a thread that does nothing else.
pub const RESOLVE_TRIES: usize = 16;
