//! Who is at the other end and how to reach them: peer, socket, and the address they asked.
//! It never touches a socket: sockets are numbers that the shard gave out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// A client's address and port. IPv4 is kept in its mapped IPv6 form, so that there is one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    ip: [u8; 16],
    /// The interface of a link-local IPv6 address; 0 elsewhere.
    scope: u32,
    port: u16,
}

impl Peer {
    #[must_use]
    pub fn ip(self) -> IpAddr {
        unmap(self.ip)
    }

    #[must_use]
    pub const fn port(self) -> u16 {
        self.port
    }

    /// The whole address in a form that hashes quickly.
    #[must_use]
    pub(super) fn key(self) -> (u128, u64) {
        let numbers = (u64::from(self.scope) << 16) | u64::from(self.port);
        (u128::from_ne_bytes(self.ip), numbers)
    }

    /// An IPv4 address and its port in 48 bits, which take fewer steps to hash.
    #[must_use]
    pub(super) const fn key_v4(self) -> Option<u64> {
        const MAPPED: u128 = 0xffff;
        let ip = u128::from_be_bytes(self.ip);
        if ip >> 32 != MAPPED {
            return None;
        }
        let [.., a, b, c, d] = self.ip;
        let ip = u32::from_be_bytes([a, b, c, d]);
        Some((ip as u64) << 16 | self.port as u64)
    }

    #[must_use]
    pub fn to_addr(self) -> SocketAddr {
        match unmap(self.ip) {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, self.port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope).into(),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        let (ip, scope) = match addr {
            SocketAddr::V4(v4) => (map(*v4.ip()), 0),
            SocketAddr::V6(v6) => (v6.ip().octets(), v6.scope_id()),
        };
        Self {
            ip,
            scope,
            port: addr.port(),
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
