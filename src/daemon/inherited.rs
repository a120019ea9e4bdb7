//! Sockets that were open before we started: systemd's, or standard input as inetd leaves it.
//! It never closes or changes anything that is no UDP socket.

use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use socket2::{Domain, SockRef, Type};

/// Where systemd's descriptors begin (sd_listen_fds(3)).
const FIRST: RawFd = 3;

/// More than any unit has; the number comes from the environment.
const MOST: RawFd = 64;

/// The sockets that systemd, or a program in its place, passed to this process.
///
/// # Errors
/// When one of them is no UDP socket of IPv4 or IPv6.
pub fn from_systemd() -> io::Result<Vec<OwnedFd>> {
    let number = |name| -> Option<u32> { env::var(name).ok()?.parse().ok() };
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok());
    (FIRST..FIRST + count.unwrap_or(0).min(MOST))
        .map(|fd| {
            // SAFETY: nothing is opened or closed by another thread: there is none. One that is
            // not open at all is found out before it is taken.
            let seen = unsafe { BorrowedFd::borrow_raw(fd) };
            check(&seen)?;
            // SAFETY: by the protocol these descriptors are ours alone, and nobody else in this
            // process has looked at them.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        })
        .collect()
}

/// The socket on standard input.
///
/// # Errors
/// When it is no UDP socket of IPv4 or IPv6.
pub fn standard_input() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    check(&stdin)?;
    stdin.as_fd().try_clone_to_owned()
}

fn check(fd: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(fd);
    let internet = matches!(socket.domain()?, Domain::IPV4 | Domain::IPV6);
    if internet && socket.r#type()? == Type::DGRAM {
        Ok(())
    } else {
        Err(io::Error::other("it is no UDP socket"))
    }
}
