//! The flags of multicast streams (RFC 2090), and the group addresses that they may use.
//! It never joins a group; clients do.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use clap::Args;

/// Groups that one prefix offers at most: more than all shards together ever use.
const GROUPS_MAX: u32 = 65_536;

#[derive(Debug, Clone, Default, Args)]
pub struct MulticastArgs {
    /// Let clients that ask for it share one stream of a file (RFC 2090), sent to group addresses of
    /// this prefix; once for IPv4 and once for IPv6
    #[arg(long, value_name = "ADDR/LEN", conflicts_with = "single_port")]
    pub multicast: Vec<GroupPrefix>,

    /// Where members of a group listen [default: 1758]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub multicast_port: Option<u16>,

    /// How many routers a stream may pass, plus one: 1 stays on the link [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub multicast_hops: Option<u8>,

    /// How long a stream waits for members before it begins. A client that stays alone waits 1 s. A
    /// request that was lost comes again after 5 s, so less costs a second copy now and then
    /// [default: 6]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=3600))]
    pub multicast_wait: Option<u64>,
}

impl MulticastArgs {
    /// Whether one of them says how streams are to be sent.
    #[must_use]
    pub const fn says_how(&self) -> bool {
        self.multicast_port.is_some()
            || self.multicast_hops.is_some()
            || self.multicast_wait.is_some()
    }
}

/// The first IPv4 group and how many there are; the last prefix given counts.
#[must_use]
pub fn groups_v4(prefixes: &[GroupPrefix]) -> Option<(Ipv4Addr, u32)> {
    prefixes.iter().rev().find_map(|prefix| match prefix.base {
        IpAddr::V4(base) => Some((base, prefix.count)),
        IpAddr::V6(_) => None,
    })
}

/// The same of IPv6.
#[must_use]
pub fn groups_v6(prefixes: &[GroupPrefix]) -> Option<(Ipv6Addr, u32)> {
    prefixes.iter().rev().find_map(|prefix| match prefix.base {
        IpAddr::V6(base) => Some((base, prefix.count)),
        IpAddr::V4(_) => None,
    })
}

/// Consecutive group addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPrefix {
    base: IpAddr,
    len: u32,
    count: u32,
}

impl fmt::Display for GroupPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.len)
    }
}

impl FromStr for GroupPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ip, len) = text.split_once('/').unwrap_or((text, ""));
        let base: IpAddr = ip.parse().map_err(|_| {
            format!("\"{ip}\" is no IP address; write 239.255.0.0/24 or ff15::/112")
        })?;
        check_scope(base)?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let len =
            match len {
                "" => bits,
                len => len.parse().ok().filter(|len| *len <= bits).ok_or_else(|| {
                    format!("\"/{len}\" is no prefix length; it is at most {bits}")
                })?,
            };
        let count = 1_u32.checked_shl(bits - len).unwrap_or(u32::MAX);
        let base = first_of(base, len);
        check_scope(base)?;
        Ok(Self {
            base,
            len,
            count: count.min(GROUPS_MAX),
        })
    }
}

/// The prefix's first address.
fn first_of(ip: IpAddr, len: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
            Ipv4Addr::from(u32::from(ip) & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            Ipv6Addr::from(u128::from(ip) & mask).into()
        }
    }
}

/// Groups that belong to the network's own protocols, and scopes beyond a site, are refused: a boot
/// image is nobody else's business (RFC 2365, RFC 4291 section 2.7).
fn check_scope(ip: IpAddr) -> Result<(), String> {
    let advice = match ip {
        _ if !ip.is_multicast() => "it is no multicast address",
        IpAddr::V4(ip) if ip.octets()[..3] == [224, 0, 0] => {
            "224.0.0.0/24 belongs to routing protocols"
        }
        IpAddr::V4(_) => return Ok(()),
        IpAddr::V6(ip) => match ip.octets()[1] & 0xf {
            0..=1 => "its scope does not leave this host",
            2..=8 => return Ok(()),
            _ => "its scope is wider than an organisation",
        },
    };
    Err(format!(
        "{ip} cannot be used: {advice}; write 239.255.0.0/24 or ff15::/112"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<GroupPrefix, String> {
        text.parse()
    }

    #[test]
    fn a_prefix_is_its_first_address_and_a_count() {
        let prefix = parse("239.255.7.9/24").expect("a prefix");
        assert_eq!(
            (prefix.base, prefix.count),
            ("239.255.7.0".parse().expect("ip"), 256)
        );
        let one = parse("239.255.7.9").expect("an address");
        assert_eq!(
            (one.base, one.count),
            ("239.255.7.9".parse().expect("ip"), 1)
        );
        assert_eq!(one.to_string().parse(), Ok(one));
        let six = parse("ff15::4:0/112").expect("a prefix");
        assert_eq!(
            (six.base, six.count),
            ("ff15::4:0".parse().expect("ip"), 65_536)
        );
    }

    #[test]
    fn addresses_of_others_are_refused() {
        for (text, part) in [
            ("10.0.0.1/24", "no multicast address"),
            ("224.0.0.5", "routing protocols"),
            ("ff01::1", "does not leave this host"),
            ("ff0e::1", "wider than"),
            ("239.0.0.0/33", "at most 32"),
            ("boot", "no IP address"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
