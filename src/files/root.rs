//! The directory that is served: opens regular files below it and nothing else.
//! It never trusts a path's text: the kernel, or a walk that never leaves, decides what is below.

use core::convert::Infallible;
use core::fmt;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};
use rustix::io::Errno;

use super::error::OpenError;
use super::path::RelPath;
use super::{fold, walk};
use crate::limits::RESOLVE_TRIES;

/// How names are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// The kernel confines each name in one call.
    Openat2,
    /// Component by component, for kernels and sandboxes without openat2.
    Walk,
}

/// What came of looking for a file.
#[derive(Debug)]
pub(super) enum Sought<T> {
    /// The asker had it.
    Had(T),
    Opened(File),
}

/// What the asker has of a file whose name was resolved. To open a file has effects, too: FUSE then throws
/// out of memory what others are being sent of it.
pub(super) type Has<'a, T> = &'a dyn Fn(&OwnedFd) -> Option<T>;

/// The open root directory.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
    /// Its paths, as given and without links: absolute links in it begin with one of them.
    names: Vec<PathBuf>,
    resolver: Resolver,
    /// Only what everybody may read (o+r).
    public_only: bool,
}

impl Root {
    /// Opens the directory to serve and finds out how names can be resolved here.
    ///
    /// # Errors
    /// When it is missing, no directory, or closed to us.
    pub fn open(path: &Path) -> Result<Self, RootError> {
        let fail = |errno| RootError::new(path, errno);
        let dir = open_dir(path).map_err(fail)?;
        let resolver = match openat2(&dir, c".", OPEN_DIR, Mode::empty(), BENEATH) {
            Ok(_) => Resolver::Openat2,
            // Old kernels say ENOSYS; seccomp profiles older than the call say EPERM.
            Err(Errno::NOSYS | Errno::PERM) => Resolver::Walk,
            Err(errno) => return Err(fail(errno)),
        };
        Self::checked(path, dir, resolver).map_err(fail)
    }

    /// Opens the directory with a resolver of the caller's choice.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn open_with(path: &Path, resolver: Resolver) -> Result<Self, RootError> {
        open_dir(path)
            .and_then(|dir| Self::checked(path, dir, resolver))
            .map_err(|errno| RootError::new(path, errno))
    }

    /// Opens only files that everybody may read, as tftp-hpa does.
    #[must_use]
    pub const fn public_only(mut self) -> Self {
        self.public_only = true;
        self
    }

    /// Lets absolute links begin here, as they do below chroot(2).
    #[must_use]
    pub fn with_chroot_links(mut self) -> Self {
        self.names.push(PathBuf::from("/"));
        self
    }

    #[must_use]
    pub const fn resolver(&self) -> Resolver {
        self.resolver
    }

    /// Seeks a regular file as [`seek`](Self::seek) does; if it is missing, one whose name differs in
    /// the case of ASCII letters only.
    pub(super) fn seek_in_any_case<T>(
        &self,
        path: &RelPath,
        has: Has<'_, T>,
    ) -> Result<Sought<T>, OpenError> {
        match self.seek(path, has) {
            Err(OpenError::NotFound) => {}
            result => return result,
        }
        self.seek(&self.spelling(path)?, has)
    }

    /// The path as far as it exists, whatever its case: all of it, or its directory with the name as
    /// it is given.
    ///
    /// # Errors
    /// When there is no such directory either, or it cannot be read.
    pub(super) fn place_in_any_case(&self, path: &RelPath) -> Result<RelPath, OpenError> {
        if self.kind(path).is_some() {
            return Ok(path.clone());
        }
        match self.spelling(path) {
            Err(OpenError::NotFound) => {}
            result => return result,
        }
        let (parent, name) = path.split()?;
        let parent = match parent.as_bytes() {
            b"." => return Ok(path.clone()),
            _ => self.spelling(&parent)?,
        };
        let path = [parent.as_bytes(), b"/", name.to_bytes()].concat();
        RelPath::parse_with(&path, false)
    }

    fn spelling(&self, path: &RelPath) -> Result<RelPath, OpenError> {
        let open_dir = |path: &[u8]| {
            let path = CString::new(path).map_err(|_| Errno::INVAL)?;
            self.resolve(&path, LIST)
        };
        let found = fold::spelling_on_disk(path.as_c_str(), open_dir)?;
        RelPath::parse_with(&found, false)
    }

    /// The directory's path, as it was given.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a directory below the root.
    #[must_use]
    pub fn has_dir(&self, path: &RelPath) -> bool {
        self.kind(path) == Some(FileType::Directory)
    }

    /// Whether there is such a regular file below the root.
    #[must_use]
    pub fn has_file(&self, path: &RelPath) -> bool {
        let look = || self.check(&self.resolve(path.as_c_str(), LOOK)?);
        look().is_ok()
    }

    /// Whether the root itself can be listed, as looking for names in another case needs.
    #[must_use]
    pub fn can_list(&self) -> bool {
        self.resolve(c".", LIST).is_ok()
    }

    fn kind(&self, path: &RelPath) -> Option<FileType> {
        let found = self.resolve(path.as_c_str(), LOOK).ok()?;
        let stat = fstat(&found).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// Opens a regular file below the root for reading. Symbolic links are followed as long as they
    /// stay below the root, absolute ones too.
    ///
    /// # Errors
    /// When there is no such regular file, or it cannot be read.
    pub fn open_file(&self, path: &RelPath) -> Result<File, OpenError> {
        match self.seek(path, &|_| None::<Infallible>)? {
            Sought::Opened(file) => Ok(file),
        }
    }

    /// The same for who `has` something of some files already: these are not opened.
    pub(super) fn seek<T>(&self, path: &RelPath, has: Has<'_, T>) -> Result<Sought<T>, OpenError> {
        for _ in 0..RESOLVE_TRIES {
            match self.try_open(path, has) {
                Err(OpenError::Io(Errno::AGAIN | Errno::INTR)) => {}
                result => return result,
            }
        }
        Err(OpenError::Io(Errno::AGAIN))
    }

    /// Finds a name without asking any storage, where the kernel remembers all of the way.
    ///
    /// # Errors
    /// `AGAIN` where it does not; otherwise as the kernel says.
    pub(super) fn find_cached(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        self.resolve_cached(path, LOOK)
    }

    /// Opens a name in the same way. What is opened may be another file by now.
    pub(super) fn open_cached(&self, path: &RelPath) -> Result<OwnedFd, Errno> {
        self.resolve_cached(path, READ)
    }

    fn resolve_cached(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let how = BENEATH | ResolveFlags::CACHED;
        match self.resolver {
            // Who may read a file is checked with the rest.
            _ if self.public_only => Err(Errno::AGAIN),
            Resolver::Openat2 => openat2(&self.dir, path.as_c_str(), flags, Mode::empty(), how),
            Resolver::Walk => Err(Errno::AGAIN),
        }
    }

    /// Opens the directory in which a path's last component lies, confined like any file, and names
    /// that component. The descriptor can be synced.
    ///
    /// # Errors
    /// When there is no such directory below the root.
    pub(super) fn open_parent(&self, path: &RelPath) -> Result<(OwnedFd, CString), OpenError> {
        let (parent, name) = path.split()?;
        for _ in 0..RESOLVE_TRIES {
            match self.resolve(parent.as_c_str(), DIRECTORY) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return Ok((result?, name)),
            }
        }
        Err(OpenError::Io(Errno::AGAIN))
    }

    fn try_open<T>(&self, path: &RelPath, has: Has<'_, T>) -> Result<Sought<T>, OpenError> {
        // Opening a pipe or a device can have effects of its own, so first look without opening.
        let seen = self.resolve(path.as_c_str(), LOOK)?;
        self.check(&seen)?;
        if let Some(had) = has(&seen) {
            return Ok(Sought::Had(had));
        }
        let file = self.resolve(path.as_c_str(), READ)?;
        // It may be another one by now.
        self.check(&file)?;
        Ok(Sought::Opened(File::from(file)))
    }

    /// Whether a file may be served.
    fn check(&self, fd: &OwnedFd) -> Result<(), OpenError> {
        let mode = fstat(fd)?.st_mode;
        if FileType::from_raw_mode(mode) != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        if self.public_only && !Mode::from_raw_mode(mode).contains(Mode::ROTH) {
            return Err(OpenError::NotPublic);
        }
        Ok(())
    }

    fn resolve(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.resolver {
            Resolver::Openat2 => {
                match openat2(&self.dir, path, flags, Mode::empty(), BENEATH) {
                    // It may have met an absolute link that leads back.
                    Err(Errno::XDEV) => self.walk(path, flags),
                    result => result,
                }
            }
            Resolver::Walk => self.walk(path, flags),
        }
    }

    fn walk(&self, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
        walk::open(&self.dir, &self.names, path, flags)
    }

    fn checked(path: &Path, dir: OwnedFd, resolver: Resolver) -> Result<Self, Errno> {
        // Fails without the right to search the directory; to list it is not needed.
        openat(&dir, c".", OPEN_DIR, Mode::empty())?;
        // A name that cannot be had leaves absolute links refused.
        let names = [std::path::absolute(path), path.canonicalize()];
        let names = names.into_iter().flatten().collect();
        Ok(Self {
            dir,
            path: path.to_owned(),
            names,
            resolver,
            public_only: false,
        })
    }
}

/// Why a directory cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootError {
    path: PathBuf,
    errno: Errno,
    /// The flag that names the directory.
    flag: &'static str,
}

impl RootError {
    fn new(path: &Path, errno: Errno) -> Self {
        Self {
            path: path.to_owned(),
            errno,
            flag: "--root",
        }
    }

    /// The same for a directory that another flag names.
    #[must_use]
    pub const fn of(mut self, flag: &'static str) -> Self {
        self.flag = flag;
        self
    }
}

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, flag) = (self.path.display(), self.flag);
        match self.errno {
            Errno::NOENT => write!(
                f,
                "the root {path} does not exist; create it or correct {flag}"
            ),
            Errno::NOTDIR => write!(
                f,
                "the root {path} is not a directory; {flag} takes the one that holds the files"
            ),
            Errno::ACCESS => write!(
                f,
                "the root {path}: permission denied; let this user enter and read it"
            ),
            errno => write!(f, "cannot open the root {path}: {errno}"),
        }
    }
}

impl core::error::Error for RootError {}

fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, OPEN_DIR, Mode::empty())
}

const OPEN_DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Readable, because only such a descriptor can be synced.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Never waits for a pipe's writer, never takes a terminal.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

const LIST: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
