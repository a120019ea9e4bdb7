//! Hardware addresses: as people and files write them, and the prefixes that vendors own.
//! It never looks one up.

use core::fmt;
use core::str::FromStr;

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

/// The first bytes of an address, at least one: all of it, or a vendor's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacPrefix {
    bytes: [u8; 6],
    len: usize,
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match read(text) {
            Some((bytes, 6)) => Ok(Self(bytes)),
            _ => Err(format!(
                "\"{text}\" is no hardware address; write 52:54:00:12:34:56"
            )),
        }
    }
}

/// The way of DHCP servers and of `ip neigh`.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl FromStr for MacPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bytes, len) = read(text).filter(|(_, len)| *len > 0).ok_or_else(|| {
            format!("\"{text}\" is no hardware address; write 52:54:00:12:34:56, or 52:54:00 for all of a vendor's")
        })?;
        Ok(Self { bytes, len })
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.bytes[..self.len], f)
    }
}

impl MacPrefix {
    #[must_use]
    pub fn contains(&self, mac: Mac) -> bool {
        mac.0[..self.len] == self.bytes[..self.len]
    }

    /// Whether every address of `other` is one of ours.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.len <= other.len && self.contains(Mac(other.bytes))
    }
}

/// Pairs of hex digits, with `:` or `-` between all of them or none.
fn read(text: &str) -> Option<([u8; 6], usize)> {
    let separator = text.chars().find(|c| matches!(c, ':' | '-'));
    let mut bytes = [0; 6];
    let mut len = 0;
    let mut push = |pair: &str| {
        let digits = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        *bytes.get_mut(len)? = digits.then(|| u8::from_str_radix(pair, 16).ok())??;
        len += 1;
        Some(())
    };
    match separator {
        Some(separator) => text.split(separator).try_for_each(&mut push)?,
        None => {
            let mut rest = text;
            while !rest.is_empty() {
                let (pair, behind) = rest.split_at_checked(2)?;
                push(pair)?;
                rest = behind;
            }
        }
    }
    Some((bytes, len))
}

fn show(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, byte) in bytes.iter().enumerate() {
        let separator = if place == 0 { "" } else { ":" };
        write!(f, "{separator}{byte:02x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_is_one_address() {
        let mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0xab]);
        for text in ["52:54:00:12:34:ab", "52-54-00-12-34-AB", "5254001234AB"] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "52:54:00:12:34:ab");
        for bad in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:ab:cd",
            "52:54:00:12:34:a",
            "52:54-00:12:34:ab",
            "5:54:00:12:34:ab",
            "gg:54:00:12:34:ab",
            "+1:54:00:12:34:ab",
            "52540012é4",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_takes_what_begins_with_it() {
        let vendor: MacPrefix = "52:54:00".parse().expect("a prefix");
        let one: MacPrefix = "52:54:00:12:34:56".parse().expect("an address");
        assert!(vendor.contains(Mac([0x52, 0x54, 0, 1, 2, 3])));
        assert!(!vendor.contains(Mac([0x52, 0x54, 1, 1, 2, 3])));
        assert!(vendor.covers(&one) && vendor.covers(&vendor) && !one.covers(&vendor));
        assert_eq!(vendor.to_string(), "52:54:00");
        assert!("".parse::<MacPrefix>().is_err());
    }
}
