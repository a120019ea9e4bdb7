//! Sends batches of datagrams of one socket with sendmmsg.
//! It never drops one: a full send buffer is waited for.

use std::io;
use std::os::fd::RawFd;

use super::Route;
use super::control::{self, Control};
use super::name::Name;

/// Messages in one call.
const BATCH: usize = 64;
/// A request with a long name still fits.
pub(super) const SEND_BYTES: usize = 1024;

/// Addresses and vectors that the headers point at; boxed slices, so that nothing moves.
pub(super) struct Outbox {
    names: Box<[Name]>,
    /// Only held: the headers point here.
    _controls: Box<[Control]>,
    vectors: Box<[libc::iovec]>,
    /// Packets one behind the other: ACKs that lay apart would fight for the same cache sets.
    bytes: Box<[u8]>,
    used: usize,
    headers: Box<[libc::mmsghdr]>,
    waiting: usize,
    fd: RawFd,
}

impl Outbox {
    pub(super) fn new() -> Self {
        let mut names = vec![Name::empty(); BATCH].into_boxed_slice();
        let mut controls = vec![Control::EMPTY; BATCH].into_boxed_slice();
        let mut bytes = vec![0_u8; BATCH * SEND_BYTES].into_boxed_slice();
        let empty = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: 0,
        };
        let mut vectors = vec![empty; BATCH].into_boxed_slice();
        // SAFETY: all-zero bytes are a valid mmsghdr.
        let empty: libc::mmsghdr = unsafe { std::mem::zeroed() };
        let mut headers = vec![empty; BATCH].into_boxed_slice();
        for (index, header) in headers.iter_mut().enumerate() {
            header.msg_hdr.msg_name = (&raw mut names[index]).cast();
            header.msg_hdr.msg_iov = &raw mut vectors[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut controls[index]).cast();
        }
        Self {
            names,
            _controls: controls,
            vectors,
            bytes,
            used: 0,
            headers,
            waiting: 0,
            fd: -1,
        }
    }

    /// Queues a packet; a full batch, or one of another socket, leaves first.
    pub(super) fn push(&mut self, fd: RawFd, route: Route, packet: &[u8]) -> io::Result<()> {
        if self.waiting == BATCH || (self.waiting > 0 && self.fd != fd) {
            self.flush()?;
        }
        self.fd = fd;
        let at = self.waiting;
        let len = packet.len().min(SEND_BYTES);
        // No batch is larger than `BATCH` packets of `SEND_BYTES`.
        let place = &mut self.bytes[self.used..][..len];
        place.copy_from_slice(&packet[..len]);
        self.vectors[at] = libc::iovec {
            iov_base: place.as_mut_ptr().cast(),
            iov_len: len,
        };
        self.used += len;
        let header = &mut self.headers[at].msg_hdr;
        header.msg_namelen = self.names[at].set(route.to);
        header.msg_controllen = 0;
        if let Some(source) = route.source {
            // SAFETY: the control pointer was set to a `Control` that lives with `self`.
            unsafe { control::write_source(header, source) };
        }
        self.waiting += 1;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut at = 0;
        while at < self.waiting {
            let (from, count) = (&raw mut self.headers[at], (self.waiting - at) as u32);
            // SAFETY: headers `at..waiting` were filled by `push`, and all that they point at
            // lives with `self`.
            let sent = unsafe { libc::sendmmsg(self.fd, from, count, libc::MSG_DONTWAIT) };
            if let Ok(sent) = usize::try_from(sent) {
                at += sent;
                continue;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ENOBUFS) => self.wait_for_room(),
                // An ICMP error for an earlier packet.
                Some(libc::ECONNREFUSED) => {}
                // Nothing there, no way there, or a firewall: the machine will wait and repeat, as
                // it would on a network.
                Some(
                    libc::EHOSTUNREACH
                    | libc::EHOSTDOWN
                    | libc::ENETUNREACH
                    | libc::ENETDOWN
                    | libc::EPERM,
                ) => at += 1,
                _ => {
                    self.waiting = 0;
                    self.used = 0;
                    return Err(error);
                }
            }
        }
        self.waiting = 0;
        self.used = 0;
        Ok(())
    }

    fn wait_for_room(&self) {
        let mut poll = libc::pollfd {
            fd: self.fd,
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one pollfd, which lives until the call returns.
        unsafe { libc::poll(&raw mut poll, 1, 10) };
    }
}
