//! The directory that is served. Opening a name is confined to it by the kernel (openat2).
//! It never trusts string cleaning alone.

use core::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::error::OpenError;
use super::identity::Identity;
use super::path::RelativePath;
use super::walk;
use crate::limits::OPEN_TRIES;

/// Opening must neither wait (FIFOs) nor do anything else than open (terminals).
pub(super) const OPEN_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// An open directory to serve from.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    /// openat2 is missing, or seccomp does not know it.
    walks: AtomicBool,
}

/// Why a directory cannot be served.
#[derive(Debug)]
pub struct RootError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.error.kind() {
            io::ErrorKind::NotFound => {
                write!(
                    f,
                    "cannot serve {path}: there is no such directory; create it or correct --root"
                )
            }
            io::ErrorKind::NotADirectory => {
                write!(
                    f,
                    "cannot serve {path}: not a directory; --root takes the directory that holds the files"
                )
            }
            io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    "cannot serve {path}: permission denied; let this user read and enter it"
                )
            }
            _ => write!(f, "cannot serve {path}: {}", self.error),
        }
    }
}

impl core::error::Error for RootError {}

impl Root {
    /// Opens the directory to serve.
    ///
    /// # Errors
    /// When it is missing, no directory, or may not be read and entered.
    pub fn open(path: &Path) -> Result<Self, RootError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fail = |error| RootError {
            path: path.to_owned(),
            error,
        };
        let directory = open(path, flags, Mode::empty()).map_err(|errno| fail(errno.into()))?;
        // Readable is not enough: without search permission nothing below it opens.
        rustix::fs::accessat(
            &directory,
            ".",
            rustix::fs::Access::READ_OK | rustix::fs::Access::EXEC_OK,
            rustix::fs::AtFlags::empty(),
        )
        .map_err(|errno| fail(errno.into()))?;
        Ok(Self {
            directory,
            walks: AtomicBool::new(false),
        })
    }

    /// Opens a regular file below the root.
    ///
    /// # Errors
    /// When there is none that may be served by that name.
    pub fn open_file(&self, path: &RelativePath) -> Result<(File, Identity), OpenError> {
        match self.open_exactly(path) {
            Err(OpenError::NotFound) => match path.without_trailing_junk() {
                Some(clean) => self.open_exactly(&clean),
                None => Err(OpenError::NotFound),
            },
            result => result,
        }
    }

    /// Uses the walk even where openat2 works, so that both can be compared.
    #[cfg(test)]
    pub(super) fn walk_always(&self) {
        self.walks.store(true, Ordering::Relaxed);
    }

    fn open_exactly(&self, path: &RelativePath) -> Result<(File, Identity), OpenError> {
        let fd = if self.walks.load(Ordering::Relaxed) {
            walk::open_beneath(self.directory.as_fd(), path.as_path())?
        } else {
            self.open_confined(path)?
        };
        let identity = Identity::of(&fd)?;
        Ok((File::from(fd), identity))
    }

    fn open_confined(&self, path: &RelativePath) -> Result<OwnedFd, OpenError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..OPEN_TRIES {
            match openat2(
                &self.directory,
                path.as_path(),
                OPEN_FLAGS,
                Mode::empty(),
                resolve,
            ) {
                // A rename raced with the resolution, so the kernel could not be sure.
                Err(Errno::AGAIN) => {}
                // Old kernels lack it; some seccomp profiles refuse what they do not know. A file
                // that really may not be opened says EACCES.
                Err(Errno::NOSYS | Errno::PERM) => {
                    self.walks.store(true, Ordering::Relaxed);
                    return walk::open_beneath(self.directory.as_fd(), path.as_path());
                }
                result => return Ok(result?),
            }
        }
        Err(OpenError::Changing)
    }
}
