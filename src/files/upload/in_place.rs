//! Writes an existing file in place, where its directory takes no new ones: in.tftpd's way.
//! It never touches the file before all bytes have come and there is room for them. Then it is not one step,
//! as a rename is, so another process does it (`finisher`): who kills the server in these milliseconds
//! finds all of the new file soon after.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{CWD, FallocateFlags, FileType, Mode, OFlags, fallocate, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::error::UploadError;
use super::finisher::Finisher;
use super::sweep;
use crate::files::OpenError;

/// The file, and where its new bytes gather meanwhile.
#[derive(Debug)]
pub(super) struct InPlace {
    file: File,
    spool: File,
}

impl InPlace {
    /// Opens the file and makes a spool for its bytes.
    pub(super) fn open(dir: impl AsFd, name: &CStr) -> Result<(File, Self), UploadError> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(dir, name, flags, Mode::empty())?);
        // It may be another one by now.
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegular.into());
        }
        let spool = spool()?;
        Ok((spool.try_clone()?, Self { file, spool }))
    }

    /// Puts the spooled bytes in the place of the file's own. Returns once they are on the disk.
    pub(super) fn fill(&mut self, finisher: Option<&Finisher>) -> io::Result<()> {
        match finisher.map(|finisher| finisher.fill(&self.spool, &self.file)) {
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Some(result) => return result,
            None => {}
        }
        fill(&mut self.spool, &mut self.file)
    }
}

/// Overwrites `file` by what `spool` holds. A full disk leaves it as it was, where the file system can
/// set room aside.
pub(super) fn fill(spool: &mut File, file: &mut File) -> io::Result<()> {
    let len = spool.metadata()?.len();
    if len > 0
        && let Err(full @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) =
            fallocate(&*file, FallocateFlags::KEEP_SIZE, 0, len)
    {
        return Err(full.into());
    }
    spool.rewind()?;
    file.rewind()?;
    io::copy(spool, file)?;
    file.set_len(len)?;
    file.sync_all()
}

/// Where spools are made.
pub(super) fn spool_dir() -> PathBuf {
    std::env::temp_dir()
}

/// A file that nobody else sees.
fn spool() -> Result<File, Errno> {
    let dir = spool_dir();
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    match openat(CWD, &dir, flags | OFlags::TMPFILE, mode) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        result => return result.map(File::from),
    }
    let name = String::from_utf8(sweep::temporary_name()).map_err(|_| Errno::INVAL)?;
    let path = dir.join(name);
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = openat(CWD, &path, flags, mode)?;
    unlinkat(CWD, &path, rustix::fs::AtFlags::empty())?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn the_old_bytes_stay_until_all_new_ones_are_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        fs::write(&path, "much longer than the new one").expect("written");
        let open = File::open(dir.path()).expect("a directory");
        let (mut spool, mut place) = InPlace::open(&open, c"file").expect("a file");
        spool.write_all(b"new").expect("written");
        assert_eq!(
            fs::read(&path).expect("read"),
            b"much longer than the new one"
        );
        place.fill(None).expect("filled");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
        assert!(InPlace::open(&open, c"none").is_err());
    }
}
