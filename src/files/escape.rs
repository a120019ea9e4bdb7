//! Shows a client's bytes to people: in logs, on terminals, in reports.
//! It never lets a byte through that moves a cursor, ends a line or turns the text around.

use core::fmt::{self, Write};

/// Bytes from the network, fit to be shown. Readable text stays as it is; the rest becomes
/// `\n`, `\u{202e}` or, where it is no UTF-8, `\xff`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    // Harmless, and common in what old clients send.
                    '\'' | '"' => f.write_char(character)?,
                    other => write!(f, "{}", other.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_characters_come_out() {
        let shown = |bytes: &[u8]| Escaped(bytes).to_string();
        assert_eq!(shown("Ubuntu 24.04 é 'x'".as_bytes()), "Ubuntu 24.04 é 'x'");
        assert_eq!(shown(b"a\x1b[2J\r\nb"), r"a\u{1b}[2J\r\nb");
        assert_eq!(shown(b"pxelinux.0\xff"), r"pxelinux.0\xff");
        assert_eq!(shown("\u{202e}gpj".as_bytes()), r"\u{202e}gpj");
        assert_eq!(shown("\u{9b}2J".as_bytes()), r"\u{9b}2J");
        assert_eq!(shown(br"a\n"), r"a\\n");
    }
}
