//! A whole map file: its rules, and which version of in.tftpd they were written for.
//! It never reads a disk; the text comes from the caller.

use core::fmt;

use super::rule::Line;
use crate::limits::{MAP_STEPS, MAP_STEPS_LATER};

/// The rules of a file, ready to run.
#[derive(Debug, Clone)]
pub struct MapFile {
    pub(super) lines: Vec<(usize, Line)>,
    pub(super) dialect: Dialect,
}

/// What differs between versions for the same text.
///
/// 5.2 is what distributions shipped from 2011 on; there `s` starts over at the *second* rule, the
/// text of an `a` rule replaces only what matched, and of `G` and `P` the last one counts. Later
/// versions mend these. A file that uses what only they know was written for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) later: bool,
    pub(super) steps: u32,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFault {
    /// From 1.
    pub line: usize,
    pub text: String,
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

impl MapFile {
    /// Reads the text of a map file.
    ///
    /// # Errors
    /// Each faulty line, from the top.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<MapFault>> {
        let (mut lines, mut faults) = (Vec::new(), Vec::new());
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let number = index + 1;
            match Line::parse(line) {
                Ok(None) => {}
                Ok(Some(line)) => lines.push((number, line)),
                Err(error) => faults.push(MapFault {
                    line: number,
                    text: error.to_string(),
                }),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let later = lines.iter().any(|(_, line)| line.is_later());
        let steps = if later { MAP_STEPS_LATER } else { MAP_STEPS };
        let dialect = Dialect { later, steps };
        Ok(Self { lines, dialect })
    }

    /// Lets `steps` rules run for a request instead of the usual number, as `--map-steps` does.
    #[must_use]
    pub const fn with_steps(mut self, steps: u32) -> Self {
        self.dialect.steps = steps;
        self
    }

    /// Number of rules and labels.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Where in the file each rule or label stands, from 1.
    pub fn line_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.lines.iter().map(|(number, _)| *number)
    }
}
