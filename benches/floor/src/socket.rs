//! UDP sockets with the few options that both loops set.
//! Never decides what is sent.

use std::io;
use std::mem::size_of;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// Not in every version of the libc crate; the value is in linux/udp.h.
pub const UDP_SEGMENT: libc::c_int = 103;
pub const UDP_GRO: libc::c_int = 104;

/// Room for thousands of packets at once: what overflows here would look like a loss of the other side.
const BUFFER_BYTES: libc::c_int = 64 << 20;

pub fn bind(addr: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(addr)?;
    for (force, plain) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        // FORCE needs CAP_NET_ADMIN; without it we take what net.core.rmem_max and wmem_max allow.
        if set(&socket, libc::SOL_SOCKET, force, BUFFER_BYTES).is_err() {
            set(&socket, libc::SOL_SOCKET, plain, BUFFER_BYTES)?;
        }
    }
    // A packet that may not be fragmented needs no identification.
    set(
        &socket,
        libc::IPPROTO_IP,
        libc::IP_MTU_DISCOVER,
        libc::IP_PMTUDISC_DO,
    )?;
    Ok(socket)
}

pub fn set(
    socket: &UdpSocket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which lives until the call returns.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
