//! Starts the process that fills files in place for in.tftpd (`files/upload/finisher.rs`), and locks it in.
//! It never lets that process keep anything but its end of a pair of sockets.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::background::leave_streams;
use super::sandbox::{Grants, Mode, Sandbox};
use super::user::User;
use crate::files::upload::{Finisher, finish};

/// Where the other process has its end.
const ORDERS: RawFd = 3;

/// What would end it by way of its terminal or its service manager. The end of the server does.
const IGNORED: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT];

/// Starts it, as the same user and in the same sandbox, but without any file. While there is one
/// thread.
///
/// # Errors
/// When the system gives no process.
pub fn start(mode: Mode, user: Option<&User>) -> io::Result<Finisher> {
    let (flags, kind) = (SocketFlags::CLOEXEC, SocketType::SEQPACKET);
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
    // SAFETY: there is one thread, so the new process has all of this one's state.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => live(&theirs, mode, user),
        _ => Ok(Finisher::new(ours)),
    }
}

fn live(orders: &OwnedFd, mode: Mode, user: Option<&User>) -> ! {
    let confined = let_go(orders).map_err(|error| error.to_string());
    let confined = confined.and_then(|()| {
        let entered = Sandbox::enter(mode, user, Grants::default());
        let sealed = entered.and_then(|sandbox| sandbox.seal("epoll"));
        sealed.map_err(|lacking| lacking.to_string())
    });
    // Otherwise the server does it itself.
    if confined.is_ok() {
        // SAFETY: `let_go` has put the socket there, and nobody else in this process uses it.
        finish(unsafe { std::os::fd::BorrowedFd::borrow_raw(ORDERS) });
    }
    process::exit(0)
}

/// Drops what the server has: its streams, its sockets, its signals.
fn let_go(orders: &OwnedFd) -> io::Result<()> {
    for signal in IGNORED {
        // SAFETY: to ignore a signal is no code that could run.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    leave_streams()?;
    // SAFETY: numbers only. Who holds what is overwritten or closed here never returns to it.
    let kept = unsafe {
        libc::dup2(orders.as_raw_fd(), ORDERS) >= 0
            && libc::syscall(libc::SYS_close_range, ORDERS + 1, RawFd::MAX, 0) == 0
    };
    if kept {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
