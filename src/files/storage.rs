//! Which storages may hold a thread up without end: those behind a network or another process.
//! It never asks such a storage anything; what is not known to be local is taken for one.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, fstatfs, statx};
use rustix::io::Errno;

use super::identity::Identity;
use crate::limits::KNOWN_STORAGES;

/// Types of file systems in statfs(2) whose metadata, once cached, is answered from memory. A disk
/// may still be slow to deliver content.
const LOCAL: [u64; 20] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs, an initramfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0xCA45_1A4E, // bcachefs
    0x7371_7368, // squashfs
    0xE0F5_E1E2, // erofs
    0x9660,      // iso9660
    0x1501_3346, // udf
    0x4D44,      // vfat
    0x2011_BAB0, // exfat
    0x7366_746E, // ntfs3
    0x3153_464A, // jfs
    0x5265_4973, // reiserfs
    0x2405_1905, // ubifs
    0x3434,      // nilfs
    0x794C_7630, // overlayfs: containers, whose layers lie on local disks
];

/// Whether an open file's metadata never waits for a network or another process. May wait itself.
pub(super) fn is_local(file: impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|found| {
        // Of different widths and signs between architectures; the numbers have 32 bits.
        let kind = u64::from(found.f_type as u32);
        LOCAL.contains(&kind)
    })
}

/// Asks the storage behind an open file which state the file is in, however long that takes. What
/// the kernel remembers may be a minute old where others write to the file, too.
pub(super) fn ask(file: impl AsFd) -> Result<Identity, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC;
    statx(file, c"", flags, StatxFlags::BASIC_STATS).map(|seen| Identity::from_statx(&seen))
}

/// What the kernel remembers of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) identity: Identity,
    pub(super) regular: bool,
    pub(super) directory: bool,
    mount: Mount,
}

/// A mounted file system: both numbers are used again, but hardly together.
type Mount = (u64, u64);

/// Looks at an open file without asking the storage behind it.
pub(super) fn look(file: impl AsFd) -> Result<Sight, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let seen = statx(
        file,
        c"",
        flags,
        StatxFlags::BASIC_STATS | StatxFlags::MNT_ID,
    )?;
    let identity = Identity::from_statx(&seen);
    let kind = FileType::from_raw_mode(seen.stx_mode.into());
    Ok(Sight {
        mount: (identity.inode.device(), mount_id(&seen)),
        regular: kind == FileType::RegularFile,
        directory: kind == FileType::Directory,
        identity,
    })
}

/// 0 on kernels before 5.8.
fn mount_id(seen: &Statx) -> u64 {
    let told = seen.stx_mask & StatxFlags::MNT_ID.bits() != 0;
    if told { seen.stx_mnt_id } else { 0 }
}

/// Mounts that are known to be local, because a file on them was opened.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<Mount>>);

impl Known {
    pub(super) fn is_local(&self, sight: &Sight) -> bool {
        self.mounts().contains(&sight.mount)
    }

    /// Looks at the storage of an open file, which may take its time.
    pub(super) fn learn(&self, file: impl AsFd) {
        if is_local(&file)
            && let Ok(sight) = look(&file)
        {
            let mut mounts = self.mounts();
            if mounts.len() >= KNOWN_STORAGES {
                mounts.clear();
            }
            mounts.insert(sight.mount);
        }
    }

    fn mounts(&self) -> MutexGuard<'_, HashSet<Mount>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_glance_sees_what_fstat_sees() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"content").expect("written");
        let sight = look(&file).expect("statx");
        let identity = Identity::of(&file).expect("fstat");
        assert_eq!(sight.identity, identity);
        assert_eq!(ask(&file), Ok(identity));
        assert!(sight.regular);
    }

    #[test]
    fn a_mount_is_local_once_a_file_was_opened_there() {
        let known = Known::default();
        let file = tempfile::tempfile().expect("a file");
        let sight = look(&file).expect("statx");
        assert!(!known.is_local(&sight));
        known.learn(&file);
        assert_eq!(known.is_local(&sight), is_local(&file));
        // procfs answers from memory, too, but nobody serves from it.
        let proc = File::open("/proc/version").expect("opened");
        known.learn(&proc);
        assert!(!known.is_local(&look(&proc).expect("statx")));
    }
}
