//! Socket options that take one integer.
//! It never decides which ones a socket needs; `sockets.rs` does.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `SO_MEMINFO` answers with this many counters; the last is the number of dropped datagrams.
const MEMINFO_LEN: usize = 9;

pub(super) fn set(fd: impl AsFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the kernel reads one integer, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets an IPv4 socket's packets be fragmented where they are longer than the path's MTU, by us where it
/// is known, else by routers: until now they were refused (EMSGSIZE).
pub(super) fn let_fragment(fd: impl AsFd) -> io::Result<()> {
    let level = libc::IPPROTO_IP;
    set(fd, level, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_WANT)
}

pub(super) fn get(fd: impl AsFd, level: i32, name: i32) -> io::Result<i32> {
    let mut value = [0_i32];
    get_array(fd, level, name, &mut value).map(|()| value[0])
}

/// Datagrams dropped since the socket was opened, mostly because its receive buffer was full.
pub(super) fn drops(fd: impl AsFd) -> u64 {
    let mut counters = [0_i32; MEMINFO_LEN];
    match get_array(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut counters) {
        Ok(()) => u64::from(counters[MEMINFO_LEN - 1].cast_unsigned()),
        Err(_) => 0,
    }
}

fn get_array(fd: impl AsFd, level: i32, name: i32, values: &mut [i32]) -> io::Result<()> {
    let mut len = libc::socklen_t::try_from(size_of_val(values)).unwrap_or(0);
    // SAFETY: the kernel writes at most `len` bytes, which is what `values` holds.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            values.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
