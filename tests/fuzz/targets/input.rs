//! Fuzz bytes as small numbers and pieces. It never fails: an input that is over gives `None`.

use ringboot::wire::Options;

pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// The next `len` bytes, or what is left.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (piece, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        piece
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// All complete pairs of an option list. Each has two NULs, so they are fewer than a datagram's
/// bytes; the bound keeps a decoder that does not get on from eating the machine's memory.
pub fn pairs<'a>(options: &Options<'a>) -> Vec<(&'a [u8], &'a [u8])> {
    let pairs: Vec<_> = options.iter().take(PAIRS_MAX + 1).collect();
    assert!(
        pairs.len() <= PAIRS_MAX,
        "more pairs than a datagram can hold"
    );
    pairs
}

const PAIRS_MAX: usize = 65_536 / 2;
