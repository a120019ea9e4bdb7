//! What a decision went through, for `ringboot explain`.
//! It never costs the server anything: without a reader no text is made.

/// Notes on the way, one line each.
#[derive(Debug, Default)]
pub struct Trace<'a> {
    lines: Option<&'a mut Vec<String>>,
}

impl<'a> Trace<'a> {
    /// Nobody reads it.
    #[must_use]
    pub const fn off() -> Self {
        Self { lines: None }
    }

    /// Appends to `lines`.
    pub const fn to(lines: &'a mut Vec<String>) -> Self {
        Self { lines: Some(lines) }
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }
}
