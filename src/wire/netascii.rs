//! Netascii (RFC 764 by way of RFC 1350): a line ends in CR LF, and a bare CR is CR NUL.
//! It never looks at block borders: a pair may fall on both sides of one.

use alloc::vec::Vec;

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// Appends `local` (lines end in LF) to `out` as netascii. Stateless, so any split will do.
pub fn encode(local: &[u8], out: &mut Vec<u8>) {
    for &byte in local {
        match byte {
            LF => out.extend_from_slice(&[CR, LF]),
            CR => out.extend_from_slice(&[CR, 0]),
            other => out.push(other),
        }
    }
}

/// Turns netascii back into local text; remembers a CR whose partner is in the next block.
#[derive(Debug, Default)]
pub struct Decoder {
    pending_cr: bool,
}

impl Decoder {
    /// Appends the local form of `block` to `out`.
    pub fn decode(&mut self, block: &[u8], out: &mut Vec<u8>) {
        for &byte in block {
            if core::mem::take(&mut self.pending_cr) {
                match byte {
                    LF => out.push(LF),
                    0 => out.push(CR),
                    other => {
                        // Not netascii; keep what came, as every client does.
                        out.push(CR);
                        self.push(other, out);
                    }
                }
            } else {
                self.push(byte, out);
            }
        }
    }

    /// Appends the CR that the text ended in, if it did.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.pending_cr {
            out.push(CR);
        }
    }

    fn push(&mut self, byte: u8, out: &mut Vec<u8>) {
        if byte == CR {
            self.pending_cr = true;
        } else {
            out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bare_returns_become_pairs() {
        let mut out = Vec::new();
        encode(b"a\nb\rc\r\n", &mut out);
        assert_eq!(out, b"a\r\nb\r\0c\r\0\r\n");
    }

    #[test]
    fn a_pair_may_fall_on_both_sides_of_a_border() {
        let text = b"x\r\ny\n\r\r\n";
        let mut wire = Vec::new();
        encode(text, &mut wire);
        for border in 0..=wire.len() {
            let (left, right) = wire.split_at(border);
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            decoder.decode(left, &mut out);
            decoder.decode(right, &mut out);
            decoder.finish(&mut out);
            assert_eq!(out, text);
        }
    }
}
