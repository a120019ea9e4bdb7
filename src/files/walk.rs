//! Resolves a path below a directory by hand: where the kernel has no openat2, and for absolute
//! links, which openat2 refuses even if they lead back below the directory.
//! It never lets the kernel follow a link or a `..`: each step opens one plain component.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

use crate::limits::LINKS_MAX;

/// Opens `path` below `root` as openat2 does with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, but
/// follows absolute links that begin with one of the root's own `names`, from the root on.
/// A magic link reads as such a target or as the name of nothing: it leads nowhere else.
pub(super) fn open(
    root: &OwnedFd,
    names: &[PathBuf],
    path: &CStr,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let mut walk = Walk {
        root: root.as_fd(),
        names,
        parents: Vec::new(),
        pending: VecDeque::new(),
        links: 0,
    };
    walk.queue(path.to_bytes())?;
    while let Some(component) = walk.pending.pop_front() {
        if let Some(found) = walk.step(&component, flags)? {
            return Ok(found);
        }
    }
    // The path ended in a directory: in `.` or `..`, by way of a link.
    openat(
        walk.current(),
        c".",
        flags | OFlags::NOFOLLOW,
        Mode::empty(),
    )
}

struct Walk<'a> {
    root: BorrowedFd<'a>,
    names: &'a [PathBuf],
    /// Directories entered below the root. `..` goes back to the one that we came from, wherever
    /// it has been moved since.
    parents: Vec<OwnedFd>,
    pending: VecDeque<CString>,
    links: usize,
}

impl Walk<'_> {
    fn current(&self) -> BorrowedFd<'_> {
        self.parents.last().map_or(self.root, AsFd::as_fd)
    }

    /// Takes one component; the answer is the file if that was the last one.
    fn step(&mut self, component: &CStr, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        match component.to_bytes() {
            b"." => Ok(None),
            b".." => match self.parents.pop() {
                Some(_) => Ok(None),
                None => Err(Errno::XDEV),
            },
            _ => self.enter(component, flags),
        }
    }

    fn enter(&mut self, name: &CStr, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
        let found = openat(self.current(), name, LOOK, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Symlink => self.follow(&found).map(|()| None),
            _ if self.pending.is_empty() => self.finish(name, found, flags).map(Some),
            FileType::Directory => {
                self.parents.push(found);
                Ok(None)
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(link, c"", Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
        if target.is_relative() {
            return self.queue(target.as_os_str().as_bytes());
        }
        let below = self
            .names
            .iter()
            .find_map(|name| target.strip_prefix(name).ok());
        self.parents.clear();
        self.queue(below.ok_or(Errno::XDEV)?.as_os_str().as_bytes())
    }

    /// Puts the components of `path` before those that wait.
    fn queue(&mut self, path: &[u8]) -> Result<(), Errno> {
        // A slash at the end asks for a directory, and so does a dot.
        if path.last() == Some(&b'/') {
            self.pending.push_front(c".".to_owned());
        }
        for component in path.rsplit(|&byte| byte == b'/') {
            if !component.is_empty() {
                let component = CString::new(component).map_err(|_| Errno::INVAL)?;
                self.pending.push_front(component);
            }
        }
        Ok(())
    }

    fn finish(&self, name: &CStr, found: OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
        if flags.contains(OFlags::PATH) {
            return Ok(found);
        }
        match openat(
            self.current(),
            name,
            flags | OFlags::NOFOLLOW,
            Mode::empty(),
        ) {
            // It was no link a moment ago: somebody renames, so the walk starts again.
            Err(Errno::LOOP) => Err(Errno::AGAIN),
            result => result,
        }
    }
}

const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
