//! Finds a file whose name differs from the one asked for in case, for clients that do not care.
//! It never leaves the root: each directory is opened as a client's name would be.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use rustix::fs::Dir;
use rustix::io::Errno;

use crate::limits::FOLD_ENTRIES;

/// The path as it is spelled on disk. An exact component wins; among several others the first in
/// the order of bytes, so that the answer does not depend on the disk's.
///
/// # Errors
/// `NOENT` when no spelling exists.
pub(super) fn spelling_on_disk(
    path: &CStr,
    open_dir: impl Fn(&[u8]) -> Result<OwnedFd, Errno>,
) -> Result<Vec<u8>, Errno> {
    let mut found: Vec<u8> = Vec::new();
    for component in path.to_bytes().split(|&byte| byte == b'/') {
        let above = if found.is_empty() { b"." } else { &*found };
        let entry = entry_like(component, open_dir(above)?)?;
        if !found.is_empty() {
            found.push(b'/');
        }
        found.extend_from_slice(&entry);
    }
    Ok(found)
}

fn entry_like(component: &[u8], dir: OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut best: Option<Vec<u8>> = None;
    for entry in Dir::new(dir)?.take(FOLD_ENTRIES) {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == component {
            return Ok(name.to_vec());
        }
        if name.eq_ignore_ascii_case(component) && best.as_deref().is_none_or(|best| name < best) {
            best = Some(name.to_vec());
        }
    }
    best.ok_or(Errno::NOENT)
}
