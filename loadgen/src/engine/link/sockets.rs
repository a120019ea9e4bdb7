//! A thread's sockets.
//! It never sends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::sources::Sources;

/// Room for thousands of packets at once: what overflows here would look like a loss of the
/// server. The kernel takes it only as packets come.
const SHARED_BUFFER: usize = 64 << 20;
/// Room of a socket that one machine has for itself: a few windows.
const OWN_BUFFER: usize = 1 << 20;

pub struct Sockets {
    all: Vec<UdpSocket>,
}

impl Sockets {
    /// Opens `count` sockets that reach this server.
    ///
    /// # Errors
    /// When the kernel has no more ports, files or memory.
    pub fn open(server: IpAddr, sources: &Sources, count: u32, trains: bool) -> io::Result<Self> {
        let shared = matches!(sources, Sources::Addresses(_));
        let local = match (sources, server) {
            (Sources::Ports(Some(address)), _) => *address,
            (_, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
            (_, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let open = |_| open(local, shared, trains);
        Ok(Self {
            all: (0..count).map(open).collect::<io::Result<_>>()?,
        })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn fd(&self, lane: usize) -> RawFd {
        self.all.get(lane).map_or(-1, AsRawFd::as_raw_fd)
    }
}

fn open(local: IpAddr, shared: bool, trains: bool) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(local, 0);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    let room = if shared { SHARED_BUFFER } else { OWN_BUFFER };
    make_room(&socket, room)?;
    let fd = socket.as_raw_fd();
    if local.is_ipv4() {
        socket.set_broadcast(true)?;
        set(fd, libc::SOL_IP, libc::IP_FREEBIND, 1)?;
        set(fd, libc::SOL_IP, libc::IP_PKTINFO, i32::from(shared))?;
        // DF for certain, and no packet that needs fragments: the kernel draws no IP identification.
        set(
            fd,
            libc::SOL_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        )?;
    } else {
        socket.set_only_v6(true)?;
        set(fd, libc::SOL_IPV6, libc::IPV6_FREEBIND, 1)?;
        set(
            fd,
            libc::SOL_IPV6,
            libc::IPV6_RECVPKTINFO,
            i32::from(shared),
        )?;
    }
    if trains {
        set(fd, libc::SOL_UDP, libc::UDP_GRO, 1)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// FORCE needs CAP_NET_ADMIN; without it we take what net.core.rmem_max and wmem_max allow.
fn make_room(socket: &Socket, bytes: usize) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    let wanted = i32::try_from(bytes).unwrap_or(i32::MAX);
    if set(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted).is_err() {
        socket.set_recv_buffer_size(bytes)?;
    }
    if set(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, wanted).is_err() {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

fn set(fd: RawFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which lives until the call returns.
    let done = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Raises the soft limit of open files as far as needed.
///
/// # Errors
/// When the hard limit is below it.
pub fn allow_files(needed: u64) -> Result<(), String> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the result.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    if limit.rlim_max < needed {
        return Err(format!(
            "{needed} open files are needed and {} allowed: raise the hard limit (ulimit -Hn), \
             or give the machines addresses of their own with --source-net",
            limit.rlim_max
        ));
    }
    limit.rlim_cur = needed;
    // SAFETY: `limit` is valid and lives until the call returns.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(format!("open files: {}", io::Error::last_os_error())),
    }
}
