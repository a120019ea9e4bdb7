//! One shard's sockets: for each address a member of the listening port's group, and a data socket of its own.
//! It never receives or sends.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::endpoint::SocketId;
use crate::limits::{ACK_BUFFER, REQUEST_BUFFER};
use crate::wire::HEADER_LEN;

/// What to bind, the same for every shard.
#[derive(Debug, Clone)]
pub struct Plan {
    pub listen: Vec<Listen>,
    pub shards: u16,
    /// Answer from the port that was asked: one socket for requests and data.
    pub single_port: bool,
    /// Ports for data sockets, both ends included; `None` lets the kernel choose.
    pub data_ports: Option<(u16, u16)>,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    pub addr: SocketAddr,
    /// Left out where the host does not speak this IP version: the default `[::]:69`.
    pub optional: bool,
}

impl Plan {
    /// Port 69 on all addresses of both IP versions.
    #[must_use]
    pub fn default_listen() -> Vec<Listen> {
        let any4 = SocketAddr::from(([0; 4], 69));
        let any6 = SocketAddr::from(([0_u16; 8], 69));
        [(any4, false), (any6, true)]
            .map(|(addr, optional)| Listen { addr, optional })
            .to_vec()
    }
}

/// Why a server cannot have its sockets.
#[derive(Debug)]
pub struct BindError {
    pub addr: SocketAddr,
    /// The operator's range, where it was a data port that could not be had.
    pub data_ports: Option<(u16, u16)>,
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addr = self.addr;
        match self.error.raw_os_error() {
            Some(libc::EACCES) => write!(
                f,
                "cannot listen on {addr}: ports below 1024 need root or CAP_NET_BIND_SERVICE; \
                 or choose one above with --listen"
            ),
            Some(libc::EADDRINUSE) => self.fmt_taken(f),
            Some(libc::EADDRNOTAVAIL) => write!(
                f,
                "cannot listen on {addr}: this host has no such address; `ip addr` shows those \
                 that it has"
            ),
            _ => write!(f, "cannot listen on {addr}: {}", self.error),
        }
    }
}

impl BindError {
    pub(super) fn at(
        addr: SocketAddr,
        data_ports: Option<(u16, u16)>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            addr,
            data_ports,
            error,
        }
    }

    fn fmt_taken(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            addr, data_ports, ..
        } = self;
        match data_ports {
            Some((low, high)) => write!(
                f,
                "not enough free ports in --data-ports {low}-{high}: every shard takes one \
                 for each address; widen the range, or start fewer --shards"
            ),
            None => write!(
                f,
                "cannot listen on {addr}: another program has this port; stop it (`ss -ulpn` names \
                 it) or choose another port with --listen"
            ),
        }
    }
}

impl core::error::Error for BindError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Buffer sizes: the least that a socket got of what was asked. Short of it, a burst is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// Raised by the sysctl `net.core.rmem_max` or by CAP_NET_ADMIN.
    pub receive: usize,
    /// Raised by the sysctl `net.core.wmem_max` or by CAP_NET_ADMIN.
    pub send: usize,
}

/// What a socket is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Receives requests and sends nothing but refusals.
    Listener,
    /// Receives ACKs, sends DATA.
    Data,
    /// Single-port mode: both.
    Both,
}

impl Role {
    pub(super) const fn listens(self) -> bool {
        matches!(self, Self::Listener | Self::Both)
    }

    /// Whether ICMP errors are asked for.
    pub(super) const fn carries_data(self) -> bool {
        matches!(self, Self::Data | Self::Both)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    role: Role,
    addr: SocketAddr,
    /// For a listening socket: the data socket beside it; none in single-port mode.
    reply: Option<SocketId>,
}

/// Which socket is which; apart from the sockets themselves, so that a shard can ask while its
/// backend is at work.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    places: Vec<Place>,
}

impl Layout {
    /// The data socket for a new transfer that came to `listen`.
    #[must_use]
    pub fn reply_socket(&self, listen: SocketId) -> SocketId {
        let place = self.place(listen);
        place.and_then(|place| place.reply).unwrap_or(listen)
    }

    /// Whether requests come to this socket.
    #[must_use]
    pub fn is_listener(&self, socket: SocketId) -> bool {
        self.place(socket).is_some_and(|place| place.role.listens())
    }

    /// Whether ACKs come to this socket; in single-port mode it is a listener as well.
    #[must_use]
    pub fn is_data(&self, socket: SocketId) -> bool {
        self.place(socket)
            .is_some_and(|place| place.role.carries_data())
    }

    /// The address that the socket is bound to.
    #[must_use]
    pub fn addr(&self, socket: SocketId) -> Option<SocketAddr> {
        self.place(socket).map(|place| place.addr)
    }

    /// For each socket the address that it is bound to, if it is one.
    pub fn bound_to(&self) -> Vec<Option<IpAddr>> {
        let ips = self.places.iter().map(|place| place.addr.ip());
        ips.map(|ip| (!ip.is_unspecified()).then(|| ip.to_canonical()))
            .collect()
    }

    /// Every socket of the shard.
    pub fn ids(&self) -> impl Iterator<Item = SocketId> + use<> {
        (0..u16::try_from(self.places.len()).unwrap_or(u16::MAX)).map(SocketId)
    }

    /// The addresses on which requests are answered, with the ports really bound.
    pub fn listening(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let listening = self.places.iter().filter(|place| place.role.listens());
        listening.map(|place| place.addr)
    }

    fn place(&self, socket: SocketId) -> Option<&Place> {
        self.places.get(usize::from(socket.0))
    }
}

impl Default for Buffers {
    /// No socket yet.
    fn default() -> Self {
        Self {
            receive: usize::MAX,
            send: usize::MAX,
        }
    }
}

/// One shard's sockets, in the order of their [`SocketId`]s.
#[derive(Debug, Default)]
pub struct Sockets {
    /// `None` once closed.
    fds: Vec<Option<OwnedFd>>,
    layout: Layout,
    buffers: Buffers,
    /// Bytes of the largest block that clients may send; 0: they send none.
    blksize: u16,
    /// Somebody else has the listening sockets, too, and goes on with them.
    shared: bool,
}

impl Sockets {
    /// For sockets that were passed to us.
    pub(super) fn shared() -> Self {
        Self {
            shared: true,
            ..Self::default()
        }
    }

    /// Makes room for DATA with blocks of up to `blksize` bytes, before a backend is opened.
    pub const fn expect_data(&mut self, blksize: u16) {
        self.blksize = blksize;
    }

    /// Bytes of the largest datagram that is taken whole on a socket; of blocks one more than that,
    /// so that one which is too long shows.
    pub(super) fn datagram_len(&self, socket: SocketId) -> usize {
        let role = self.role(socket);
        let blocks = match self.blksize {
            blksize if blksize > 0 && role.carries_data() => usize::from(blksize) + HEADER_LEN + 1,
            _ => ACK_BUFFER,
        };
        if role.listens() {
            blocks.max(REQUEST_BUFFER)
        } else {
            blocks
        }
    }

    /// The same for all sockets together.
    pub(super) fn largest_datagram(&self) -> usize {
        let lens = self.layout.ids().map(|id| self.datagram_len(id));
        lens.max().unwrap_or(REQUEST_BUFFER)
    }

    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    #[must_use]
    pub const fn buffers(&self) -> Buffers {
        self.buffers
    }

    pub(super) fn add(&mut self, fd: OwnedFd, role: Role, addr: SocketAddr) -> SocketId {
        let size = |name| {
            let size = super::options::get(&fd, libc::SOL_SOCKET, name).unwrap_or(0);
            // The kernel doubles what is asked, for its own book-keeping.
            usize::try_from(size).unwrap_or(0) / 2
        };
        self.buffers.receive = self.buffers.receive.min(size(libc::SO_RCVBUF));
        self.buffers.send = self.buffers.send.min(size(libc::SO_SNDBUF));
        let id = SocketId(u16::try_from(self.fds.len()).unwrap_or(u16::MAX));
        self.fds.push(Some(fd));
        self.layout.places.push(Place {
            role,
            addr,
            reply: None,
        });
        id
    }

    /// How many routers a multicast datagram may pass, plus one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_multicast_hops(&self, hops: u8) -> io::Result<()> {
        for (fd, place) in self.fds.iter().zip(&self.layout.places) {
            let (level, name) = if place.addr.is_ipv4() {
                (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL)
            } else {
                (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS)
            };
            if let Some(fd) = fd {
                super::options::set(fd, level, name, i32::from(hops))?;
            }
        }
        Ok(())
    }

    /// Names the data socket of a listening one.
    pub(super) fn set_reply(&mut self, listener: SocketId, data: SocketId) {
        if let Some(place) = self.layout.places.get_mut(usize::from(listener.0)) {
            place.reply = Some(data);
        }
    }

    pub(super) fn fd(&self, socket: SocketId) -> Option<BorrowedFd<'_>> {
        self.fds
            .get(usize::from(socket.0))?
            .as_ref()
            .map(AsFd::as_fd)
    }

    pub(super) fn role(&self, socket: SocketId) -> Role {
        self.layout
            .place(socket)
            .map_or(Role::Data, |place| place.role)
    }

    /// Sockets that are still open.
    pub(super) fn open(&self) -> impl Iterator<Item = (SocketId, BorrowedFd<'_>)> {
        self.layout
            .ids()
            .zip(&self.fds)
            .filter_map(|(id, fd)| Some((id, fd.as_ref()?.as_fd())))
    }

    /// Lets no further datagram come to a listening socket; what it holds can still be read. The kernel
    /// gives a socket that has a peer only what comes from there, and passes it over when it chooses
    /// among a port's sockets. The peer is the socket itself.
    ///
    /// # Errors
    /// When there is no way from the address to itself.
    pub(super) fn leave(&self, socket: SocketId) -> io::Result<()> {
        let (Some(fd), Some(mut addr)) = (self.fd(socket), self.layout.addr(socket)) else {
            return Ok(());
        };
        if self.shared {
            return Ok(());
        }
        if addr.ip().is_unspecified() {
            addr.set_ip(match addr.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(rustix::net::connect(fd, &addr)?)
    }

    pub(super) fn close(&mut self, socket: SocketId) {
        if let Some(fd) = self.fds.get_mut(usize::from(socket.0)) {
            *fd = None;
        }
    }

    pub(super) fn drops(&self) -> u64 {
        self.open().map(|(_, fd)| super::options::drops(fd)).sum()
    }
}
