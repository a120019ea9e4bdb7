//! One socket that speaks for all clients: IP_PKTINFO tells them apart, in both directions.
//! Never knows what the packets mean.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use crate::socket;

/// Messages in one system call.
const BATCH: usize = 64;
/// A request with a long name still fits.
pub const SEND_BYTES: usize = 600;
/// Enough for an OACK and for the head of a DATA packet: what is not compared need not be copied.
const HEAD_BYTES: usize = 256;
/// A whole train (UDP_GRO). Not a power of two, so that equal offsets do not fight for the same cache sets.
const TRAIN_BYTES: usize = 65_536 + 33 * 64;

#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control(
    #[expect(dead_code, reason = "read and written through the message headers")] [u8; 64],
);

/// Addresses and vectors that the message headers point at; boxed slices, so that nothing moves.
struct Slots {
    names: Box<[libc::sockaddr_in]>,
    /// Only held, like the vectors: the headers point here.
    _controls: Box<[Control]>,
    _vectors: Box<[libc::iovec]>,
    bytes: Box<[u8]>,
    stride: usize,
    headers: Box<[libc::mmsghdr]>,
}

impl Slots {
    fn new(stride: usize) -> Slots {
        // SAFETY: all-zero bytes are valid for sockaddr_in and mmsghdr.
        let (name, header): (libc::sockaddr_in, libc::mmsghdr) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let mut names = vec![name; BATCH].into_boxed_slice();
        let mut controls = vec![Control([0; 64]); BATCH].into_boxed_slice();
        let mut bytes = vec![0u8; BATCH * stride].into_boxed_slice();
        let mut vectors: Box<[libc::iovec]> = bytes
            .chunks_exact_mut(stride)
            .map(|chunk| libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: stride,
            })
            .collect();
        let mut headers = vec![header; BATCH].into_boxed_slice();
        for (i, slot) in headers.iter_mut().enumerate() {
            slot.msg_hdr.msg_name = (&raw mut names[i]).cast();
            slot.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            slot.msg_hdr.msg_iov = &raw mut vectors[i];
            slot.msg_hdr.msg_iovlen = 1;
            slot.msg_hdr.msg_control = (&raw mut controls[i]).cast();
        }
        Slots {
            names,
            _controls: controls,
            _vectors: vectors,
            bytes,
            stride,
            headers,
        }
    }
}

/// A received packet, or one segment of a received train.
pub struct Packet<'a> {
    /// The address that the server sent to: which client it is.
    pub client: Ipv4Addr,
    pub from: SocketAddrV4,
    /// What was read of it, from the start.
    pub bytes: &'a [u8],
    /// Its length as it was sent.
    pub len: usize,
}

pub struct Port {
    socket: UdpSocket,
    inbox: Slots,
    outbox: Slots,
    waiting: usize,
}

impl Port {
    /// With `trains` the kernel hands over a window as one piece (UDP_GRO). Without `content` only the head of each
    /// packet is read, unless it came in a train.
    pub fn open(blksize: u16, trains: bool, content: bool) -> io::Result<Port> {
        let socket = socket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_nonblocking(true)?;
        socket::set(&socket, libc::SOL_IP, libc::IP_PKTINFO, 1)?;
        if trains {
            socket::set(&socket, libc::SOL_UDP, socket::UDP_GRO, 1)?;
        }
        // The length comes from MSG_TRUNC, so a packet that is longer than its slot is noticed.
        let stride = match (trains, content) {
            (true, _) => TRAIN_BYTES,
            (false, true) => (usize::from(blksize).max(512) + 4).next_multiple_of(64),
            (false, false) => HEAD_BYTES,
        };
        Ok(Port {
            socket,
            inbox: Slots::new(stride),
            outbox: Slots::new(SEND_BYTES),
            waiting: 0,
        })
    }

    pub fn fd(&self) -> libc::c_int {
        self.socket.as_raw_fd()
    }

    /// Receives what is there without waiting. `take` is called for each packet.
    pub fn receive(&mut self, mut take: impl FnMut(Packet<'_>)) -> io::Result<usize> {
        for slot in &mut self.inbox.headers {
            slot.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            slot.msg_hdr.msg_controllen = size_of::<Control>();
        }
        let (fd, headers) = (self.socket.as_raw_fd(), self.inbox.headers.as_mut_ptr());
        // SAFETY: the headers point at names, controls and buffers that live and stay in place with `self`.
        let got = unsafe {
            libc::recvmmsg(
                fd,
                headers,
                BATCH as u32,
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                std::ptr::null_mut(),
            )
        };
        if got < 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ECONNREFUSED) => Ok(0),
                _ => Err(error),
            };
        }
        for i in 0..got as usize {
            let header = &self.inbox.headers[i];
            let name = &self.inbox.names[i];
            let from = SocketAddrV4::new(
                Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr)),
                u16::from_be(name.sin_port),
            );
            let len = header.msg_len as usize;
            let (client, segment) = control(&header.msg_hdr);
            let bytes = &self.inbox.bytes[i * self.inbox.stride..][..len.min(self.inbox.stride)];
            let Some(segment) = segment else {
                take(Packet {
                    client,
                    from,
                    bytes,
                    len,
                });
                continue;
            };
            for bytes in bytes.chunks(segment.max(1)) {
                take(Packet {
                    client,
                    from,
                    bytes,
                    len: bytes.len(),
                });
            }
        }
        Ok(got as usize)
    }

    /// Queues a packet; a full batch leaves at once. `fill` writes the packet and returns its length.
    pub fn send(&mut self, client: Ipv4Addr, to: SocketAddrV4, packet: &[u8]) -> io::Result<()> {
        if self.waiting == BATCH {
            self.flush()?;
        }
        let i = self.waiting;
        self.outbox.bytes[i * self.outbox.stride..][..packet.len()].copy_from_slice(packet);
        let name = &mut self.outbox.names[i];
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_port = to.port().to_be();
        name.sin_addr.s_addr = u32::from(*to.ip()).to_be();
        let header = &mut self.outbox.headers[i].msg_hdr;
        // SAFETY: the header's vector and control block are ours, in place, and nobody else holds a reference.
        unsafe {
            (*header.msg_iov).iov_len = packet.len();
            put_source(header, client);
        }
        self.waiting += 1;
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let mut at = 0;
        while at < self.waiting {
            let count = (self.waiting - at) as u32;
            // SAFETY: headers `at..waiting` were filled by `send`, and all that they point at lives with `self`.
            let sent = unsafe {
                libc::sendmmsg(
                    self.socket.as_raw_fd(),
                    &mut self.outbox.headers[at],
                    count,
                    0,
                )
            };
            if sent > 0 {
                at += sent as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR | libc::ENOBUFS) => self.wait_for_room(),
                // An ICMP error for an earlier packet.
                Some(libc::ECONNREFUSED) => {}
                _ => return Err(error),
            }
        }
        self.waiting = 0;
        Ok(())
    }

    fn wait_for_room(&self) {
        let mut poll = libc::pollfd {
            fd: self.fd(),
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one pollfd, which lives until the call returns.
        unsafe { libc::poll(&mut poll, 1, 10) };
    }
}

/// The address that the packet was sent to, and the segment size when it is a train.
fn control(header: &libc::msghdr) -> (Ipv4Addr, Option<usize>) {
    let (mut client, mut segment) = (Ipv4Addr::UNSPECIFIED, None);
    // SAFETY: the kernel filled the control block and its length; the macros stay inside, and reads are unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            let data = libc::CMSG_DATA(at);
            match ((*at).cmsg_level, (*at).cmsg_type) {
                (libc::SOL_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    client = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                }
                (libc::SOL_UDP, socket::UDP_GRO) => {
                    segment = usize::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    (client, segment)
}

/// Says which address the packet leaves from.
///
/// # Safety
/// The header's control block must be writable and at least as long as one IP_PKTINFO message.
unsafe fn put_source(header: &mut libc::msghdr, client: Ipv4Addr) {
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr {
            s_addr: u32::from(client).to_be(),
        },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    // SAFETY: the caller promises the room; with this length the first header is inside the block.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) as usize;
        let at = libc::CMSG_FIRSTHDR(header);
        (*at).cmsg_level = libc::SOL_IP;
        (*at).cmsg_type = libc::IP_PKTINFO;
        (*at).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as usize;
        libc::CMSG_DATA(at)
            .cast::<libc::in_pktinfo>()
            .write_unaligned(info);
    }
}
