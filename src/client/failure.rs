//! What can go wrong for a client, in words for the person who called it.
//! It never says which server or file: the caller puts those before it.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::IpAddr;

use super::text::{code_name, printable};
use crate::wire::ErrorCode;

#[derive(Debug)]
pub enum Failure {
    /// Nothing came back at all; `stranger` is who answered instead.
    NoAnswer {
        waited: Duration,
        stranger: Option<IpAddr>,
    },
    /// The network says that nobody is there.
    Unreachable(io::Error),
    /// The server went silent in the middle.
    Stalled {
        waited: Duration,
    },
    /// The network says so in the middle.
    Gone(io::Error),
    /// An ERROR packet.
    Server {
        code: ErrorCode,
        text: Vec<u8>,
    },
    /// The server broke the protocol; the code is what it hears of it.
    Protocol(ErrorCode, String),
    /// The output, or this machine's network.
    Local(String),
    Interrupted,
}

impl Failure {
    /// Nobody can be reached. Only a server that has not answered yet is worth asking at another address.
    pub const fn unreachable(error: io::Error, answered: bool) -> Self {
        if answered {
            Self::Gone(error)
        } else {
            Self::Unreachable(error)
        }
    }

    /// Whether another address of the same server may do better.
    pub const fn is_about_the_address(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::Unreachable(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { waited, stranger } => {
                write!(f, "no answer within {} s", rounded(*waited))?;
                match stranger {
                    Some(ip) => write!(f, "; {ip} answered in its place, ask that address"),
                    None => Ok(()),
                }
            }
            Self::Unreachable(error) => write_unreachable(f, error),
            Self::Stalled { waited } => write!(
                f,
                "the server went silent in the middle of the file; waited {} s for more",
                rounded(*waited)
            ),
            Self::Gone(error) => {
                f.write_str("the server went away in the middle of the file: ")?;
                write_unreachable(f, error)
            }
            Self::Server { code, text } if text.is_empty() => {
                write!(f, "server says: {} ({})", code_name(*code), code.0)
            }
            Self::Server { code, text } => {
                write!(f, "server says: {} ({})", printable(text), code.0)
            }
            Self::Protocol(_, what) | Self::Local(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

fn write_unreachable(f: &mut fmt::Formatter<'_>, error: &io::Error) -> fmt::Result {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            f.write_str("connection refused: nothing listens on that port")
        }
        io::ErrorKind::HostUnreachable => f.write_str("no way to that host"),
        io::ErrorKind::NetworkUnreachable => f.write_str("no route to that network"),
        _ => fmt::Display::fmt(error, f),
    }
}

/// Seconds as a person reads them: milliseconds are fine enough.
fn rounded(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e3).round() / 1e3
}
