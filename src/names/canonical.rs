//! The one spelling of a name that rules are matched against.
//! It never lets two spellings of one file pass a rule differently: no doubled slashes, no `.`.

use crate::limits::NAME_MAX;

/// The name without leading, doubled and (unless they are ordinary characters here) backward
/// slashes, and without `.`. A slash at the end stays: it asks for a directory.
///
/// # Errors
/// What cannot be a file's name below a root, in words for the operator.
pub fn canonical(name: &[u8], backslashes: bool) -> Result<Vec<u8>, &'static str> {
    if name.len() > NAME_MAX {
        return Err("name too long");
    }
    if name.contains(&0) {
        return Err("NUL in the name");
    }
    let is_slash = |byte: &u8| *byte == b'/' || (backslashes && *byte == b'\\');
    let mut path = Vec::with_capacity(name.len());
    let mut ends_open = false;
    for component in name.split(is_slash) {
        ends_open = matches!(component, b"" | b".");
        match component {
            b"" | b"." => continue,
            b".." => return Err("`..` in the name"),
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    if ends_open && !path.is_empty() {
        path.push(b'/');
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_name_is_one() {
        for name in ["a/b", "/a/b", "//a//b", r"\a\b", "./a/./b"] {
            assert_eq!(
                canonical(name.as_bytes(), true),
                Ok(b"a/b".to_vec()),
                "{name}"
            );
        }
        assert_eq!(canonical(br"\a\b", false), Ok(br"\a\b".to_vec()));
        assert_eq!(canonical(b"/", true), Ok(Vec::new()));
        assert_eq!(canonical(b"a//", true), Ok(b"a/".to_vec()));
        assert_eq!(canonical(b"a/.", true), Ok(b"a/".to_vec()));
    }

    #[test]
    fn what_leads_up_has_no_spelling() {
        for name in ["..", "a/../b", r"a\..\b", "/.."] {
            assert!(canonical(name.as_bytes(), true).is_err(), "{name}");
        }
        assert!(canonical(b"a\0", true).is_err());
        assert!(canonical(&[b'a'; NAME_MAX + 1], true).is_err());
    }
}
