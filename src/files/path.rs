//! A client's name as a path below the root.
//! It never asks the disk; that the path stays inside is for the kernel to enforce.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::OpenError;
use crate::limits::{COMPONENT_MAX, NAME_MAX};

/// A path of plain components: relative, without `.`, `..` or empty ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelativePath {
    bytes: Vec<u8>,
}

impl RelativePath {
    /// Reads a client's name. Backslashes are slashes (Windows), leading ones mean the root.
    ///
    /// # Errors
    /// When no file below a root can have that name.
    pub fn parse(name: &[u8]) -> Result<Self, OpenError> {
        if name.len() > NAME_MAX {
            return Err(OpenError::InvalidName("the name is too long"));
        }
        if name.contains(&0) {
            return Err(OpenError::InvalidName("the name contains a NUL"));
        }
        let mut bytes = Vec::with_capacity(name.len());
        for component in name.split(|byte| matches!(byte, b'/' | b'\\')) {
            match component {
                b"" | b"." => continue,
                b".." => return Err(OpenError::Denied("the name contains \"..\"")),
                long if long.len() > COMPONENT_MAX => {
                    return Err(OpenError::InvalidName("the name is too long"));
                }
                _ => {}
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(component);
        }
        if bytes.is_empty() {
            return Err(OpenError::InvalidName("the name is empty"));
        }
        if name.ends_with(b"/") || name.ends_with(b"\\") {
            return Err(OpenError::NotRegular);
        }
        Ok(Self { bytes })
    }

    /// The path without the 0xff bytes that old Intel ROMs copy from the end of their DHCP
    /// options; none when it has no such bytes.
    #[must_use]
    pub fn without_trailing_junk(&self) -> Option<Self> {
        let end = self.bytes.iter().rposition(|&byte| byte != 0xff)? + 1;
        (end < self.bytes.len()).then(|| Self {
            bytes: self.bytes.iter().copied().take(end).collect(),
        })
    }

    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &[u8]) -> Option<String> {
        let path = RelativePath::parse(name).ok()?;
        Some(String::from_utf8_lossy(&path.bytes).into_owned())
    }

    #[test]
    fn slashes_and_backslashes_lead_to_the_root() {
        for name in [
            &b"boot/x"[..],
            b"/boot/x",
            b"//boot//x",
            b"\\boot\\x",
            b"./boot/./x",
            b"\\\\boot/x",
        ] {
            assert_eq!(parse(name).as_deref(), Some("boot/x"), "{name:?}");
        }
        assert_eq!(parse(b"C:\\x").as_deref(), Some("C:/x"));
        assert_eq!(parse(b"...").as_deref(), Some("..."));
    }

    #[test]
    fn names_that_no_served_file_has_are_refused() {
        for name in [
            &b""[..],
            b"/",
            b".",
            b"..",
            b"../x",
            b"a/../x",
            b"a\\..\\x",
            b"x/",
            b"x\0y",
            &[b'a'; 256],
            &[b'/'; NAME_MAX + 1],
        ] {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn trailing_dhcp_end_bytes_can_be_dropped() {
        let path = RelativePath::parse(b"pxelinux.0\xff\xff").expect("a path");
        let clean = path.without_trailing_junk().expect("junk");
        assert_eq!(clean.as_path(), Path::new("pxelinux.0"));
        assert_eq!(clean.without_trailing_junk(), None);
    }
}
