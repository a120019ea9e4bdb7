//! Whether an OACK is what was asked for (RFC 2347, section "Negotiation Protocol").
//! It never talks back: the download sends the ERROR.

use std::fmt::Write;

use ringboot::wire::options::parse_decimal;
use ringboot::wire::{OptionName, Options};

use super::recipe::Asked;

/// What the server granted; nothing where it did not mention an option.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Granted {
    pub blksize: Option<u16>,
    pub windowsize: Option<u16>,
    pub tsize: bool,
    pub timeout: bool,
}

impl Granted {
    /// "blksize=1468 windowsize=16".
    #[must_use]
    pub fn text(&self) -> String {
        let mut words = String::new();
        if let Some(bytes) = self.blksize {
            let _ = write!(words, "blksize={bytes} ");
        }
        if let Some(blocks) = self.windowsize {
            let _ = write!(words, "windowsize={blocks} ");
        }
        for (granted, word) in [(self.tsize, "tsize "), (self.timeout, "timeout ")] {
            words.push_str(if granted { word } else { "" });
        }
        match words.trim_end() {
            "" => "none".into(),
            words => words.into(),
        }
    }
}

/// An OACK, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) granted: Granted,
    pub(super) tsize: Option<u64>,
    /// Nothing but what was asked, and nothing larger.
    pub(super) faithful: bool,
}

/// Reads an OACK; none when nobody can work with its values.
pub(super) fn read(options: &Options<'_>, asked: &Asked) -> Option<Terms> {
    let mut terms = Terms {
        granted: Granted::default(),
        tsize: None,
        faithful: true,
    };
    for (name, value) in options.iter() {
        terms.faithful &= asked.contains(name);
        terms.take(OptionName::parse(name), value, asked)?;
    }
    Some(terms)
}

impl Terms {
    fn take(&mut self, name: Option<OptionName>, value: &[u8], asked: &Asked) -> Option<()> {
        let number = || u16::try_from(parse_decimal(value)?).ok();
        let within =
            |granted: u16, asked: Option<u64>| asked.is_none_or(|most| u64::from(granted) <= most);
        match name {
            Some(OptionName::Blksize | OptionName::Blksize2) => {
                let bytes = number().filter(|bytes| (8..=65_464).contains(bytes))?;
                self.faithful &= within(bytes, asked.blksize);
                self.granted.blksize = Some(bytes);
            }
            Some(OptionName::Windowsize) => {
                let blocks = number().filter(|&blocks| blocks > 0)?;
                self.faithful &= within(blocks, asked.windowsize);
                self.granted.windowsize = Some(blocks);
            }
            Some(OptionName::Tsize) => {
                self.tsize = Some(parse_decimal(value)?);
                self.granted.tsize = true;
            }
            Some(OptionName::Timeout) => {
                let same = asked.timeout.as_deref().map(str::as_bytes) == Some(value);
                self.faithful &= same;
                self.granted.timeout = true;
            }
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringboot::wire::{Packet, decode};

    fn terms(oack: &[u8]) -> Option<Terms> {
        let asked = Asked {
            blksize: Some(1468),
            windowsize: Some(16),
            timeout: None,
            names: ["blksize", "windowsize", "tsize"]
                .map(String::from)
                .to_vec(),
        };
        match decode(oack) {
            Ok(Packet::Oack(options)) => read(&options, &asked),
            other => panic!("not an OACK: {other:?}"),
        }
    }

    #[test]
    fn what_was_asked_or_less_is_faithful() {
        let got = terms(b"\0\x06blksize\x001024\0tsize\x0099\0").expect("readable");
        assert!(got.faithful);
        assert_eq!(got.tsize, Some(99));
        assert_eq!(got.granted.text(), "blksize=1024 tsize");
        assert_eq!(Granted::default().text(), "none");
    }

    #[test]
    fn more_or_other_is_not() {
        for oack in [
            &b"\0\x06blksize\x001469\0"[..],
            b"\0\x06windowsize\x0017\0",
            b"\0\x06timeout\x001\0",
            b"\0\x06multicast\x00,,1\0",
        ] {
            assert!(!terms(oack).expect("readable").faithful, "{oack:?}");
        }
    }

    #[test]
    fn impossible_values_are_unreadable() {
        for oack in [
            &b"\0\x06blksize\x007\0"[..],
            b"\0\x06blksize\x00many\0",
            b"\0\x06windowsize\x000\0",
            b"\0\x06tsize\x00-1\0",
        ] {
            assert_eq!(terms(oack), None, "{oack:?}");
        }
    }
}
