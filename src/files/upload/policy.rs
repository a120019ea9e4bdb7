//! What may be uploaded: where to, over what, under which names, how much.
//! It never looks at the disk.

use std::path::PathBuf;

use glob::{MatchOptions, Pattern};

/// The operator's rules for write requests.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The directory that names are relative to; files appear only below it.
    pub dir: PathBuf,
    pub replace: Replace,
    /// A name has to match one of these; none: every name will do. `*` stays within a directory,
    /// `**` does not.
    pub allow: Vec<Pattern>,
    /// Bytes of one file.
    pub max_file: Option<u64>,
    /// Bytes of the files that one address has uploaded since the server started, as far as they
    /// are still there, and of those that it is uploading.
    pub max_client: Option<u64>,
    /// Bytes of all files below the directory, whoever put them there.
    pub max_total: Option<u64>,
}

/// What becomes of a file that exists already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replace {
    /// It stays: ERROR 6. Only new files are taken.
    #[default]
    Never,
    /// It is replaced.
    Allowed,
    /// Only files that exist are replaced; any other name is ERROR 1.
    Required,
}

impl Policy {
    /// Whether a file may have this path, relative to the directory and without a leading slash.
    pub(super) fn allows(&self, path: &[u8]) -> bool {
        if self.allow.is_empty() {
            return true;
        }
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        let matches = |path| {
            let allow = &self.allow;
            allow.iter().any(|glob| glob.matches_with(path, options))
        };
        core::str::from_utf8(path).is_ok_and(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_a_pattern_or_are_refused() {
        let policy = |globs: &[&str]| Policy {
            allow: globs
                .iter()
                .map(|glob| Pattern::new(glob).expect("a pattern"))
                .collect(),
            ..Policy::default()
        };
        assert!(policy(&[]).allows(b"any/thing"));
        let configs = policy(&["*.cfg", "backup/**"]);
        for (name, allowed) in [
            (&b"switch.cfg"[..], true),
            (b"site/switch.cfg", false),
            (b"backup/a/b", true),
            (b"backup", false),
            (b"SWITCH.CFG", false),
            (b"\xff.cfg", false),
        ] {
            assert_eq!(configs.allows(name), allowed, "{}", name.escape_ascii());
        }
    }
}
