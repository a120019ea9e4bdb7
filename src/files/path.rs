//! A client's name as a path below the root.
//! It never asks the disk, and what it lets through is still confined by the resolver.

use core::fmt;
use std::ffi::{CStr, CString};

use super::error::OpenError;
use super::escape::Escaped;
use super::upload::PREFIX;
use crate::limits::{COMPONENT_MAX, NAME_MAX};

/// A relative path of ordinary components: no `..`, no `.`, no leading or doubled slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelPath(CString);

impl RelPath {
    /// Reads a client's name. `/`, `\` and any number of them mean the same; a leading one means
    /// the root, as `tftpd -s` taught the world.
    ///
    /// # Errors
    /// When no served file can have this name.
    pub fn parse(name: &[u8]) -> Result<Self, OpenError> {
        Self::parse_with(name, true)
    }

    /// As [`parse`](Self::parse); without `backslashes`, `\` is an ordinary character.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(name: &[u8], backslashes: bool) -> Result<Self, OpenError> {
        let is_slash = |byte: &u8| *byte == b'/' || (backslashes && *byte == b'\\');
        if name.is_empty() {
            return Err(OpenError::NameInvalid("empty name"));
        }
        if name.len() > NAME_MAX {
            return Err(OpenError::NameInvalid("name too long"));
        }
        let mut path = Vec::with_capacity(name.len() + 1);
        for component in name.split(is_slash) {
            push(component, &mut path)?;
        }
        // A name that ends in a slash or a dot asks for a directory.
        let last = name.rsplit(is_slash).next();
        if path.is_empty() || matches!(last, None | Some(b"" | b".")) {
            return Err(OpenError::NotRegular);
        }
        match CString::new(path) {
            Ok(path) => Ok(Self(path)),
            Err(_) => Err(OpenError::NameInvalid("NUL in the name")),
        }
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.to_bytes()
    }

    /// The directory, `.` for the root itself, and the name in it.
    pub(super) fn split(&self) -> Result<(Self, CString), OpenError> {
        let bytes = self.as_bytes();
        let (parent, name) = match bytes.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
            None => (&b"."[..], bytes),
        };
        let text = |bytes: &[u8]| {
            CString::new(bytes).map_err(|_| OpenError::NameInvalid("NUL in the name"))
        };
        Ok((Self(text(parent)?), text(name)?))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.0.to_bytes()).fmt(f)
    }
}

fn push(component: &[u8], path: &mut Vec<u8>) -> Result<(), OpenError> {
    match component {
        b"" | b"." => return Ok(()),
        // No client needs it, and resolving it by text is wrong behind a symbolic link.
        b".." => return Err(OpenError::Denied("`..` in the name")),
        // A file that is being uploaded, and that nobody is to see before it is complete.
        ours if ours.starts_with(PREFIX) => {
            return Err(OpenError::Denied("the name of a temporary file"));
        }
        long if long.len() > COMPONENT_MAX => {
            return Err(OpenError::NameInvalid("a part of the name is too long"));
        }
        _ => {}
    }
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(component);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_is_one_path() {
        for name in [
            "a/b.c",
            "/a/b.c",
            "//a//b.c",
            r"\a\b.c",
            r"a\/b.c",
            "./a/./b.c",
            r".\a\.\b.c",
        ] {
            let path = RelPath::parse(name.as_bytes()).expect("a path");
            assert_eq!(path.as_c_str(), c"a/b.c", "{name}");
        }
    }

    #[test]
    fn dot_dot_is_refused_in_every_spelling_and_dots_are_names() {
        for name in [
            "..",
            "../a",
            "/../a",
            "a/../b",
            r"..\a",
            r"a\..\..\b",
            "a/..",
            "./../x",
        ] {
            let refused = RelPath::parse(name.as_bytes());
            assert_eq!(
                refused,
                Err(OpenError::Denied("`..` in the name")),
                "{name}"
            );
        }
        for name in [
            "....//a",
            ".../a",
            "..a",
            "a..",
            "%2e%2e/a",
            "\u{2025}/a",
            "C:/a",
        ] {
            assert!(RelPath::parse(name.as_bytes()).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_path_has_a_directory_and_a_name() {
        for (path, parent, name) in [("a", c".", c"a"), ("a/b/c", c"a/b", c"c")] {
            let split = RelPath::parse(path.as_bytes()).and_then(|path| path.split());
            let (dir, last) = split.expect("a path");
            assert_eq!((dir.as_c_str(), last.as_c_str()), (parent, name));
        }
    }

    #[test]
    fn temporary_files_have_no_name_for_clients() {
        for name in [
            ".ringboot-upload-1",
            "a/.ringboot-upload-2",
            r"a\.ringboot-upload-3/b",
        ] {
            let refused = RelPath::parse(name.as_bytes());
            assert!(matches!(refused, Err(OpenError::Denied(_))), "{name}");
        }
        assert!(RelPath::parse(b".ringboot").is_ok());
    }

    #[test]
    fn names_that_no_file_can_have_are_refused() {
        let invalid = |name: &[u8]| matches!(RelPath::parse(name), Err(OpenError::NameInvalid(_)));
        assert!(invalid(b""));
        assert!(invalid(b"a\0b"));
        assert!(invalid(&[b'a'; COMPONENT_MAX + 1]));
        assert!(!invalid(&[b'a'; COMPONENT_MAX]));
        assert!(invalid(&b"a/".repeat(NAME_MAX / 2 + 1)));
        assert!(invalid(&[b'/'; 65_000]));
        for name in ["/", "//", ".", "./", "a/", r"a\", "a/."] {
            let refused = RelPath::parse(name.as_bytes());
            assert_eq!(refused, Err(OpenError::NotRegular), "{name}");
        }
    }
}
