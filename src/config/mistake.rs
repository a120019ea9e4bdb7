//! A mistake in the configuration file: its line and column, what is wrong, what was probably meant.
//! It never guesses silently: a suggestion is a suggestion.

use core::fmt;
use core::ops::Range;

use crate::cli::nearest;

/// Something wrong at a place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.text)
    }
}

impl Mistake {
    /// At a byte of the file's text.
    pub(super) fn at(file: &str, byte: usize, text: String) -> Self {
        let before = file.get(..byte).unwrap_or(file);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            text,
        }
    }

    /// From the parser's words.
    pub(super) fn of(file: &str, error: &toml::de::Error) -> Self {
        let Range { start, .. } = error.span().unwrap_or(0..0);
        Self::at(file, start, with_nearest(error.message()))
    }
}

/// serde names what it did not know and all that it knows, each in backticks. A long list helps
/// nobody: the nearest one does, if one is near.
fn with_nearest(message: &str) -> String {
    let message = message.trim().replace('\n', " ");
    let Some(rest) = ["unknown field `", "unknown variant `"]
        .into_iter()
        .find_map(|start| message.strip_prefix(start))
    else {
        return message;
    };
    let mut quoted = rest.split('`').step_by(2);
    let wrong = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.filter(|word| !word.is_empty()).collect();
    let what = if message.starts_with("unknown field") {
        "key"
    } else {
        "value"
    };
    match nearest(wrong, &known) {
        Some(near) => format!("unknown {what} `{wrong}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{wrong}`; there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one_and_in_characters() {
        let file = "a = 1\né = 2\n";
        let place = |byte| {
            let mistake = Mistake::at(file, byte, String::new());
            (mistake.line, mistake.column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(4), (1, 5));
        assert_eq!(place(6), (2, 1));
        assert_eq!(place(8), (2, 2));
        assert_eq!(place(1000), (3, 1));
    }
}
