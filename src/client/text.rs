//! Texts of servers, made safe for a terminal and for one line.
//! It never changes a letter that can be shown.

use crate::wire::ErrorCode;

/// Longer texts are cut: an operator reads one line.
const SHOWN_MAX: usize = 200;

/// The text with everything escaped that could move a cursor or end a line.
pub fn printable(text: &[u8]) -> String {
    let mut out = String::new();
    for letter in String::from_utf8_lossy(text).chars().take(SHOWN_MAX) {
        match letter {
            // Quotes are harmless; escape_debug would escape them.
            '\'' | '"' => out.push(letter),
            _ => out.extend(letter.escape_debug()),
        }
    }
    out
}

/// The meaning of a code that came without a text (RFC 1350, appendix; RFC 2347).
pub const fn code_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NOT_FOUND => "file not found",
        ErrorCode::ACCESS_VIOLATION => "access violation",
        ErrorCode::DISK_FULL => "disk full",
        ErrorCode::ILLEGAL_OPERATION => "illegal operation",
        ErrorCode::UNKNOWN_TID => "unknown transfer",
        ErrorCode::FILE_EXISTS => "file already exists",
        ErrorCode::NO_SUCH_USER => "no such user",
        ErrorCode::OPTION_REFUSED => "options refused",
        _ => "an error without a text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable(b"File not found"), "File not found");
        assert_eq!(printable(b"can't \"open\""), "can't \"open\"");
        assert_eq!(printable(b"\x1b[2Ja\r\nb"), "\\u{1b}[2Ja\\r\\nb");
        assert_eq!(printable("grün \u{202e}x".as_bytes()), "grün \\u{202e}x");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
        assert_eq!(printable(&[b'x'; 500]).len(), SHOWN_MAX);
    }
}
