//! Address prefixes: `10.0.0.0/8`, `2001:db8::/32`, or one address.
//! It never allocates for a look-up, and compares IPv4 in its mapped IPv6 form like everything else here.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    bits: u128,
    /// Of the mapped form: 96 more than written for IPv4.
    len: u8,
}

/// Prefixes by their length, so that a look-up costs a binary search for each length in use.
#[derive(Debug, Default)]
pub(super) struct PrefixSet {
    by_len: Box<[(u8, Box<[u128]>)]>,
}

impl PrefixSet {
    pub(super) fn new(prefixes: &[Prefix]) -> Self {
        let mut sorted: Vec<(u8, u128)> = prefixes.iter().map(|one| (one.len, one.bits)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let groups = sorted.chunk_by(|(len, _), (other, _)| len == other);
        let group = |group: &[(u8, u128)]| {
            let (len, _) = group.first()?;
            Some((*len, group.iter().map(|(_, bits)| *bits).collect()))
        };
        Self {
            by_len: groups.filter_map(group).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_len.is_empty()
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let bits = mapped(ip);
        let found =
            |(len, group): &(u8, Box<[u128]>)| group.binary_search(&(bits & mask(*len))).is_ok();
        self.by_len.iter().any(found)
    }
}

/// Why a text is no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixError {
    NoPrefix,
    TooLong,
    /// There are bits behind the prefix, so it may be meant otherwise.
    HostBits,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPrefix => {
                "this is no address prefix; write 10.0.0.0/8, 2001:db8::/32 or one address"
            }
            Self::TooLong => "a prefix has at most 32 bits (IPv4) or 128 bits (IPv6)",
            Self::HostBits => "bits are set behind the prefix; write the network's address",
        })
    }
}

impl core::error::Error for PrefixError {}

impl Prefix {
    /// The first `len` bits of `ip`, of which there are 32 or 128.
    #[must_use]
    pub fn of(ip: IpAddr, len: u8) -> Self {
        let len = match ip {
            IpAddr::V4(_) => len.min(32) + 96,
            IpAddr::V6(_) => len.min(128),
        };
        let bits = mapped(ip) & mask(len);
        Self { bits, len }
    }

    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        mapped(ip) & mask(self.len) == self.bits
    }

    /// Whether every address of `other` is one of ours.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.len <= other.len && other.bits & mask(self.len) == self.bits
    }

    fn is_v4(&self) -> bool {
        self.len >= 96 && Ipv6Addr::from_bits(self.bits).to_ipv4_mapped().is_some()
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (ip, len) = match text.split_once('/') {
            Some((ip, len)) => (ip, Some(len)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| PrefixError::NoPrefix)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let len = match len {
            None => most,
            // `parse` would take a sign.
            Some(len) if !len.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(PrefixError::NoPrefix);
            }
            Some(len) => len.parse().map_err(|_| PrefixError::NoPrefix)?,
        };
        if len > most {
            return Err(PrefixError::TooLong);
        }
        let prefix = Self::of(ip, len);
        if prefix.bits != mapped(ip) {
            return Err(PrefixError::HostBits);
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from_bits(self.bits);
        if self.is_v4() {
            write!(f, "{}/{}", ip.to_canonical(), self.len - 96)
        } else {
            write!(f, "{ip}/{}", self.len)
        }
    }
}

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

const fn mask(len: u8) -> u128 {
    match len {
        0 => 0,
        len => u128::MAX << (128 - len as u32),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_prefix_takes_its_addresses_in_both_forms() {
        let prefix: Prefix = "10.1.0.0/16".parse().expect("a prefix");
        for (ip, inside) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.0", false),
            ("::10.1.2.3", false),
        ] {
            assert_eq!(
                prefix.contains(ip.parse().expect("an address")),
                inside,
                "{ip}"
            );
        }
        let all: Prefix = "::/0".parse().expect("a prefix");
        assert!(all.covers(&prefix) && !prefix.covers(&all) && prefix.covers(&prefix));
        let all_v4: Prefix = "0.0.0.0/0".parse().expect("a prefix");
        assert!(all_v4.contains("192.0.2.1".parse().expect("an address")));
        assert!(!all_v4.contains("2001:db8::1".parse().expect("an address")));
    }

    #[test]
    fn a_set_has_what_one_of_its_prefixes_has() {
        let prefixes: Vec<Prefix> = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "192.0.2.7",
            "192.0.2.9",
            "2001:db8::/32",
        ]
        .iter()
        .map(|text| text.parse().expect("a prefix"))
        .collect();
        let set = PrefixSet::new(&prefixes);
        for ip in [
            "10.200.1.1",
            "192.0.2.7",
            "192.0.2.8",
            "2001:db8::1",
            "2001:db9::1",
            "::1",
        ] {
            let ip: IpAddr = ip.parse().expect("an address");
            let expected = prefixes.iter().any(|prefix| prefix.contains(ip));
            assert_eq!(set.contains(ip), expected, "{ip}");
        }
        assert!(!set.is_empty() && PrefixSet::new(&[]).is_empty());
    }

    #[test]
    fn prefixes_show_as_they_are_written() {
        for text in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "192.0.2.7/32",
            "2001:db8::/32",
            "::/0",
            "fe80::1/128",
        ] {
            let prefix: Prefix = text.parse().expect("a prefix");
            assert_eq!(prefix.to_string(), text);
        }
        assert_eq!(
            "192.0.2.7".parse::<Prefix>().map(|p| p.to_string()),
            Ok("192.0.2.7/32".into())
        );
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for (text, error) in [
            ("", PrefixError::NoPrefix),
            ("10.0.0/8", PrefixError::NoPrefix),
            ("10.0.0.0/", PrefixError::NoPrefix),
            ("10.0.0.0/+8", PrefixError::NoPrefix),
            ("10.0.0.0/300", PrefixError::NoPrefix),
            ("10.0.0.0/33", PrefixError::TooLong),
            ("10.0.0.1/8", PrefixError::HostBits),
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(error), "{text}");
        }
    }
}
