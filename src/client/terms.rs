//! What we ask of the server, and what its answer may be (RFC 2347, 2348, 2349, 7440).
//! It never sends anything.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::client::Failure;
use crate::client::text::printable;
use crate::wire::options::parse_decimal;
use crate::wire::packet::encode_request;
use crate::wire::{ErrorCode, OptionName, Options};

/// RFC 2347: a request packet is at most this long.
const REQUEST_MAX: usize = 512;

/// How the transfer goes. The default is that of RFC 1350, for servers that answer with DATA.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub blksize: u16,
    pub windowsize: u16,
    pub tsize: Option<u64>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            blksize: 512,
            windowsize: 1,
            tsize: None,
        }
    }
}

/// What a transfer is to be like, as we ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub write: bool,
    /// The file's name as the server knows it.
    pub file: &'a OsStr,
    pub netascii: bool,
    pub blksize: u16,
    pub windowsize: u16,
    /// 0 asks for the size; `None` leaves it open: that of a text on the wire is known only when it
    /// has been sent.
    pub tsize: Option<u64>,
    pub timeout: Option<Duration>,
}

impl Asked<'_> {
    /// The request with its options.
    pub fn request(&self) -> Result<Vec<u8>, String> {
        let number = |name, value: Option<u64>| value.map(|value| (name, value.to_string()));
        let options = [
            number("blksize", Some(self.blksize.into())),
            number("windowsize", Some(self.windowsize.into())),
            number("tsize", self.tsize),
            number("timeout", self.asked_timeout()),
        ];
        let options = options.iter().flatten();
        let options = options.map(|(name, value)| (*name, value.as_str()));
        let mode = if self.netascii { "netascii" } else { "octet" };
        let mut packet = Vec::new();
        encode_request(&mut packet, self.write, self.file.as_bytes(), mode, options);
        if packet.len() > REQUEST_MAX {
            let excess = packet.len() - REQUEST_MAX;
            return Err(format!(
                "the file name is {excess} bytes too long for a TFTP request"
            ));
        }
        Ok(packet)
    }

    /// The timeout that the server may be asked for: RFC 2349 knows whole seconds only.
    fn asked_timeout(&self) -> Option<u64> {
        let timeout = self.timeout?;
        (timeout.subsec_nanos() == 0).then_some(timeout.as_secs())
    }

    /// Reads the OACK: any part of what was asked, and nothing that is beyond it.
    pub fn accept(&self, options: Options<'_>) -> Result<Terms, Failure> {
        let mut terms = Terms::default();
        for (name, value) in options.iter() {
            let number = parse_decimal(value);
            let fits = |low: u64, high: u16| {
                let number = number.filter(|&n| n >= low && n <= u64::from(high));
                number.and_then(|n| u16::try_from(n).ok())
            };
            let granted = match OptionName::parse(name) {
                Some(OptionName::Blksize) => fits(8, self.blksize).map(|n| terms.blksize = n),
                Some(OptionName::Windowsize) => {
                    fits(1, self.windowsize).map(|n| terms.windowsize = n)
                }
                Some(OptionName::Tsize) if self.tsize.is_some() => {
                    number.map(|n| terms.tsize = Some(n))
                }
                Some(OptionName::Timeout) => {
                    number.filter(|_| number == self.asked_timeout()).map(drop)
                }
                _ => None,
            };
            if granted.is_none() {
                return Err(Failure::Protocol(
                    ErrorCode::OPTION_REFUSED,
                    format!(
                        "the server granted {}={}, which was not asked for",
                        printable(name),
                        printable(value)
                    ),
                ));
            }
        }
        Ok(terms)
    }
}
