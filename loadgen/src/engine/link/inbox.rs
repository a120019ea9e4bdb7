//! Receives batches of datagrams with recvmmsg.
//! It never keeps one beyond the call.

use std::io;
use std::os::fd::RawFd;

use super::control::{self, CONTROL_LEN, Control};
use super::name::{NAME_LEN, Name};
use super::{Datagram, Lane, Reading};

/// Datagrams in one call.
const BATCH: usize = 64;
/// Trains in one call: fewer, so that their bytes stay in the cache.
const TRAINS: usize = 16;
/// Enough for an OACK and for the head of a DATA packet: what nobody compares need not be copied out
/// of the other core's cache.
pub(super) const HEAD_BYTES: usize = 256;
/// A whole train. Not a power of two, so that equal offsets do not fight for the same cache sets.
pub(super) const TRAIN_BYTES: usize = 65_536 + 33 * 64;

/// The buffers that the headers point at; boxed slices, so that nothing moves.
pub(super) struct Inbox {
    names: Box<[Name]>,
    /// Only held, like the vectors: the headers point here.
    _controls: Box<[Control]>,
    _vectors: Box<[libc::iovec]>,
    bytes: Box<[u8]>,
    stride: usize,
    headers: Box<[libc::mmsghdr]>,
}

impl Inbox {
    pub(super) fn new(reading: Reading) -> Self {
        let (count, stride) = if reading.trains {
            (TRAINS, TRAIN_BYTES)
        } else {
            (BATCH, reading.largest.max(HEAD_BYTES).next_multiple_of(64))
        };
        let mut names = vec![Name::empty(); count].into_boxed_slice();
        let mut controls = vec![Control::EMPTY; count].into_boxed_slice();
        let mut bytes = vec![0_u8; count * stride].into_boxed_slice();
        let mut vectors: Box<[libc::iovec]> = bytes
            .chunks_exact_mut(stride)
            .map(|chunk| libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: stride,
            })
            .collect();
        // SAFETY: all-zero bytes are a valid mmsghdr.
        let empty: libc::mmsghdr = unsafe { std::mem::zeroed() };
        let mut headers = vec![empty; count].into_boxed_slice();
        for (index, header) in headers.iter_mut().enumerate() {
            header.msg_hdr.msg_name = (&raw mut names[index]).cast();
            header.msg_hdr.msg_iov = &raw mut vectors[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = (&raw mut controls[index]).cast();
        }
        Self {
            names,
            _controls: controls,
            _vectors: vectors,
            bytes,
            stride,
            headers,
        }
    }

    /// Takes what one socket has, at most a batch; says how many messages it was and whether the
    /// batch was full.
    pub(super) fn receive(
        &mut self,
        lane: Lane,
        fd: RawFd,
        take: &mut dyn FnMut(Datagram<'_>),
    ) -> io::Result<(usize, bool)> {
        let got = self.fill(fd)?;
        for index in 0..got {
            let header = &self.headers[index];
            let Some(from) = self.names[index].get() else {
                continue;
            };
            let len = header.msg_len as usize;
            let (local, segment) = control::read(&header.msg_hdr);
            let bytes = &self.bytes[index * self.stride..][..len.min(self.stride)];
            let datagram = Datagram {
                lane,
                local,
                from,
                bytes,
                len,
            };
            datagram.hand_over(segment, take);
        }
        Ok((got, got == self.headers.len()))
    }

    fn fill(&mut self, fd: RawFd) -> io::Result<usize> {
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = NAME_LEN;
            header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let (at, count) = (self.headers.as_mut_ptr(), self.headers.len());
        // SAFETY: the headers point at names, controls and buffers that live and stay in place
        // with `self`.
        let got = unsafe { libc::recvmmsg(fd, at, count as u32, flags, std::ptr::null_mut()) };
        if let Ok(got) = usize::try_from(got) {
            return Ok(got);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED) => Ok(0),
            _ => Err(error),
        }
    }
}
