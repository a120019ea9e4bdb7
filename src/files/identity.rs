//! What makes a file the same file: inode, size and times.
//! It never looks at content.

use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, fstat};

use super::error::OpenError;

/// One fstat of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    links: u64,
}

impl Identity {
    /// The identity of a regular file.
    pub fn of(file: impl AsFd) -> Result<Self, OpenError> {
        let stat = fstat(file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        Ok(Self::read(&stat))
    }

    #[expect(
        clippy::unnecessary_cast,
        reason = "the fields' types differ between architectures"
    )]
    fn read(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            links: stat.st_nlink as u64,
        }
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What a file is shared by.
    pub const fn inode(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether a file that was `self` still has the same content as `now` says.
    ///
    /// Deletion, and replacement by rename, change the number of links and with it ctime, but not
    /// the content. A ctime that moves alone may be a write whose mtime was set back (or a chmod,
    /// which we take for one: an ERROR is better than a mixture).
    pub fn same_content(&self, now: &Self) -> bool {
        self.inode() == now.inode()
            && self.size == now.size
            && self.modified == now.modified
            && (self.changed == now.changed || self.links != now.links)
    }
}
