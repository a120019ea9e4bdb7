//! The yardstick's loop over plain system calls: one blocking recvmmsg, one sendmmsg.
//! Never allocates after the start.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use super::{Plan, each_buffer};

/// Packets in one recvmmsg.
const BATCH: usize = 64;
/// The kernel takes no more messages in one sendmmsg (UIO_MAXIOV).
const SENDS_MAX: usize = 1024;
/// RFC 1350 requests are shorter than this.
const PACKET_BYTES: usize = 576;

pub fn run(socket: &UdpSocket, plan: &Plan) -> io::Result<()> {
    plan.prepare(socket)?;
    let mut packets = vec![[0u8; PACKET_BYTES]; BATCH];
    // SAFETY: all-zero bytes are a valid sockaddr_in, iovec and mmsghdr (null pointers, zero lengths).
    let mut names: Vec<libc::sockaddr_in> = vec![unsafe { std::mem::zeroed() }; BATCH];
    let mut vectors: Vec<libc::iovec> = packets
        .iter_mut()
        .map(|packet| libc::iovec {
            iov_base: packet.as_mut_ptr().cast(),
            iov_len: PACKET_BYTES,
        })
        .collect();
    let mut inbox: Vec<libc::mmsghdr> = names
        .iter_mut()
        .zip(&mut vectors)
        .map(|(name, vector)| message(name, vector))
        .collect();
    let mut outbox = Outbox::new(BATCH * plan.sends_max());
    loop {
        for slot in &mut inbox {
            slot.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        // SAFETY: every header points at a name, a vector and a buffer that live until this function returns.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                inbox.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        };
        if got < 0 {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                // Errors that a client can cause are not ours.
                Some(libc::EINTR | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH) => {
                    continue;
                }
                _ => return Err(error),
            }
        }
        for i in 0..got as usize {
            let len = (inbox[i].msg_len as usize).min(PACKET_BYTES);
            // Read through the vector's pointer: the kernel wrote there, behind the back of `packets`.
            // SAFETY: `len` bytes of this buffer were just filled, and nobody writes before the next recvmmsg.
            let packet =
                unsafe { std::slice::from_raw_parts(vectors[i].iov_base.cast::<u8>(), len) };
            each_buffer(plan, plan.answer(packet), |bytes| {
                outbox.push(bytes, inbox[i].msg_hdr.msg_name)
            });
        }
        outbox.flush(socket);
    }
}

fn message(name: *mut libc::sockaddr_in, vector: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: all-zero bytes are a valid mmsghdr.
    let mut out: libc::mmsghdr = unsafe { std::mem::zeroed() };
    out.msg_hdr.msg_name = name.cast();
    out.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    out.msg_hdr.msg_iov = vector;
    out.msg_hdr.msg_iovlen = 1;
    out
}

/// Messages that wait for one sendmmsg. The addresses are those in the inbox: no copy.
struct Outbox {
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
    used: usize,
}

impl Outbox {
    fn new(capacity: usize) -> Outbox {
        let empty = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        let mut vectors = vec![empty; capacity];
        // `push` sets the address before any use.
        let messages = vectors
            .iter_mut()
            .map(|vector| message(std::ptr::null_mut(), vector))
            .collect();
        Outbox {
            vectors,
            messages,
            used: 0,
        }
    }

    fn push(&mut self, bytes: &[u8], to: *mut libc::c_void) {
        let at = self.used;
        self.vectors[at] = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        self.messages[at].msg_hdr.msg_name = to;
        self.used += 1;
    }

    fn flush(&mut self, socket: &UdpSocket) {
        let mut at = 0;
        while at < self.used {
            let count = (self.used - at).min(SENDS_MAX);
            // SAFETY: messages `at..used` were filled by `push`; frames live as long as the plan, names as long as
            // the inbox, and the vectors do not move after `new`.
            let sent = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), &mut self.messages[at], count as u32, 0)
            };
            // An error belongs to the first message of the call: that client asks again, the others go on.
            at += sent.max(1) as usize;
        }
        self.used = 0;
    }
}
