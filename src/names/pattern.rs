//! A regular expression over names: bytes, linear time, bounded memory.
//! It never backtracks: the `regex` crate guarantees time linear in the name.

use core::fmt;
use core::str::FromStr;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::limits::{PATTERN_MAX, PATTERN_MEMORY};

/// A compiled expression, as written and in any case.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: Box<str>,
    exact: Regex,
    folded: Regex,
}

/// Why a text is no usable expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for PatternError {}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(source: &str) -> Result<Self, PatternError> {
        if source.len() > PATTERN_MAX {
            let text = format!("the expression is longer than {PATTERN_MAX} bytes");
            return Err(PatternError(text));
        }
        Ok(Self {
            source: source.into(),
            exact: compile(source, false)?,
            folded: compile(source, true)?,
        })
    }
}

impl Pattern {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The first match in a name; `fold` where the root does not tell cases apart.
    #[must_use]
    pub fn captures<'a>(&self, name: &'a [u8], fold: bool) -> Option<Captures<'a>> {
        if fold { &self.folded } else { &self.exact }.captures(name)
    }

    /// Whether there is a group of this number or name.
    #[must_use]
    pub fn has_group(&self, group: &str) -> bool {
        match group.parse::<usize>() {
            Ok(number) => number < self.exact.captures_len(),
            Err(_) => self
                .exact
                .capture_names()
                .flatten()
                .any(|name| name == group),
        }
    }
}

fn compile(source: &str, fold: bool) -> Result<Regex, PatternError> {
    RegexBuilder::new(source)
        // Names are bytes; `.` and classes should take those that are no UTF-8, too.
        .unicode(false)
        .case_insensitive(fold)
        .size_limit(PATTERN_MEMORY)
        .dfa_size_limit(PATTERN_MEMORY)
        .build()
        .map_err(|error| PatternError(explain(&error)))
}

/// The crate draws its message with a caret over several lines; the last one is the reason.
fn explain(error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or(&text);
    reason.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_match_and_case_folds_on_demand() {
        let pattern: Pattern = "^a.b$".parse().expect("an expression");
        assert!(pattern.captures(b"a\xffb", false).is_some());
        assert!(pattern.captures(b"A\xffB", false).is_none());
        assert!(pattern.captures(b"A\xffB", true).is_some());
    }

    #[test]
    fn what_is_too_large_or_wrong_is_refused_with_a_reason() {
        let refused = |text: &str| text.parse::<Pattern>().map(drop).unwrap_err().to_string();
        assert_eq!(refused("a("), "unclosed group");
        assert!(refused("(a{1000}){1000}").contains("size limit"));
        assert!(refused(&"a".repeat(PATTERN_MAX + 1)).contains("longer than"));
    }

    #[test]
    fn groups_are_known_by_number_and_name() {
        let pattern: Pattern = "(a)(?<rest>.*)".parse().expect("an expression");
        for (group, there) in [
            ("0", true),
            ("2", true),
            ("3", false),
            ("rest", true),
            ("x", false),
        ] {
            assert_eq!(pattern.has_group(group), there, "{group}");
        }
    }
}
