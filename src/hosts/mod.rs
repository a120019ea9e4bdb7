//! Who a client is beside its address: its hardware address and its hostname.
//! It never runs on a shard's thread: it reads files and asks the kernel.

mod directory;
mod leases;
mod neighbours;

use core::net::IpAddr;
use std::path::PathBuf;

pub use directory::Directory;
pub use leases::{Format, Lease, Leases, read as read_leases};
pub use neighbours::Neighbours;

use crate::clock;
use crate::limits::HOSTNAME_MAX;
use crate::names::Mac;

/// All the sources that the operator named.
#[derive(Debug, Default)]
pub struct Hosts {
    /// What the operator wrote down; wins over everything else.
    pub table: Vec<Host>,
    /// What DHCP servers wrote down, in the order of preference.
    pub leases: Vec<Leases>,
    /// What the kernel learnt on its own links.
    pub neighbours: Option<Neighbours>,
}

/// A machine that the operator knows, by either address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub ip: Option<IpAddr>,
    pub mac: Option<Mac>,
    pub hostname: Option<Box<str>>,
}

/// What is known about a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub mac: Option<Mac>,
    pub hostname: Option<Box<str>>,
    /// Where the hardware address comes from, for the operator.
    pub source: Option<String>,
}

impl Hosts {
    /// Everything known about `ip`. A hardware address that is `given` is believed.
    #[must_use]
    pub fn look_up(&self, ip: IpAddr, given: Option<Mac>) -> Known {
        let now = clock::now();
        let neighbour = |neighbours: &Neighbours| Some(neighbours.look_up(ip, now));
        let lease = |leases: &Leases| Some(leases.look_up(ip, now));
        self.ask(ip, given, neighbour, lease).unwrap_or_default()
    }

    /// The same from memory alone: it neither reads a file nor asks the kernel. `None` where one of
    /// them would have to be asked.
    #[must_use]
    pub fn recall(&self, ip: IpAddr, given: Option<Mac>) -> Option<Known> {
        let now = clock::now();
        let neighbour = |neighbours: &Neighbours| neighbours.recall(ip, now).map(Some);
        let lease = |leases: &Leases| leases.recall(ip, now);
        self.ask(ip, given, neighbour, lease)
    }

    /// `None` as soon as one of the two does not know whether it knows.
    fn ask(
        &self,
        ip: IpAddr,
        given: Option<Mac>,
        neighbour: impl Fn(&Neighbours) -> Option<Option<Mac>>,
        lease: impl Fn(&Leases) -> Option<Option<Lease>>,
    ) -> Option<Known> {
        let mut known = Known {
            mac: given,
            ..Known::default()
        };
        for host in self.table.iter().filter(|host| host.ip == Some(ip)) {
            known.learn(host.mac, host.hostname.as_deref(), || "[[host]]".into());
        }
        let named = known.hostname.is_some();
        if let Some(neighbours) = &self.neighbours
            && known.mac.is_none()
        {
            known.learn(neighbour(neighbours)?, None, || {
                "the neighbour table".into()
            });
        }
        for leases in &self.leases {
            if let Some(lease) = lease(leases)? {
                known.learn(lease.mac, lease.hostname.as_deref(), || {
                    leases.path().display().to_string()
                });
            }
        }
        // Whoever has told the hardware address, the name that the operator wrote beside it wins.
        let mac = known.mac;
        let mine = |host: &&Host| host.mac.is_some() && host.mac == mac;
        let mut own = self.table.iter().filter(mine);
        if let Some(hostname) = own.find_map(|host| host.hostname.as_ref())
            && !named
        {
            known.hostname = Some(hostname.clone());
        }
        Some(known)
    }

    /// Files that cannot be read, with the reason.
    pub fn unreadable(&self) -> impl Iterator<Item = (PathBuf, std::io::Error)> + '_ {
        let problem = |leases: &Leases| {
            let error = leases.try_read().err()?;
            Some((leases.path().to_owned(), error))
        };
        self.leases.iter().filter_map(problem)
    }
}

impl Known {
    fn learn(&mut self, mac: Option<Mac>, hostname: Option<&str>, source: impl Fn() -> String) {
        if self.mac.is_none() && mac.is_some() {
            self.mac = mac;
            self.source = Some(source());
        }
        if self.hostname.is_none() {
            self.hostname = hostname.map(Into::into);
        }
    }
}

/// A hostname that may go into a name or a boot script: clients tell their DHCP server what they
/// like to be called.
#[must_use]
pub fn valid_hostname(name: &str) -> Option<&str> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    (begins && name.len() <= HOSTNAME_MAX && name.bytes().all(good)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_hostnames_are_believed() {
        assert_eq!(valid_hostname("node-7.example"), Some("node-7.example"));
        let long = "a".repeat(HOSTNAME_MAX + 1);
        for bad in [
            "", "..", ".hidden", "a b", "a/b", "a\nb", "a;b", "${x}", "é", &long,
        ] {
            assert_eq!(valid_hostname(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_the_operator_wrote_wins() {
        let ip: IpAddr = "192.0.2.7".parse().expect("an address");
        let (mine, other) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let host = |ip, mac, name: &str| Host {
            ip,
            mac,
            hostname: Some(name.into()),
        };
        let hosts = Hosts {
            table: vec![
                host(Some(ip), Some(mine), "by-ip"),
                host(None, Some(other), "by-mac"),
            ],
            ..Hosts::default()
        };
        let known = hosts.look_up(ip, None);
        assert_eq!(
            (known.mac, known.hostname.as_deref()),
            (Some(mine), Some("by-ip"))
        );
        let known = hosts.look_up("192.0.2.8".parse().expect("an address"), Some(other));
        assert_eq!(
            (known.mac, known.hostname.as_deref()),
            (Some(other), Some("by-mac"))
        );
        let known = hosts.look_up("192.0.2.8".parse().expect("an address"), None);
        assert_eq!(known, Known::default());
    }

    /// The lease tells the hardware address, and by that the operator knows the machine.
    #[test]
    fn what_the_operator_wrote_beside_a_leased_hardware_address_wins() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("leases");
        let text =
            "0 02:00:00:00:00:01 192.0.2.7 theirs *\n0 02:00:00:00:00:02 192.0.2.8 other *\n";
        std::fs::write(&path, text).expect("written");
        let hosts = Hosts {
            table: vec![Host {
                ip: None,
                mac: Some(Mac([2, 0, 0, 0, 0, 1])),
                hostname: Some("mine".into()),
            }],
            leases: vec![Leases::new(path, Format::Dnsmasq)],
            ..Hosts::default()
        };
        for (ip, name) in [("192.0.2.7", "mine"), ("192.0.2.8", "other")] {
            let known = hosts.look_up(ip.parse().expect("an address"), None);
            assert_eq!(known.hostname.as_deref(), Some(name));
        }
    }
}
