//! Temporary files: how they are called, and what a killed server has left of them.
//! It never touches a file that another process is writing: writers hold a lock.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

/// Names that begin so are ours: no client may read or write them.
pub(in crate::files) const PREFIX: &[u8] = b".ringboot-upload-";

/// A name that nobody guesses and nobody else has.
pub(super) fn temporary_name() -> Vec<u8> {
    // Keyed from the system's random numbers at each call.
    let number = RandomState::new().hash_one(std::process::id());
    let mut name = PREFIX.to_vec();
    name.extend_from_slice(format!("{number:016x}").as_bytes());
    name
}

/// What was found below an upload directory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes of all regular files.
    pub(super) bytes: u64,
    /// Leftovers that were deleted.
    pub(super) swept: usize,
}

/// What becomes of leftovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    Nothing,
    /// All of them go.
    All,
    /// Those that have not been touched since then go: who creates one now has not locked it yet.
    Before((i64, i64)),
}

/// Walks the directory; symbolic links are not followed.
///
/// # Errors
/// When the directory itself cannot be read. What is below and closed to us is passed over.
pub(super) fn survey(dir: &Path, sweep: Sweep) -> io::Result<Found> {
    let mut found = Found::default();
    let mut pending = vec![fs::read_dir(dir)?];
    while let Some(entries) = pending.pop() {
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                pending.extend(fs::read_dir(entry.path()));
            } else if kind.is_file() {
                look(&entry, sweep, &mut found);
            }
        }
    }
    Ok(found)
}

fn look(entry: &DirEntry, sweep: Sweep, found: &mut Found) {
    if !entry.file_name().as_bytes().starts_with(PREFIX) {
        found.bytes += entry.metadata().map_or(0, |meta| meta.len());
        return;
    }
    let old = match sweep {
        Sweep::Nothing => false,
        Sweep::All => true,
        Sweep::Before(time) => entry
            .metadata()
            .is_ok_and(|meta| (meta.mtime(), meta.mtime_nsec()) < time),
    };
    if old && is_abandoned(&entry.path()) && fs::remove_file(entry.path()).is_ok() {
        found.swept += 1;
    }
}

/// Whoever writes a temporary file holds its lock, and a killed process holds none.
fn is_abandoned(path: &Path) -> bool {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.is_ok_and(|file| lock(&file).is_ok())
}

/// Marks a temporary file as being written, until it is closed.
pub(super) fn lock(file: &File) -> rustix::io::Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_everything_else_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("sub")).expect("a directory");
        for name in [
            ".ringboot-upload-1",
            "sub/.ringboot-upload-2",
            "kept",
            "sub/kept",
        ] {
            fs::write(path(name), b"12345").expect("written");
        }
        let busy = File::create(path(".ringboot-upload-3")).expect("created");
        lock(&busy).expect("locked");
        let found = survey(dir.path(), Sweep::All).expect("readable");
        assert_eq!(
            found,
            Found {
                bytes: 10,
                swept: 2
            }
        );
        assert!(path("sub/kept").exists() && path(".ringboot-upload-3").exists());
        assert!(!path("sub/.ringboot-upload-2").exists());
        drop(busy);
        let epoch = Sweep::Before((0, 0));
        assert_eq!(survey(dir.path(), epoch).expect("readable").swept, 0);
        assert_eq!(survey(dir.path(), Sweep::All).expect("readable").swept, 1);
    }

    #[test]
    fn no_two_temporary_names_are_alike() {
        assert_ne!(temporary_name(), temporary_name());
    }
}
