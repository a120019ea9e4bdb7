//! Waits on an epoll with nanoseconds, or with milliseconds where the kernel knows no better.
//! It never wakes before the deadline without an event or a signal.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::clock;
use crate::transfer::Nanos;

/// A point in time as `epoll_pwait2` wants it on every architecture.
#[repr(C)]
struct Timespec {
    secs: i64,
    nanos: i64,
}

/// Waits for events until the deadline passes; a signal ends it early.
pub(super) fn wait(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    deadline: Option<Nanos>,
) -> io::Result<usize> {
    let rest = deadline.map(clock::until);
    let timeout = rest.map(|rest| Timespec {
        secs: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX),
        nanos: i64::from(rest.subsec_nanos()),
    });
    let timeout = timeout
        .as_ref()
        .map_or(core::ptr::null(), core::ptr::from_ref);
    let epoll = epoll.as_fd().as_raw_fd();
    // SAFETY: `events` has room for as many events as are asked for; the timeout, if any, outlives
    // the call; no signal mask is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll,
            events.as_mut_ptr(),
            capacity(events),
            timeout,
            core::ptr::null::<libc::sigset_t>(),
            0_usize,
        )
    };
    match usize::try_from(result) {
        Ok(count) => Ok(count),
        Err(_) => match super::last_errno() {
            libc::EINTR => Ok(0),
            libc::ENOSYS => wait_coarsely(epoll, events, rest),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
    }
}

/// Before Linux 5.11: milliseconds, rounded up so that we do not wake early and spin.
fn wait_coarsely(
    epoll: i32,
    events: &mut [libc::epoll_event],
    rest: Option<Duration>,
) -> io::Result<usize> {
    let millis = rest.map_or(-1, |rest| {
        i32::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: `events` has room for as many events as are asked for.
    let result = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), capacity(events), millis) };
    match usize::try_from(result) {
        Ok(count) => Ok(count),
        Err(_) if super::last_errno() == libc::EINTR => Ok(0),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn capacity(events: &[libc::epoll_event]) -> i32 {
    i32::try_from(events.len()).unwrap_or(i32::MAX)
}
