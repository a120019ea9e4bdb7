//! Opens a path below a directory where openat2 is missing: component by component, following
//! symbolic links by hand. It never lets the kernel follow one.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

use super::error::OpenError;
use super::root::OPEN_FLAGS;
use crate::limits::LINKS_MAX;

const OUTSIDE: OpenError = OpenError::Denied("the name leads out of the root");

/// Opens `path` as openat2 with RESOLVE_BENEATH would.
///
/// Each directory on the way is held open, so that `..` in a link goes back to where the walk
/// really came from, whatever is renamed meanwhile.
pub fn open_beneath(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, OpenError> {
    let mut todo: VecDeque<OsString> = components(path.as_os_str());
    let mut trail: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            trail.pop().ok_or(OUTSIDE)?;
            continue;
        }
        let here = trail.last().map_or(root, std::os::fd::AsFd::as_fd);
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = openat(here, name.as_os_str(), look, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                follow(&found, &mut todo)?;
            }
            FileType::Directory => trail.push(found),
            FileType::RegularFile if todo.is_empty() => return reopen(here, &name, &found),
            FileType::RegularFile => return Err(OpenError::NotFound),
            _ => return Err(OpenError::NotRegular),
        }
    }
    Err(OpenError::NotRegular)
}

/// Puts a link's target in front of what is left to walk.
fn follow(link: &OwnedFd, todo: &mut VecDeque<OsString>) -> Result<(), OpenError> {
    let target = readlinkat(link, "", Vec::new())?;
    let target = OsStr::from_bytes(target.to_bytes());
    if Path::new(target).is_absolute() {
        return Err(OUTSIDE);
    }
    for component in components(target).into_iter().rev() {
        todo.push_front(component);
    }
    Ok(())
}

/// Opens for reading what was looked at, and makes sure that it is the same file.
fn reopen(here: BorrowedFd<'_>, name: &OsStr, seen: &OwnedFd) -> Result<OwnedFd, OpenError> {
    let flags = OPEN_FLAGS | OFlags::NOFOLLOW;
    let file = openat(here, name, flags, Mode::empty())?;
    let (before, after) = (fstat(seen)?, fstat(&file)?);
    if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino) {
        return Err(OpenError::Changing);
    }
    Ok(file)
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    path.as_bytes()
        .split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsString::from_vec(part.to_vec()))
        .collect()
}
