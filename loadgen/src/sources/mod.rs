//! The machines' addresses: a network of their own, or one address with many ports.
//! It never opens a socket.

mod cidr;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use cidr::Cidr;

/// Where machines live on loopback: away from 127.0.0.1 and the usual servers.
const LOOPBACK_FIRST: Ipv4Addr = Ipv4Addr::new(127, 16, 0, 1);
const LOOPBACK_LAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// How machines are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// An address for each machine; a few sockets speak for all of them.
    Addresses(Range),
    /// One address; sockets of its own for each machine. None: whatever the routes say.
    Ports(Option<IpAddr>),
}

/// Neighbouring addresses, one of which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    v6: bool,
    first: u128,
    /// How far behind the first one stands the address that is left out: the server's.
    hole: Option<u128>,
    /// Machines before ours, which another process speaks for.
    before: u32,
    count: u32,
}

impl Sources {
    /// Addresses for so many machines that talk to this server, behind those of the first `before`
    /// machines of the farm.
    ///
    /// # Errors
    /// When the network is too small or of another family.
    pub fn choose(
        server: IpAddr,
        net: Option<Cidr>,
        before: u32,
        machines: u32,
    ) -> Result<Self, String> {
        let server = server.to_canonical();
        let (first, last) = match net {
            Some(net) if net.is_one_address() => return Ok(Self::Ports(Some(net.network()))),
            Some(net) if net.is_ipv6() != server.is_ipv6() => {
                return Err(format!("--source-net {net}: the server is {server}"));
            }
            Some(net) => net.hosts(),
            None if server.is_loopback() && server.is_ipv4() => {
                (LOOPBACK_FIRST.into(), LOOPBACK_LAST.into())
            }
            None => return Ok(Self::Ports(None)),
        };
        let range = Range::new(first, last, server, before, machines);
        range.map(Self::Addresses).ok_or_else(|| {
            let farm = u64::from(before) + u64::from(machines);
            format!("--source-net has too few addresses for {farm} machines")
        })
    }

    /// The address of a machine, where it has one of its own.
    #[must_use]
    pub fn address(&self, machine: u32) -> Option<IpAddr> {
        match self {
            Self::Addresses(range) => Some(range.address(machine)),
            Self::Ports(address) => *address,
        }
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(range) => {
                let last = range.address(range.count.saturating_sub(1));
                write!(f, "{} to {last}", range.address(0))
            }
            Self::Ports(Some(address)) => write!(f, "{address}, a port for each machine"),
            Self::Ports(None) => f.write_str("one address, a port for each machine"),
        }
    }
}

impl Range {
    fn new(first: IpAddr, last: IpAddr, server: IpAddr, before: u32, count: u32) -> Option<Self> {
        let behind = |address| number(address).checked_sub(number(first));
        let hole = behind(server).filter(|&at| at <= number(last) - number(first));
        let room = number(last) - number(first) + 1 - u128::from(hole.is_some());
        (u128::from(before) + u128::from(count) <= room).then_some(Self {
            v6: first.is_ipv6(),
            first: number(first),
            hole,
            before,
            count,
        })
    }

    fn address(&self, machine: u32) -> IpAddr {
        let at = u128::from(self.before) + u128::from(machine);
        let skip = self.hole.is_some_and(|hole| at >= hole);
        let number = self.first + at + u128::from(skip);
        if self.v6 {
            return IpAddr::V6(number.into());
        }
        IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into())
    }

    /// Whose address this is.
    #[must_use]
    pub fn machine(&self, address: IpAddr) -> Option<u32> {
        let at = number(address).checked_sub(self.first)?;
        let at = match self.hole {
            Some(hole) if at == hole => return None,
            Some(hole) if at > hole => at - 1,
            _ => at,
        };
        let at = at.checked_sub(u128::from(self.before))?;
        u32::try_from(at).ok().filter(|&at| at < self.count)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Where clients that broadcast send to, unless told otherwise.
#[must_use]
pub fn broadcast_for(server: SocketAddr) -> SocketAddr {
    let all = if server.ip().is_loopback() {
        Ipv4Addr::new(127, 255, 255, 255)
    } else {
        Ipv4Addr::BROADCAST
    };
    match server {
        SocketAddr::V4(_) => (all, server.port()).into(),
        // IPv6 has no broadcast.
        SocketAddr::V6(_) => server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(server: &str, net: Option<&str>, machines: u32) -> Result<Sources, String> {
        let net = net.map(|net| net.parse().expect("a network"));
        Sources::choose(server.parse().expect("an address"), net, 0, machines)
    }

    fn range(sources: Sources) -> Range {
        match sources {
            Sources::Addresses(range) => range,
            other => panic!("no range: {other:?}"),
        }
    }

    #[test]
    fn the_servers_address_is_left_out() {
        let range = range(choose("10.0.0.2", Some("10.0.0.0/29"), 5).expect("room"));
        let all: Vec<String> = (0..5).map(|m| range.address(m).to_string()).collect();
        assert_eq!(
            all,
            ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
        );
        for machine in 0..5 {
            assert_eq!(range.machine(range.address(machine)), Some(machine));
        }
        let nobody = |text: &str| range.machine(text.parse().expect("an address"));
        assert_eq!(nobody("10.0.0.2"), None);
        assert_eq!(nobody("10.0.0.0"), None);
        assert_eq!(nobody("10.0.0.7"), None);
        assert!(choose("10.0.0.2", Some("10.0.0.0/29"), 6).is_err());
    }

    #[test]
    fn loopback_has_a_network_of_its_own() {
        let range = range(choose("127.0.0.1", None, 100_000).expect("room"));
        assert_eq!(range.address(0).to_string(), "127.16.0.1");
        assert_eq!(range.machine(range.address(99_999)), Some(99_999));
    }

    #[test]
    fn parts_of_a_farm_have_the_addresses_that_they_have_in_the_whole() {
        let server: IpAddr = [10, 0, 0, 3].into();
        let net = Some("10.0.0.0/24".parse().expect("a network"));
        let part =
            |before, count| range(Sources::choose(server, net, before, count).expect("room"));
        let (whole, second) = (part(0, 250), part(1, 249));
        for machine in 0..249 {
            assert_eq!(second.address(machine), whole.address(machine + 1));
            assert_eq!(second.machine(second.address(machine)), Some(machine));
        }
        assert_eq!(second.machine(whole.address(0)), None);
        assert!(Sources::choose(server, net, 250, 4).is_err());
    }

    #[test]
    fn elsewhere_machines_share_an_address() {
        assert_eq!(choose("192.0.2.1", None, 5), Ok(Sources::Ports(None)));
        assert_eq!(choose("::1", None, 5), Ok(Sources::Ports(None)));
        let one = choose("192.0.2.1", Some("192.0.2.9/32"), 5);
        assert_eq!(one, Ok(Sources::Ports(Some([192, 0, 2, 9].into()))));
        assert!(choose("192.0.2.1", Some("fd00::/64"), 5).is_err());
    }

    #[test]
    fn ipv6_networks_are_large() {
        let range = range(choose("fd00::1", Some("fd00::/64"), 3).expect("room"));
        assert_eq!(range.address(0).to_string(), "fd00::2");
        assert_eq!(range.machine("fd00::3".parse().expect("one")), Some(1));
    }
}
