//! Where an upload goes: its directory, its name, and the temporary file that becomes it.
//! It never follows a link at the name itself, and never shows a file before it is complete.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RawMode, RenameFlags, Stat, Uid, fchmod, fchown,
    fstat, linkat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::error::UploadError;
use super::finisher::Finisher;
use super::in_place::InPlace;
use super::policy::{Policy, Replace};
use super::sweep;
use crate::files::{OpenError, RelPath, Root};

/// A place for a file.
#[derive(Debug)]
pub(super) struct Target {
    dir: OwnedFd,
    name: CString,
}

/// A file that is being written and is not to be seen.
#[derive(Debug)]
pub(super) struct Temporary {
    dir: OwnedFd,
    /// None: it has no name at all, and goes with its last descriptor.
    name: Option<CString>,
    /// It lies elsewhere, and its bytes go into this file in the end.
    into: Option<InPlace>,
}

impl Target {
    /// Finds the directory below the root, confined as reads are.
    pub(super) fn find(root: &Root, path: &RelPath) -> Result<Self, UploadError> {
        let (dir, name) = root.open_parent(path)?;
        Ok(Self { dir, name })
    }

    /// What tells this place from all others, by whatever name it was found.
    pub(super) fn key(&self) -> Result<Box<[u8]>, UploadError> {
        let stat = fstat(&self.dir)?;
        let mut key = [stat.st_dev.to_ne_bytes(), stat.st_ino.to_ne_bytes()].concat();
        key.extend_from_slice(self.name.to_bytes());
        Ok(key.into())
    }

    /// The directory once more, to be synced.
    pub(super) fn directory(&self) -> Result<File, UploadError> {
        Ok(File::from(self.dir.try_clone()?))
    }

    pub(super) const fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// The file that has the name, if the policy lets it be replaced.
    pub(super) fn occupant(&self, policy: &Policy) -> Result<Option<Stat>, UploadError> {
        let found = match statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        let public_only = policy.in_tftpd.is_some_and(|way| way.public_only);
        match (&found, policy.replace) {
            (Some(_), Replace::Never) => Err(UploadError::Exists),
            (None, Replace::Required) => Err(UploadError::Missing),
            // A link, too: what it leads to need not be below the root.
            (Some(stat), _) if !is_regular(stat) => Err(OpenError::NotRegular.into()),
            (Some(stat), _) if public_only && !is_public(stat) => Err(UploadError::NotPublic),
            _ => Ok(found),
        }
    }

    /// Makes the temporary file, without a name where the file system knows such. It gets owner and
    /// mode of the file that it will replace. Where the directory takes no new files, one that exists
    /// may be written in place, if that is the operator's way.
    pub(super) fn prepare(
        &self,
        anonymous: bool,
        replaced: Option<&Stat>,
        policy: &Policy,
    ) -> Result<(File, Temporary), UploadError> {
        let mut temporary = Temporary {
            dir: self.dir.try_clone()?,
            name: None,
            into: None,
        };
        let file = match anonymous.then(|| self.open_unnamed()) {
            Some(Err(errno)) if lacks_unnamed(errno) => self.open_named(&mut temporary),
            None => self.open_named(&mut temporary),
            Some(result) => result,
        };
        let file = match file {
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS)
                if replaced.is_some() && policy.in_tftpd.is_some() =>
            {
                let (spool, into) = InPlace::open(&self.dir, &self.name)?;
                temporary.into = Some(into);
                return Ok((spool, temporary));
            }
            result => result?,
        };
        let file = File::from(file);
        // A file system without locks has at most one server.
        let _ = sweep::lock(&file);
        if let Some(stat) = replaced {
            resemble(&file, stat)?;
        }
        Ok((file, temporary))
    }

    /// Gives the open file of this number its name in one step: who looks sees all of the old one or all of the new.
    pub(super) fn publish(
        &self,
        file: RawFd,
        temporary: &mut Temporary,
        policy: &Policy,
        finisher: Option<&Finisher>,
    ) -> Result<(), UploadError> {
        let occupied = self.occupant(policy)?.is_some();
        if let Some(into) = &mut temporary.into {
            return Ok(into.fill(finisher)?);
        }
        if !occupied {
            match self.publish_new(file, temporary) {
                // Somebody was faster; that is a file to be replaced, if any may be.
                Err(Errno::EXIST) if policy.replace == Replace::Allowed => {}
                result => return result.map_err(Into::into),
            }
        }
        if temporary.name.is_none() {
            temporary.name = Some(self.link_somewhere(file)?);
        }
        let Some(name) = temporary.name.take() else {
            return Err(UploadError::Io(Errno::IO));
        };
        renameat(&self.dir, &name, &self.dir, &self.name).map_err(|errno| {
            temporary.name = Some(name);
            errno.into()
        })
    }

    /// Takes the name only if nobody has it.
    fn publish_new(&self, file: RawFd, temporary: &mut Temporary) -> Result<(), Errno> {
        let Some(name) = temporary.name.take() else {
            return self.link(file, &self.name);
        };
        let flags = RenameFlags::NOREPLACE;
        let renamed = renameat_with(&self.dir, &name, &self.dir, &self.name, flags);
        let result = match renamed {
            // Old kernels and some file systems: a link does the same in two steps.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(&self.dir, &name, &self.dir, &self.name, AtFlags::empty())
                    .and_then(|()| unlinkat(&self.dir, &name, AtFlags::empty()))
            }
            result => result,
        };
        result.inspect_err(|_| temporary.name = Some(name))
    }

    fn link_somewhere(&self, file: RawFd) -> Result<CString, Errno> {
        let name = CString::new(sweep::temporary_name()).map_err(|_| Errno::INVAL)?;
        self.link(file, &name)?;
        Ok(name)
    }

    /// Without privileges a file without a name is linked by way of /proc.
    fn link(&self, file: RawFd, name: &CString) -> Result<(), Errno> {
        let descriptor = format!("/proc/self/fd/{file}");
        linkat(CWD, descriptor, &self.dir, name, AtFlags::SYMLINK_FOLLOW)
    }

    fn open_unnamed(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&self.dir, c".", flags, NEW_FILE)
    }

    fn open_named(&self, temporary: &mut Temporary) -> Result<OwnedFd, Errno> {
        let name = CString::new(sweep::temporary_name()).map_err(|_| Errno::INVAL)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let flags = flags | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.dir, &name, flags, NEW_FILE)?;
        temporary.name = Some(name);
        Ok(file)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What cannot be deleted now is swept at the next start.
            let _ = unlinkat(&self.dir, name, AtFlags::empty());
        }
    }
}

/// The process's umask takes from this what it does.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn is_public(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH)
}

/// The answers of file systems and kernels without O_TMPFILE.
const fn lacks_unnamed(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS
    )
}

fn resemble(file: &impl AsFd, stat: &Stat) -> Result<(), Errno> {
    // Only root may give files away; another server's files are its own anyway.
    let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let _ = fchown(file, Some(owner.0), Some(owner.1));
    fchmod(file, Mode::from_raw_mode((stat.st_mode & 0o777) as RawMode))
}
