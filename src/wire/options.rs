//! The option list of a request or OACK (RFC 2347), as pairs of borrowed texts, and the OACK writer.
//! It never judges a value: what is granted is decided in `transfer::negotiate`.

use alloc::vec::Vec;

use super::packet::split_nul;

/// An OACK is at most as long as the request may be (RFC 2347: 512 octets).
pub const OACK_MAX: usize = 512;

/// The name-value pairs behind a request's mode or an OACK's opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options<'a> {
    bytes: &'a [u8],
}

/// An option that we know, whatever the case of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionName {
    /// RFC 2348.
    Blksize,
    /// tftp-hpa: like blksize, but the grant is a power of two.
    Blksize2,
    /// RFC 2349, seconds.
    Timeout,
    /// tftp-hpa, microseconds.
    Utimeout,
    /// RFC 2349, bytes.
    Tsize,
    /// RFC 7440, blocks.
    Windowsize,
    /// tftp-hpa: the block number that follows 65,535; 0 or 1.
    Rollover,
    /// RFC 2090: empty in a request; address, port and master flag in an OACK.
    Multicast,
    /// Windows' boot manager: 31416 in a request, 27182 in an OACK; then each ACK has a fifth byte, the
    /// blocks of the next window.
    Msftwindow,
}

impl OptionName {
    const ALL: [(&'static str, Self); 9] = [
        ("blksize", Self::Blksize),
        ("blksize2", Self::Blksize2),
        ("timeout", Self::Timeout),
        ("utimeout", Self::Utimeout),
        ("tsize", Self::Tsize),
        ("windowsize", Self::Windowsize),
        ("rollover", Self::Rollover),
        ("multicast", Self::Multicast),
        ("msftwindow", Self::Msftwindow),
    ];

    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
            .map(|(_, option)| option)
    }
}

/// Some of the options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionSet(u16);

impl OptionSet {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn with(self, option: OptionName) -> Self {
        Self(self.0 | 1 << option as u16)
    }

    #[must_use]
    pub const fn without(self, option: OptionName) -> Self {
        Self(self.0 & !(1 << option as u16))
    }

    #[must_use]
    pub const fn contains(self, option: OptionName) -> bool {
        self.0 & (1 << option as u16) != 0
    }
}

impl<'a> Options<'a> {
    /// `bytes` are what follows a request's mode: names and values, each with its NUL.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The list as it came.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The complete pairs in the order they came. Bytes behind the last complete pair are junk
    /// that some ROMs send, and are passed over.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (name, after_name) = split_nul(rest)?;
            let (value, after_value) = split_nul(after_name)?;
            rest = after_value;
            Some((name, value))
        })
    }

    /// The value of the first option with this name.
    #[must_use]
    pub fn get(&self, wanted: OptionName) -> Option<&'a [u8]> {
        self.iter()
            .find(|(name, _)| OptionName::parse(name) == Some(wanted))
            .map(|(_, value)| value)
    }
}

/// Reads a decimal number: digits only, and within 64 bits.
#[must_use]
pub fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// Writes an OACK that never outgrows [`OACK_MAX`].
#[derive(Debug)]
pub struct OackBuilder {
    bytes: Vec<u8>,
}

impl Default for OackBuilder {
    fn default() -> Self {
        Self {
            bytes: alloc::vec![0, 6],
        }
    }
}

impl OackBuilder {
    /// Adds a pair, the name as the client spelled it. Says whether it fitted: an option that did
    /// not is not granted.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> bool {
        if self.bytes.len() + name.len() + value.len() + 2 > OACK_MAX {
            return false;
        }
        for text in [name, value] {
            self.bytes.extend_from_slice(text);
            self.bytes.push(0);
        }
        true
    }

    /// The packet, or nothing when no option was granted: then DATA is the answer.
    #[must_use]
    pub fn finish(self) -> Option<alloc::boxed::Box<[u8]>> {
        (self.bytes.len() > 2).then(|| self.bytes.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_within_64_bits() {
        assert_eq!(parse_decimal(b"1468"), Some(1468));
        assert_eq!(parse_decimal(b"18446744073709551615"), Some(u64::MAX));
        for bad in [
            &b""[..],
            b"-1",
            b"+1",
            b" 1",
            b"0x10",
            b"1.5",
            b"18446744073709551616",
        ] {
            assert_eq!(parse_decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_oack_never_passes_512_bytes() {
        let mut oack = OackBuilder::default();
        while oack.push(b"tsize", b"123456789") {}
        assert!(!oack.push(b"tsize", b"123456789"));
        let packet = oack.finish().expect("some options fitted");
        assert!(packet.len() <= OACK_MAX && packet.len() > OACK_MAX - 16);
    }

    #[test]
    fn an_oack_without_options_is_none() {
        assert_eq!(OackBuilder::default().finish(), None);
    }
}
