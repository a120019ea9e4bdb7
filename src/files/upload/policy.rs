//! What may be uploaded: over what, under which names, how much.
//! It never looks at the disk, and never says where to: names and roots do.

use std::path::PathBuf;

use glob::{MatchOptions, Pattern};

use super::in_place;

/// The operator's rules for write requests.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub replace: Replace,
    /// A path below its root has to match one of these; none: every name will do. `*` stays within a directory,
    /// `**` does not.
    pub allow: Vec<Pattern>,
    /// Bytes of one file.
    pub max_file: Option<u64>,
    /// Bytes of the files that one address has uploaded since the server started, as far as they
    /// are still there, and of those that it is uploading.
    pub max_client: Option<u64>,
    /// Bytes of all files below a root, whoever put them there.
    pub max_total: Option<u64>,
    /// How existing files are treated, where that is as tftp-hpa does.
    pub in_tftpd: Option<InTftpd>,
}

/// Existing files are written to wherever they may be, if their directory takes no new ones then in
/// place; and leftovers are swept while the server serves: its directories may be large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTftpd {
    /// Only files that everybody may write (o+w).
    pub public_only: bool,
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
    /// Where the bytes of files that are written in place gather, if any are.
    #[must_use]
    pub fn spool(&self) -> Option<PathBuf> {
        self.in_tftpd.map(|_| in_place::spool_dir())
    }

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
