//! What ringboot promises to operators of tftp-hpa: map files, flags and sockets as in.tftpd has them.
//! It never compares with a text about in.tftpd where it can ask the real one.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod dnsmasq;
mod ere;
mod flags;
mod hostile;
mod servers;
mod suite;
mod writes;

/// Whether the tests that start Debian's in.tftpd are to be skipped: it wants to be root.
fn no_root() -> bool {
    support::server::flag("RINGBOOT_SKIP_PRIVILEGED")
}
