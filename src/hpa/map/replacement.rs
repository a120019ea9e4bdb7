//! What a rule puts in the place of what it matched.
//! It never grows beyond `limits`.

use core::net::IpAddr;

use super::ere::Caught;
use crate::limits::MAP_NAME_MAX;

/// A pattern with `\0` to `\9`, `\i`, `\x`, `\U`, `\L` and `\E`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replacement(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Group(usize),
    /// `\i`
    Address,
    /// `\x`
    Hex,
    Case(Case),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    AsIs,
}

/// A name became longer than any file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Replacement {
    pub(super) fn parse(pattern: &[u8]) -> Self {
        let mut pieces = Vec::with_capacity(pattern.len());
        let mut bytes = pattern.iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'\\' {
                pieces.push(Piece::Byte(byte));
                continue;
            }
            pieces.push(match bytes.next() {
                Some(&digit @ b'0'..=b'9') => Piece::Group(usize::from(digit - b'0')),
                Some(b'i') => Piece::Address,
                Some(b'x') => Piece::Hex,
                Some(b'U') => Piece::Case(Case::Upper),
                Some(b'L') => Piece::Case(Case::Lower),
                Some(b'E') => Piece::Case(Case::AsIs),
                // Any other loses its backslash; one at the very end is itself.
                Some(&other) => Piece::Byte(other),
                None => Piece::Byte(b'\\'),
            });
        }
        Self(pieces)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends to `out`, with what `caught` has of `name`.
    pub(super) fn expand(
        &self,
        name: &[u8],
        caught: &Caught,
        client: IpAddr,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLong> {
        let mut case = Case::AsIs;
        for piece in &self.0 {
            match piece {
                Piece::Byte(byte) => case.push(&[*byte], out),
                Piece::Group(number) => {
                    let group = caught.group(*number).and_then(|range| name.get(range));
                    case.push(group.unwrap_or_default(), out);
                }
                Piece::Address => case.push(client.to_string().as_bytes(), out),
                Piece::Hex => case.push(hex(client).as_bytes(), out),
                Piece::Case(new) => case = *new,
            }
            if out.len() > MAP_NAME_MAX {
                return Err(TooLong);
            }
        }
        Ok(())
    }
}

impl Case {
    fn push(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::AsIs => out.extend_from_slice(bytes),
            Self::Upper => out.extend(bytes.iter().map(u8::to_ascii_uppercase)),
            Self::Lower => out.extend(bytes.iter().map(u8::to_ascii_lowercase)),
        }
    }
}

/// All the address's bits in upper-case digits.
fn hex(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:08X}", address.to_bits()),
        IpAddr::V6(address) => format!("{:032X}", address.to_bits()),
    }
}
