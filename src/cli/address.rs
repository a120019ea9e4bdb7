//! Addresses as people type them: what a server listens on, and whom a client asks.
//! It never resolves a name.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

/// The port that IANA gave to TFTP.
const TFTP_PORT: u16 = 69;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// None is every address, IPv4 and IPv6.
    pub ip: Option<IpAddr>,
    /// 0 lets the kernel choose, which tests use.
    pub port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(port) = text.strip_prefix(':').filter(|rest| !rest.contains(':')) {
            let port = parse_port(port)?;
            return Ok(Self { ip: None, port });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                ip: Some(address.ip()),
                port: address.port(),
            });
        }
        match unbracket(text).parse() {
            Ok(ip) => Ok(Self {
                ip: Some(ip),
                port: TFTP_PORT,
            }),
            Err(_) => Err(format!(
                "\"{text}\" is no address; write 10.0.0.1:69, [fd00::1]:69, 10.0.0.1 or :69"
            )),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// A server to ask: a name or address that is still to be resolved, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = split_port(text);
        let port = port.map_or(Ok(TFTP_PORT), parse_port)?;
        let host = unbracket(host);
        if host.is_empty() || host.contains(['[', ']', ' ']) {
            return Err(format!(
                "\"{text}\" is no server; write a name, 10.0.0.1 or [fd00::1], then :PORT if it is not 69"
            ));
        }
        if port == 0 {
            return Err("nobody answers on port 0".to_owned());
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// Splits a port off, if there is one: a second colon outside of brackets means bare IPv6.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn unbracket(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    inner.filter(|inner| inner.contains(':')).unwrap_or(host)
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is no port; it is a number up to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_takes_every_usual_spelling() {
        for (text, ip, port) in [
            ("10.0.0.1:6969", Some("10.0.0.1"), 6969),
            ("10.0.0.1", Some("10.0.0.1"), 69),
            ("[fd00::1]:6969", Some("fd00::1"), 6969),
            ("[fd00::1]", Some("fd00::1"), 69),
            ("fd00::1", Some("fd00::1"), 69),
            ("[::]:0", Some("::"), 0),
            ("::", Some("::"), 69),
            (":6969", None, 6969),
        ] {
            let ip = ip.map(|ip| ip.parse().unwrap());
            assert_eq!(text.parse(), Ok(Listen { ip, port }), "{text}");
        }
    }

    #[test]
    fn listen_refuses_what_is_no_address() {
        for bad in [
            "",
            ":",
            ":x",
            "localhost",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "10.0.0:69",
            "[10.0.0.1]",
            "[fd00::1",
            "[fd00::1]:",
            "[fd00::1]69",
            "eth0:69",
        ] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn listen_shows_what_was_meant() {
        for (text, shown) in [
            ("fd00::1", "[fd00::1]:69"),
            ("10.0.0.1", "10.0.0.1:69"),
            (":7", ":7"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_server_is_a_name_or_an_address_with_or_without_a_port() {
        for (text, host, port, shown) in [
            ("boot", "boot", 69, "boot:69"),
            (
                "boot.example:6969",
                "boot.example",
                6969,
                "boot.example:6969",
            ),
            ("10.0.0.1", "10.0.0.1", 69, "10.0.0.1:69"),
            ("10.0.0.1:70", "10.0.0.1", 70, "10.0.0.1:70"),
            ("[fd00::1]", "fd00::1", 69, "[fd00::1]:69"),
            ("[fd00::1]:70", "fd00::1", 70, "[fd00::1]:70"),
            ("fd00::1:70", "fd00::1:70", 69, "[fd00::1:70]:69"),
            ("fe80::1%eth0", "fe80::1%eth0", 69, "[fe80::1%eth0]:69"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for bad in [
            "",
            ":",
            ":69",
            "boot:",
            "boot:0",
            "boot:65536",
            "boot:tftp",
            "[boot]",
            "[fd00::1",
            "fd00::1]:69",
            "[fd00::1]x",
            "two words",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
