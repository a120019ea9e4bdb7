//! Leases files of dnsmasq, ISC dhcpd and Kea: which address was given to whom.
//! It never trusts them to be whole: a DHCP server may be writing, and what does not parse is skipped.

use core::net::IpAddr;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::valid_hostname;
use crate::limits::{LEASES_FRESH, LEASES_MAX};
use crate::names::Mac;
use crate::transfer::Nanos;

/// Who wrote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Dnsmasq,
    Isc,
    /// The CSV of its memfile backend, for DHCPv4 or DHCPv6.
    Kea,
}

/// What a lease tells about an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    pub mac: Option<Mac>,
    pub hostname: Option<Box<str>>,
}

/// One file, read again when it has changed.
#[derive(Debug)]
pub struct Leases {
    path: PathBuf,
    format: Format,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    leases: HashMap<IpAddr, Lease>,
    /// What the file looked like when it was read.
    state: Option<State>,
    looked: Option<Nanos>,
}

/// A file and when it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    inode: u64,
    size: u64,
    written: (i64, i64),
}

impl Leases {
    #[must_use]
    pub fn new(path: PathBuf, format: Format) -> Self {
        Self {
            path,
            format,
            known: Mutex::default(),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lease of an address. A file that cannot be read leaves what was read before.
    pub fn look_up(&self, ip: IpAddr, now: Nanos) -> Option<Lease> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known
            .looked
            .is_none_or(|looked| now - looked >= LEASES_FRESH)
        {
            known.looked = Some(now);
            self.refresh(&mut known);
        }
        known.leases.get(&ip).cloned()
    }

    /// The lease of an address as the file was read last. `None`: it is time to look at the file, or
    /// somebody does.
    pub(super) fn recall(&self, ip: IpAddr, now: Nanos) -> Option<Option<Lease>> {
        let known = self.known.try_lock().ok()?;
        let fresh = known
            .looked
            .is_some_and(|looked| now - looked < LEASES_FRESH);
        fresh.then(|| known.leases.get(&ip).cloned())
    }

    /// Reads the file once, to see whether that works.
    pub(super) fn try_read(&self) -> io::Result<()> {
        self.content().map(drop)
    }

    fn refresh(&self, known: &mut Known) {
        let Ok(metadata) = fs::metadata(&self.path) else {
            return;
        };
        let state = Some(State {
            inode: metadata.ino(),
            size: metadata.size(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
        });
        if known.state == state {
            return;
        }
        if let Ok(text) = self.content() {
            known.leases = read(self.format, &text);
            known.state = state;
        }
    }

    fn content(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        File::open(&self.path)?
            .take(LEASES_MAX)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Reads a leases file's text. Where an address comes twice, the later lease counts.
#[must_use]
pub fn read(format: Format, text: &str) -> HashMap<IpAddr, Lease> {
    match format {
        Format::Dnsmasq => text.lines().filter_map(dnsmasq_line).collect(),
        Format::Isc => isc(text),
        Format::Kea => kea(text),
    }
}

/// `1700000000 52:54:00:12:34:56 192.0.2.7 node7 01:52:54:00:12:34:56`; with DHCPv6 the second word
/// is a number instead.
fn dnsmasq_line(line: &str) -> Option<(IpAddr, Lease)> {
    let mut words = line.split_ascii_whitespace();
    let (_expires, hardware) = (words.next()?, words.next()?);
    let ip = words.next()?.parse().ok()?;
    let hostname = words.next().and_then(hostname);
    // Other hardware than Ethernet is written with its type: 06-.
    let mac = hardware.parse().ok();
    Some((ip, Lease { mac, hostname }))
}

/// `lease 192.0.2.7 { … hardware ethernet 52:54:00:12:34:56; … client-hostname "node7"; }`
fn isc(text: &str) -> HashMap<IpAddr, Lease> {
    let mut leases = HashMap::new();
    let mut open: Option<(IpAddr, Lease, bool)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("lease ") {
            let ip = rest.trim_end_matches('{').trim().parse().ok();
            open = ip.map(|ip| (ip, Lease::default(), true));
        } else if line == "}" {
            if let Some((ip, lease, active)) = open.take() {
                if active {
                    leases.insert(ip, lease);
                } else {
                    leases.remove(&ip);
                }
            }
        } else if let Some((_, lease, active)) = &mut open {
            let line = line.trim_end_matches(';');
            if let Some(mac) = line.strip_prefix("hardware ethernet ") {
                lease.mac = mac.trim().parse().ok();
            } else if let Some(name) = line.strip_prefix("client-hostname ") {
                lease.hostname = hostname(name.trim().trim_matches('"'));
            } else if let Some(state) = line.strip_prefix("binding state ") {
                *active = state.trim() == "active";
            }
        }
    }
    leases
}

/// Columns by the names in the first line: Kea has added some over time.
fn kea(text: &str) -> HashMap<IpAddr, Lease> {
    let mut leases = HashMap::new();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let (Some(address), hwaddr, name, state) = (
        column("address"),
        column("hwaddr"),
        column("hostname"),
        column("state"),
    ) else {
        return leases;
    };
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |place: Option<usize>| place.and_then(|place| fields.get(place)).copied();
        let Some(ip) = field(Some(address)).and_then(|text| text.parse().ok()) else {
            continue;
        };
        // 0 is a lease in use; declined and reclaimed ones are nobody's.
        if field(state).is_none_or(|state| state == "0") {
            let mac = field(hwaddr).and_then(|text| text.parse().ok());
            // With a dot at its end where it is fully qualified.
            let hostname = field(name).and_then(|name| hostname(name.trim_end_matches('.')));
            leases.insert(ip, Lease { mac, hostname });
        } else {
            leases.remove(&ip);
        }
    }
    leases
}

fn hostname(text: &str) -> Option<Box<str>> {
    valid_hostname(text).map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn lease(mac: Option<Mac>, hostname: Option<&str>) -> Option<Lease> {
        let hostname = hostname.map(Into::into);
        Some(Lease { mac, hostname })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn dnsmasq_leases() {
        let text = "\
1763733000 52:54:00:12:34:56 192.0.2.7 node7 01:52:54:00:12:34:56
0 52:54:00:12:34:57 192.0.2.8 * *
1763733000 06-52:54:00:12:34:58 192.0.2.9 other *
duid 00:01:00:01:2a:2b:2c:2d:52:54:00:12:34:56
1763733000 11111 2001:db8::7 node7 00:01:00:01
nonsense
1763733000 52:54:00:12:34:59 192.0.2.10 $(reboot) *
";
        let leases = read(Format::Dnsmasq, text);
        let get = |text| leases.get(&ip(text)).cloned();
        assert_eq!(get("192.0.2.7"), lease(Some(MAC), Some("node7")));
        assert_eq!(get("192.0.2.8").and_then(|lease| lease.hostname), None);
        assert_eq!(get("192.0.2.9"), lease(None, Some("other")));
        assert_eq!(get("2001:db8::7"), lease(None, Some("node7")));
        assert_eq!(get("192.0.2.10").and_then(|lease| lease.hostname), None);
        assert_eq!(leases.len(), 5);
    }

    #[test]
    fn isc_leases_the_later_one_counts_and_free_ones_do_not() {
        let text = r#"
# a comment
authoring-byte-order little-endian;
lease 192.0.2.7 {
  starts 5 2026/11/20 10:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 02:00:00:00:00:01;
  client-hostname "old";
}
lease 192.0.2.7 {
  binding state active;
  hardware ethernet 52:54:00:12:34:56;
  uid "\001RT\000\0224V";
  client-hostname "node7";
}
lease 192.0.2.8 {
  binding state active;
  hardware ethernet 52:54:00:12:34:56;
}
lease 192.0.2.8 {
  binding state free;
  hardware ethernet 52:54:00:12:34:56;
}
lease 192.0.2.9 {
  hardware ethernet 52:54:00:12:34:56;
  client-hostname "cut
"#;
        let leases = read(Format::Isc, text);
        assert_eq!(
            leases.get(&ip("192.0.2.7")).cloned(),
            lease(Some(MAC), Some("node7"))
        );
        assert_eq!(leases.len(), 1);
    }

    #[test]
    fn kea_leases_of_both_versions() {
        let v4 = "\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.0.2.7,52:54:00:12:34:56,,3600,1763733000,1,0,0,node7.example.,0,,0
192.0.2.8,52:54:00:12:34:56,,3600,1763733000,1,0,0,,0,,0
192.0.2.8,52:54:00:12:34:56,,3600,1763733000,1,0,0,,2,,0
192.0.2.9
";
        let leases = read(Format::Kea, v4);
        assert_eq!(
            leases.get(&ip("192.0.2.7")).cloned(),
            lease(Some(MAC), Some("node7.example"))
        );
        assert_eq!(leases.get(&ip("192.0.2.8")), None);
        assert_eq!(leases.get(&ip("192.0.2.9")).cloned(), lease(None, None));
        let v6 = "\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state
2001:db8::7,00:03:00:01,4000,1763733000,1,3000,0,7,128,0,0,node7,52:54:00:12:34:56,0
";
        let leases = read(Format::Kea, v6);
        assert_eq!(
            leases.get(&ip("2001:db8::7")).cloned(),
            lease(Some(MAC), Some("node7"))
        );
        assert!(read(Format::Kea, "").is_empty() && read(Format::Kea, "a,b\n1,2\n").is_empty());
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_missing_one_forgets_nothing() {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("leases");
        let leases = Leases::new(path.clone(), Format::Dnsmasq);
        let known = |at| {
            leases
                .look_up(ip("192.0.2.7"), Nanos::from_secs(at))
                .is_some()
        };
        assert!(!known(0));
        fs::write(&path, "0 52:54:00:12:34:56 192.0.2.7 * *\n").expect("written");
        assert!(!known(0), "not at every request");
        assert!(known(10));
        fs::remove_file(&path).expect("removed");
        assert!(known(20));
        fs::write(&path, "").expect("written");
        assert!(!known(30));
    }
}
