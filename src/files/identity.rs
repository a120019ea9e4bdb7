//! What tells one state of a file from another: the answer of one fstat.
//! It never reads content.

use std::os::fd::AsFd;

use rustix::fs::{Stat, Statx, StatxTimestamp, fstat, makedev};
use rustix::io::Errno;

/// A file and the state of its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) inode: Inode,
    pub(super) size: u64,
    links: u64,
    modified: Stamp,
    changed: Stamp,
    /// The change time tells of them, too, but not every file system behind a network has one.
    rights: Rights,
}

/// Who may read a file, as far as its mode says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rights {
    mode: u32,
    owner: u32,
    group: u32,
}

/// A file, whatever is in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    /// The number of the file system.
    pub(super) const fn device(&self) -> u64 {
        self.device
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    secs: i64,
    nanos: i64,
}

impl Identity {
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        fstat(file).map(|stat| Self::from_stat(&stat))
    }

    pub(super) fn from_statx(seen: &Statx) -> Self {
        let stamp = |time: &StatxTimestamp| Stamp {
            secs: time.tv_sec,
            nanos: time.tv_nsec.into(),
        };
        Self {
            inode: Inode {
                device: makedev(seen.stx_dev_major, seen.stx_dev_minor),
                number: seen.stx_ino,
            },
            size: seen.stx_size,
            links: seen.stx_nlink.into(),
            modified: stamp(&seen.stx_mtime),
            changed: stamp(&seen.stx_ctime),
            rights: Rights {
                mode: seen.stx_mode.into(),
                owner: seen.stx_uid,
                group: seen.stx_gid,
            },
        }
    }

    /// Whether `later`, of the same open file, has the content that this one had.
    ///
    /// A write moves the modification time; only setting it back by hand hides that, which moves
    /// the change time. So does chmod, and moving the file to another name: these are taken for
    /// writes, because a transfer too many that starts again costs less than a mixed file, and
    /// tools that copy in place and then restore the time do exist (`cp -p`, `rsync --inplace`).
    ///
    /// Where the number of links differs, the change time says only that: the file was deleted,
    /// replaced by a rename, or linked elsewhere, and its bytes are still the old ones.
    pub(super) fn same_content(&self, later: &Self) -> bool {
        self.inode == later.inode
            && self.size == later.size
            && self.modified == later.modified
            && (self.changed == later.changed || self.links != later.links)
    }

    #[expect(
        clippy::unnecessary_cast,
        reason = "the types of these fields differ between architectures"
    )]
    fn from_stat(stat: &Stat) -> Self {
        Self {
            inode: Inode {
                device: stat.st_dev as u64,
                number: stat.st_ino as u64,
            },
            size: stat.st_size as u64,
            links: stat.st_nlink as u64,
            modified: Stamp {
                secs: stat.st_mtime as i64,
                nanos: stat.st_mtime_nsec as i64,
            },
            changed: Stamp {
                secs: stat.st_ctime as i64,
                nanos: stat.st_ctime_nsec as i64,
            },
            rights: Rights {
                mode: stat.st_mode,
                owner: stat.st_uid,
                group: stat.st_gid,
            },
        }
    }
}
