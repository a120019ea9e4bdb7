//! A blocking UDP socket with a deadline, which also hears that nobody listens on the other side.
//! It never looks into a datagram.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::clock;
use crate::transfer::Nanos;

pub struct ClientSocket {
    socket: UdpSocket,
}

/// What came until the deadline.
pub enum Heard {
    Datagram {
        len: usize,
        from: SocketAddr,
    },
    /// An ICMP error about something that we sent.
    Unreachable(io::Error),
    /// A signal came: look whether it says to stop.
    Signal,
    Nothing,
}

impl ClientSocket {
    /// A socket with a port of its own, of the server's address family.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let socket = match server {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
        };
        report_icmp(&socket, server.is_ipv6())?;
        Ok(Self { socket })
    }

    /// Makes room for `bytes` that arrive while we are busy; the kernel may grant less.
    pub fn reserve(&self, bytes: usize) {
        let socket = socket2::SockRef::from(&self.socket);
        if socket.recv_buffer_size().is_ok_and(|room| room < bytes) {
            // Less room costs resends, not the transfer.
            let _ = socket.set_recv_buffer_size(bytes);
        }
    }

    pub fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(packet, to).map(drop)
    }

    /// Sends once more where an ICMP error that came meanwhile shows instead; after an ERROR to a foreign
    /// port it may be about that.
    pub fn send_past_icmp(
        &self,
        packet: &[u8],
        to: SocketAddr,
        told_a_stranger: bool,
    ) -> io::Result<()> {
        match self.send(packet, to) {
            Err(error) if is_unreachable(&error) && told_a_stranger => self.send(packet, to),
            other => other,
        }
    }

    /// Waits for a datagram until `deadline`.
    pub fn receive(&self, buffer: &mut [u8], deadline: Nanos) -> io::Result<Heard> {
        // Zero would mean "for ever"; a datagram that is there already is still read.
        let wait = clock::until(deadline);
        let wait = wait.max(Duration::from_micros(1));
        self.socket.set_read_timeout(Some(wait))?;
        match self.socket.recv_from(buffer) {
            Ok((len, from)) => Ok(Heard::Datagram { len, from }),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Heard::Nothing),
                io::ErrorKind::Interrupted => Ok(Heard::Signal),
                _ if is_unreachable(&error) => Ok(Heard::Unreachable(error)),
                _ => Err(error),
            },
        }
    }
}

/// Whether the error tells of the path to the peer, not of this socket.
pub fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

/// Asks for ICMP errors. The socket cannot be connected, which would bring them unasked: a TFTP
/// server answers from another port than the one that was asked.
fn report_icmp(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    let (level, name) = if v6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        (libc::IPPROTO_IP, libc::IP_RECVERR)
    };
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length describe `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
