//! One line of a dnsmasq configuration: `key` or `key=value`.
//! It never judges what the key means.

use core::fmt;

/// An option with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

impl Line {
    /// `None` where there is nothing but a comment. The command line's `--` is taken, too.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = without_comment(text);
        let text = text.trim();
        let text = text.strip_prefix("--").unwrap_or(text);
        if text.is_empty() {
            return None;
        }
        Some(match text.split_once('=') {
            Some((key, value)) => Self {
                key: key.trim().to_owned(),
                value: Some(value.trim().to_owned()),
            },
            None => Self {
                key: text.to_owned(),
                value: None,
            },
        })
    }
}

/// The line up to a `#` that begins it or stands behind a space; quotation marks hide it, and
/// disappear.
fn without_comment(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut quoted, mut before) = (false, ' ');
    for char in text.chars() {
        match char {
            '"' => quoted = !quoted,
            '#' if !quoted && before.is_ascii_whitespace() => break,
            char => kept.push(char),
        }
        before = char;
    }
    kept
}
