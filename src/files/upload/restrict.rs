//! Takes from the upload runtime's ring all requests but those that uploads make.
//! It never leaves a ring enabled that can do more: without restrictions there is no ring.

use std::fs;
use std::io;
use std::os::fd::RawFd;

/// The runtime opens its ring in itself and tells nobody its number, but descriptors are given out
/// from the bottom.
const LAST_FD: RawFd = 4096;

/// `io_uring_register` operations (linux/io_uring.h).
const REGISTER_RESTRICTIONS: u32 = 11;
const ENABLE_RINGS: u32 = 12;

/// `IORING_RESTRICTION_SQE_OP`
const REQUEST: u16 = 1;

/// What uploads do: FSYNC, ASYNC_CANCEL, WRITE. No flag of a request is needed.
const REQUESTS: [u8; 3] = [3, 14, 23];

/// `struct io_uring_restriction`
#[repr(C)]
struct Restriction {
    kind: u16,
    request: u8,
    reserved: u8,
    reserved_too: [u32; 3],
}

/// Descriptors of this process that are rings.
pub(super) fn rings() -> Vec<RawFd> {
    let is_ring = |fd: &RawFd| {
        let target = fs::read_link(format!("/proc/self/fd/{fd}"));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]")
    };
    (0..LAST_FD).filter(is_ring).collect()
}

/// Restricts and enables the one ring that is not among `others`.
///
/// # Errors
/// When it cannot be told which one it is, or the kernel refuses.
pub(super) fn restrict_new(others: &[RawFd]) -> io::Result<()> {
    let mut new = rings();
    new.retain(|fd| !others.contains(fd));
    let [ring] = new[..] else {
        return Err(io::Error::other(
            "the ring cannot be restricted: /proc does not show it",
        ));
    };
    let restrictions = REQUESTS.map(|request| Restriction {
        kind: REQUEST,
        request,
        reserved: 0,
        reserved_too: [0; 3],
    });
    register(ring, REGISTER_RESTRICTIONS, &restrictions)?;
    register(ring, ENABLE_RINGS, &[])
}

fn register(ring: RawFd, operation: u32, arguments: &[Restriction]) -> io::Result<()> {
    let pointer = if arguments.is_empty() {
        core::ptr::null()
    } else {
        arguments.as_ptr()
    };
    // SAFETY: the kernel reads as many restrictions as the slice has, or no argument at all.
    let result = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            ring,
            operation,
            pointer,
            arguments.len(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
