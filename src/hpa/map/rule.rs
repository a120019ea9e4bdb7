//! One line of a map file.
//! It never decides what follows a rule that matched.

use core::fmt;

use super::ere::{Ere, EreError};
use super::replacement::Replacement;
use crate::limits::MAP_LINE_MAX;

/// A rule or a label.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Rule(Rule),
    /// `:name`, where `j` rules jump to.
    Label(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) flags: Flags,
    pub(super) ere: Ere,
    pub(super) replacement: Replacement,
}

/// The letters before the expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `r`
    pub(super) rewrite: bool,
    /// `g`
    pub(super) global: bool,
    /// `gg`
    pub(super) sed_global: bool,
    /// `e`
    pub(super) exit: bool,
    /// `E`
    pub(super) has_file: bool,
    /// `s`
    pub(super) restart: bool,
    /// `a`
    pub(super) abort: bool,
    /// `j`
    pub(super) jump: bool,
    /// `~`
    pub(super) inverse: bool,
    /// `i`
    pub(super) fold: bool,
    /// `4`
    pub(super) ipv4: bool,
    /// `6`
    pub(super) ipv6: bool,
    /// `G`
    pub(super) get: bool,
    /// `P`
    pub(super) put: bool,
    /// Of `G` and `P`, the one that stands last is `P`.
    pub(super) put_last: bool,
}

/// Why a line is no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RuleError {
    TooLong,
    Nul,
    UnknownFlag(u8),
    Combination(char, char),
    NoExpression,
    Expression(EreError),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {MAP_LINE_MAX} bytes"),
            Self::Nul => f.write_str("a NUL byte"),
            Self::UnknownFlag(flag) => write!(
                f,
                "'{}' is no operation; they are r, g, i, e, E, s, a, j, G, P, 4, 6 and ~",
                flag.escape_ascii()
            ),
            Self::Combination(one, other) => {
                write!(f, "the operations {one} and {other} cannot be combined")
            }
            Self::NoExpression => f.write_str("no regular expression behind the operation"),
            Self::Expression(error) => write!(f, "bad regular expression: {error}"),
        }
    }
}

impl Line {
    /// Reads a line; `None` if there is nothing but a comment.
    pub(super) fn parse(line: &[u8]) -> Result<Option<Self>, RuleError> {
        if line.len() > MAP_LINE_MAX {
            return Err(RuleError::TooLong);
        }
        if line.contains(&0) {
            return Err(RuleError::Nul);
        }
        let mut words = Words(line);
        match words.next() {
            b"" => Ok(None),
            // A lone colon is neither; in.tftpd 5.4 takes it for a label without a name.
            [b':', label @ ..] if !label.is_empty() => Ok(Some(Self::Label(label.to_vec()))),
            letters => {
                let flags = Flags::parse(letters)?;
                let expression = words.next();
                if expression.is_empty() {
                    return Err(RuleError::NoExpression);
                }
                let ere = Ere::new(expression, flags.fold).map_err(RuleError::Expression)?;
                let replacement = Replacement::parse(words.next());
                let rule = Rule {
                    flags,
                    ere,
                    replacement,
                };
                Ok(Some(Self::Rule(rule)))
            }
        }
    }

    /// Whether no version of in.tftpd before 5.3 knows this.
    pub(super) const fn is_later(&self) -> bool {
        match self {
            Self::Label(_) => true,
            Self::Rule(Rule { flags, .. }) => flags.has_file || flags.jump || flags.sed_global,
        }
    }
}

impl Flags {
    fn parse(letters: &[u8]) -> Result<Self, RuleError> {
        let mut flags = Self::default();
        for &letter in letters {
            match letter {
                b'r' => flags.rewrite = true,
                b'g' => {
                    flags.sed_global = flags.global;
                    flags.global = true;
                }
                b'i' => flags.fold = true,
                b'e' => flags.exit = true,
                b'E' => flags.has_file = true,
                b's' => flags.restart = true,
                b'a' => flags.abort = true,
                b'j' => flags.jump = true,
                b'~' => flags.inverse = true,
                b'4' => flags.ipv4 = true,
                b'6' => flags.ipv6 = true,
                b'G' => (flags.get, flags.put_last) = (true, false),
                b'P' => (flags.put, flags.put_last) = (true, true),
                other => return Err(RuleError::UnknownFlag(other)),
            }
        }
        flags.check()?;
        // They mean nothing without `r`.
        flags.global &= flags.rewrite;
        flags.sed_global &= flags.rewrite;
        Ok(flags)
    }

    /// Combinations that make no sense. in.tftpd 5.2 refuses `r~` only, and of the others lets the
    /// first in the order a, r, e, s win; those must still be read.
    fn check(self) -> Result<(), RuleError> {
        let bad = [
            ('r', self.rewrite, '~', self.inverse),
            ('r', self.rewrite, 'j', self.jump),
            ('a', self.abort, 'j', self.jump),
            ('e', self.exit, 'j', self.jump),
            ('e', self.exit, 'E', self.has_file),
            ('E', self.has_file, 'j', self.jump),
            ('E', self.has_file, 'a', self.abort),
            ('E', self.has_file, 's', self.restart),
        ];
        for (one, has_one, other, has_other) in bad {
            if has_one && has_other {
                return Err(RuleError::Combination(one, other));
            }
        }
        Ok(())
    }
}

/// The words of a line: white space parts them unless a backslash stands before it; a hash sign
/// without one ends the line.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    /// The next word with its backslashes, empty at the end.
    fn next(&mut self) -> &'a [u8] {
        let start = self.0.iter().position(|&byte| !is_space(byte));
        let rest = &self.0[start.unwrap_or(self.0.len())..];
        let mut escaped = false;
        let end = rest.iter().position(|&byte| {
            let ends = !escaped && (is_space(byte) || byte == b'#');
            escaped = !escaped && byte == b'\\';
            ends
        });
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.0 = rest;
        word
    }
}

/// As `isspace` in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_white_space_and_hash_signs_without_a_backslash() {
        for (line, expected) in [
            (&b" r\ta b "[..], [&b"r"[..], b"a", b"b", b""]),
            (br"r a\ b \#c#d", [b"r", br"a\ b", br"\#c", b""]),
            (br"r a\\ b", [b"r", br"a\\", b"b", b""]),
            (b"r a#b c", [b"r", b"a", b"", b""]),
            (b"#r a b", [b"", b"", b"", b""]),
            (br"r a b\", [b"r", b"a", br"b\", b""]),
        ] {
            let mut words = Words(line);
            assert_eq!(
                [words.next(), words.next(), words.next(), words.next()],
                expected,
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let fault = |line: &[u8]| Line::parse(line).map(drop).unwrap_err().to_string();
        assert!(fault(b"rz a b").starts_with("'z' is no operation"));
        assert!(fault(b"r~ a b").contains("r and ~"));
        assert!(fault(b"Es a").contains("E and s"));
        assert!(fault(b"r").contains("no regular expression"));
        assert_eq!(
            fault(b"r ( b"),
            "bad regular expression: Unmatched ( or \\("
        );
        assert!(fault(&[b'r'; MAP_LINE_MAX + 1]).contains("longer than"));
        assert!(fault(b"r a\0b").contains("NUL"));
    }
}
