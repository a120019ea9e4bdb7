//! The options of `serve` about the admin port, and the command that looks at it.
//! It never opens the port, and never reads the token.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::str::FromStr;
use std::path::PathBuf;

use clap::Args;

/// Where the admin port is unless somebody says otherwise.
const PORT: u16 = 9069;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Monitoring")]
pub struct AdminArgs {
    /// Show metrics (/metrics), health (/livez, /readyz) and the farm (/) over HTTP at this address;
    /// :PORT is this host alone. Any address but a loopback one needs a token [default: off]
    #[arg(long, value_name = "ADDR:PORT")]
    pub admin: Option<AdminAddr>,

    /// File with the token that clients of --admin must send: as a bearer token, or as a browser's
    /// password
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot top
  ringboot top --admin 10.0.0.1:9069 --admin-token-file /etc/ringboot/token

Keys: up and down choose a machine, Enter shows its files, s sorts, / filters, q ends.
Exit status: 0, or 1 when the server cannot be reached.")]
pub struct TopArgs {
    /// The admin port of the server to look at
    #[arg(long, value_name = "ADDR:PORT", default_value_t = AdminAddr::default())]
    pub admin: AdminAddr,

    /// File with the server's admin token
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    /// Print what there is once, as text, and end
    #[arg(long)]
    pub once: bool,
}

/// An address and port; this host where the address is left out or is `localhost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddr(pub SocketAddr);

impl Default for AdminAddr {
    fn default() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))
    }
}

impl fmt::Display for AdminAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AdminAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let here = text.strip_prefix("localhost").unwrap_or(text);
        let port = here.strip_prefix(':').and_then(|port| port.parse().ok());
        let addr = match port {
            Some(port) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
            None => text.parse().ok(),
        };
        addr.map(Self).ok_or_else(|| {
            format!("\"{text}\" is no address and port; write 127.0.0.1:{PORT} or :{PORT}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_left_out_is_this_host() {
        for (text, addr) in [
            (":9069", "127.0.0.1:9069"),
            ("localhost:1", "127.0.0.1:1"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(
                text.parse::<AdminAddr>().map(|addr| addr.to_string()),
                Ok(addr.into())
            );
        }
        for bad in ["", ":", "9069", "host:80", "10.0.0.1", ":99999"] {
            assert!(bad.parse::<AdminAddr>().is_err(), "{bad}");
        }
    }
}
