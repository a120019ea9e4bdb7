//! dnsmasq's `tftp-*` options as our configuration file.
//! It never reads a disk: the text comes from the caller, the translation goes back to it.

mod line;
mod write;

use core::net::IpAddr;

use line::Line;

/// What the lines say together. Each has the number of its line for the comments.
#[derive(Debug, Default)]
struct Wanted {
    enabled: bool,
    roots: Vec<RootLine>,
    listen: Vec<IpAddr>,
    unique: Option<Unique>,
    lowercase: bool,
    single_port: bool,
    ports: Option<(u16, u16)>,
    mtu: Option<u16>,
    leases: Option<String>,
    notes: Vec<Note>,
}

/// `tftp-root=DIR[,INTERFACE]`
#[derive(Debug)]
struct RootLine {
    dir: String,
    interface: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unique {
    Ip,
    Mac,
}

/// Something that the operator must know of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// From 1.
    pub line: usize,
    pub text: String,
    /// The line is not about TFTP, and dnsmasq goes on with it.
    pub foreign: bool,
}

/// A translated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    pub toml: String,
    pub notes: Vec<Note>,
}

/// dnsmasq takes these off the MTU: IP, UDP and TFTP headers.
const HEADERS: u16 = 32;

/// The blksize that dnsmasq grants at least, and the largest that there is.
const BLKSIZE: core::ops::RangeInclusive<u16> = 512..=65_464;

/// Translates the text of a dnsmasq configuration; `origin` is what the comments call it.
#[must_use]
pub fn translate(origin: &str, text: &str) -> Translation {
    let mut wanted = Wanted::default();
    for (index, text) in text.lines().enumerate() {
        if let Some(line) = Line::parse(text) {
            wanted.take(index + 1, &line);
        }
    }
    wanted.look_back();
    let toml = write::toml(origin, &wanted);
    let notes = wanted.notes;
    Translation { toml, notes }
}

impl Wanted {
    fn take(&mut self, number: usize, line: &Line) {
        let value = line.value.as_deref();
        match (line.key.as_str(), value) {
            ("enable-tftp", interfaces) => self.enable(number, interfaces),
            ("tftp-root", Some(value)) => self.root(number, value),
            ("tftp-unique-root", by) => self.unique(number, by.unwrap_or("ip")),
            ("tftp-lowercase", None) => self.lowercase = true,
            ("tftp-single-port", None) => self.single_port = true,
            ("tftp-port-range", Some(range)) => self.port_range(number, range),
            ("tftp-mtu", Some(mtu)) => self.mtu(number, mtu),
            ("tftp-secure", None) => self.note(number, SECURE),
            ("tftp-max", Some(limit)) => self.note(
                number,
                format!(
                    "tftp-max={limit}: nothing need be set, a transfer costs no file descriptor; \
                     see the limits in `ringboot serve --help`"
                ),
            ),
            ("tftp-no-blocksize", None) => self.note(number, NO_BLOCKSIZE),
            ("tftp-no-fail", None) => self.note(number, NO_FAIL),
            ("listen-address", Some(addresses)) => self.listen(number, addresses),
            ("interface" | "except-interface" | "bind-interfaces" | "bind-dynamic", _) => self
                .note(
                    number,
                    format!(
                        "{line}: interfaces cannot be named; list their addresses in `listen` if \
                         not all are to be served"
                    ),
                ),
            ("dhcp-leasefile", Some(file)) => self.leases = Some(file.to_owned()),
            ("conf-file" | "conf-dir" | "servers-file", _) => self.note(
                number,
                format!("{line}: files that this one reads are not translated; import them, too"),
            ),
            (key, _) if key.contains("tftp") => {
                self.note(number, format!("{line}: not understood"));
            }
            _ => self.notes.push(Note {
                line: number,
                text: line.to_string(),
                foreign: true,
            }),
        }
    }

    fn note(&mut self, line: usize, text: impl Into<String>) {
        let (text, foreign) = (text.into(), false);
        self.notes.push(Note {
            line,
            text,
            foreign,
        });
    }

    fn enable(&mut self, number: usize, interfaces: Option<&str>) {
        self.enabled = true;
        if let Some(interfaces) = interfaces {
            self.note(
                number,
                format!(
                    "enable-tftp={interfaces}: interfaces cannot be named; put their addresses into \
                     `listen`, or all addresses are served"
                ),
            );
        }
    }

    fn root(&mut self, number: usize, value: &str) {
        let (dir, interface) = match value.split_once(',') {
            Some((dir, interface)) => (dir.trim(), Some(interface.trim().to_owned())),
            None => (value, None),
        };
        if !dir.starts_with('/') {
            self.note(number, format!("tftp-root={value}: not an absolute path"));
        }
        if let Some(interface) = &interface {
            self.note(
                number,
                format!(
                    "tftp-root for {interface}: interfaces cannot be named; put the address of \
                     {interface} into the rule below and take the # away"
                ),
            );
        } else if self.roots.iter().any(|root| root.interface.is_none()) {
            self.note(
                number,
                "a second tftp-root; as in dnsmasq, the later one counts",
            );
            self.roots.retain(|root| root.interface.is_some());
        }
        let dir = dir.to_owned();
        self.roots.push(RootLine { dir, interface });
    }

    fn unique(&mut self, number: usize, by: &str) {
        match by {
            "ip" => self.unique = Some(Unique::Ip),
            "mac" => self.unique = Some(Unique::Mac),
            other => self.note(
                number,
                format!("tftp-unique-root={other}: neither ip nor mac"),
            ),
        }
    }

    fn port_range(&mut self, number: usize, range: &str) {
        let ports = range.split_once(',').and_then(|(low, high)| {
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (0 < low && low <= high).then_some((low, high))
        });
        match ports {
            Some(ports) => self.ports = Some(ports),
            None => self.note(number, format!("tftp-port-range={range}: not two ports")),
        }
    }

    fn mtu(&mut self, number: usize, mtu: &str) {
        match mtu.parse::<u16>() {
            Ok(mtu) if mtu > HEADERS => self.mtu = Some(mtu),
            _ => self.note(number, format!("tftp-mtu={mtu}: not an MTU")),
        }
    }

    fn listen(&mut self, number: usize, addresses: &str) {
        for address in addresses.split(',').map(str::trim) {
            match address.parse() {
                Ok(address) => self.listen.push(address),
                Err(_) => self.note(number, format!("listen-address={address}: not an address")),
            }
        }
    }

    /// What only shows when all lines were read.
    fn look_back(&mut self) {
        if self.single_port && self.ports.take().is_some() {
            self.note(0, "tftp-port-range means nothing with tftp-single-port");
        }
        if self.roots.iter().all(|root| root.interface.is_some()) {
            self.note(
                0,
                "no tftp-root without an interface: say in `root` what is to be served",
            );
        }
        if !self.enabled {
            self.note(
                0,
                "no enable-tftp: dnsmasq would serve nothing with this file",
            );
        }
        self.notes.sort_by_key(|note| note.line);
    }

    /// dnsmasq's own bounds.
    fn blksize(&self) -> Option<u16> {
        let mtu = self.mtu?;
        Some((mtu - HEADERS).clamp(*BLKSIZE.start(), *BLKSIZE.end()))
    }
}

const SECURE: &str = "tftp-secure: run ringboot as a user that may read only what clients may have; \
                      names never lead out of the root";
const NO_BLOCKSIZE: &str = "tftp-no-blocksize: there is no such switch; `max-blksize = 512` has the same effect on the wire's blocks";
const NO_FAIL: &str = "tftp-no-fail: a root that cannot be read always refuses the start";

#[cfg(test)]
mod tests;
