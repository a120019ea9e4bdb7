//! Enters the kernel: submits, waits, and says what is worth an error.
//! It never interprets a completion.

use std::io;

use io_uring::squeue::Entry;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring};

use crate::clock;
use crate::transfer::Nanos;

/// How long to stay in the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// Only submit, and run what is due.
    No,
    /// Until there are so many completions, or the point in time has come.
    For(usize, Option<Nanos>),
}

/// Puts a request into the submission queue; false when that is full.
///
/// # Safety
/// Everything that the request points to must be alive until it is submitted, and for a receive
/// until it is complete.
pub(super) unsafe fn push(ring: &mut IoUring, entry: &Entry) -> bool {
    // SAFETY: passed on to the caller.
    unsafe { ring.submission().push(entry) }.is_ok()
}

/// One `io_uring_enter`.
pub(super) fn enter(ring: &mut IoUring, wait: Wait) -> io::Result<()> {
    let (want, deadline) = match wait {
        Wait::No => (0, None),
        Wait::For(count, deadline) => (u32::try_from(count).unwrap_or(u32::MAX), deadline),
    };
    let pending = u32::try_from(ring.submission().len()).unwrap_or(u32::MAX);
    let mut flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
    if ring.params().is_feature_no_iowait() {
        // Waiting for datagrams is not waiting for a disk.
        flags |= EnterFlags::NO_IOWAIT;
    }
    let rest = deadline.map(|deadline| Timespec::from(clock::until(deadline)));
    let args = match &rest {
        Some(rest) => SubmitArgs::new().timespec(rest),
        None => SubmitArgs::new(),
    };
    // SAFETY: `args` is the structure that EXT_ARG announces; it and its timespec outlive the call.
    let result = unsafe {
        ring.submitter()
            .enter(pending, want, flags.bits(), Some(&args))
    };
    match result {
        Ok(_) => Ok(()),
        Err(error) => match error.raw_os_error() {
            // Time is up; a signal; or completions must be taken before more is submitted.
            Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
            _ => Err(error),
        },
    }
}
