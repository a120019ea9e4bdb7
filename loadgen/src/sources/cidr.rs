//! A network such as 10.8.0.0/16.
//! It never asks the system whether it exists.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Its first address.
    #[must_use]
    pub const fn network(&self) -> IpAddr {
        self.network
    }

    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        self.network.is_ipv6()
    }

    pub(super) const fn is_one_address(&self) -> bool {
        self.prefix == self.bits()
    }

    /// The first and the last address that a machine may have.
    pub(super) fn hosts(&self) -> (IpAddr, IpAddr) {
        let host_bits = u32::from(self.bits() - self.prefix);
        // Network and broadcast address, where there are such.
        let edge = u8::from(host_bits > 1);
        match self.network {
            IpAddr::V4(network) => {
                let last = network.to_bits() | u32::MAX.checked_shr(32 - host_bits).unwrap_or(0);
                let first = network.to_bits() + u32::from(edge);
                (
                    IpAddr::V4(first.into()),
                    IpAddr::V4((last - u32::from(edge)).into()),
                )
            }
            IpAddr::V6(network) => {
                let last = network.to_bits() | u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
                let first = network.to_bits() + u128::from(edge);
                (IpAddr::V6(first.into()), IpAddr::V6(last.into()))
            }
        }
    }

    const fn bits(&self) -> u8 {
        if self.network.is_ipv6() { 128 } else { 32 }
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a network such as 10.8.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        let mut cidr = Self {
            network: address,
            prefix,
        };
        if prefix > cidr.bits() {
            return Err(wrong());
        }
        let host_bits = u32::from(cidr.bits() - prefix);
        cidr.network = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & mask).into())
            }
        };
        Ok(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_their_edges_left_out() {
        let hosts = |text: &str| {
            let cidr: Cidr = text.parse().expect("a network");
            let (first, last) = cidr.hosts();
            format!("{cidr}: {first} {last}")
        };
        assert_eq!(hosts("10.8.3.4/16"), "10.8.0.0/16: 10.8.0.1 10.8.255.254");
        assert_eq!(hosts("0.0.0.0/0"), "0.0.0.0/0: 0.0.0.1 255.255.255.254");
        assert_eq!(hosts("10.0.0.0/31"), "10.0.0.0/31: 10.0.0.0 10.0.0.1");
        assert_eq!(hosts("fd00::9/126"), "fd00::8/126: fd00::9 fd00::b");
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }
}
