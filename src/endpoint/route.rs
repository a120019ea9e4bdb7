//! Who is at the other end and how to reach them: peer, socket, and the address they asked.
//! It never touches a socket: sockets are numbers that the shard gave out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// A client's address and port as Linux gives and takes them: IPv6 laid out as `sockaddr_in6`, IPv4 as
/// `sockaddr_in` and zeros behind it. No packet has to pay for another form. An IPv4 address in IPv6 is kept as
/// what it is, so that there is one form of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Peer {
    family: u16,
    /// In network order.
    port: [u8; 2],
    /// All zero for IPv6, where it is the flow label.
    v4: [u8; 4],
    /// All zero for IPv4.
    v6: [u8; 16],
    /// The interface of a link-local IPv6 address; 0 elsewhere.
    scope: u32,
}

impl Peer {
    /// `AF_INET` and `AF_INET6`.
    pub const FAMILY_V4: u16 = 2;
    pub const FAMILY_V6: u16 = 10;

    /// From the bytes of a `sockaddr_in`.
    #[must_use]
    pub const fn v4(ip: [u8; 4], port: [u8; 2]) -> Self {
        Self {
            family: Self::FAMILY_V4,
            port,
            v4: ip,
            v6: [0; 16],
            scope: 0,
        }
    }

    /// From the bytes of a `sockaddr_in6`.
    #[must_use]
    pub const fn v6(ip: [u8; 16], port: [u8; 2], scope: u32) -> Self {
        const MAPPED: u128 = 0xffff;
        if u128::from_be_bytes(ip) >> 32 == MAPPED {
            let [.., a, b, c, d] = ip;
            return Self::v4([a, b, c, d], port);
        }
        Self {
            family: Self::FAMILY_V6,
            port,
            v4: [0; 4],
            v6: ip,
            scope,
        }
    }

    #[must_use]
    pub fn ip(self) -> IpAddr {
        if self.is_v4() {
            Ipv4Addr::from(self.v4).into()
        } else {
            Ipv6Addr::from(self.v6).into()
        }
    }

    #[must_use]
    pub const fn port(self) -> u16 {
        u16::from_be_bytes(self.port)
    }

    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.family == Self::FAMILY_V4
    }

    /// The whole address in a form that hashes quickly.
    #[must_use]
    pub(super) fn key(self) -> (u128, u64) {
        match self.key_v4() {
            Some(key) => (0, key),
            None => (
                u128::from_ne_bytes(self.v6),
                u64::from(self.scope) << 16 | u64::from(self.port()),
            ),
        }
    }

    /// An IPv4 address and its port in 48 bits, which take fewer steps to hash.
    #[must_use]
    pub(super) const fn key_v4(self) -> Option<u64> {
        if !self.is_v4() {
            return None;
        }
        Some((u32::from_be_bytes(self.v4) as u64) << 16 | self.port() as u64)
    }

    #[must_use]
    pub fn to_addr(self) -> SocketAddr {
        match self.ip() {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, self.port()).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port(), 0, self.scope).into(),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        let port = addr.port().to_be_bytes();
        match addr {
            SocketAddr::V4(v4) => Self::v4(v4.ip().octets(), port),
            SocketAddr::V6(v6) => Self::v6(v6.ip().octets(), port, v6.scope_id()),
        }
    }
}

/// The address and interface that a request came to, and that the answers must come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Local {
    /// All zero: the socket is bound to one address, so the kernel knows.
    ip: [u8; 16],
    /// Interface to send from; 0 lets the routing table choose.
    pub ifindex: u32,
}

impl Local {
    #[must_use]
    pub fn new(ip: IpAddr, ifindex: u32) -> Self {
        let ip = match ip {
            IpAddr::V4(v4) => map(v4),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self { ip, ifindex }
    }

    /// The source address to put on answers, where the socket does not imply it.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        (self.ip != [0; 16]).then(|| unmap(self.ip))
    }
}

/// A socket of the shard, by its place in the shard's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId(pub u16);

/// Everything that a send needs beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub peer: Peer,
    pub local: Local,
    pub socket: SocketId,
}

/// Names a transfer's slot, and by the generation the very transfer: a late answer meant for a
/// former tenant of the slot is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub slot: u32,
    pub generation: u32,
}

/// Where a peer's transfer probably is, looked up ahead; no more than a hint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guess(pub(super) Option<u32>);

fn map(ip: Ipv4Addr) -> [u8; 16] {
    ip.to_ipv6_mapped().octets()
}

fn unmap(ip: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(ip).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_one_word() {
        let key = |text: &str| {
            let addr: SocketAddr = text.parse().expect("an address");
            Peer::from(addr).key_v4()
        };
        assert_eq!(key("192.0.2.7:1069"), Some(0xc000_0207_042d));
        assert_eq!(key("[::ffff:192.0.2.7]:1069"), Some(0xc000_0207_042d));
        for other in ["[::192.0.2.7]:69", "[2001:db8::7]:69", "[fe80::1%3]:2000"] {
            assert_eq!(key(other), None, "{other}");
        }
    }

    #[test]
    fn addresses_survive_the_common_shape() {
        for text in ["192.0.2.7:1069", "[2001:db8::7]:69", "[fe80::1%3]:2000"] {
            let addr: SocketAddr = text.parse().expect("an address");
            assert_eq!(Peer::from(addr).to_addr(), addr);
        }
    }
}
