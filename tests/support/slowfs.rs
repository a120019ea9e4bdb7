//! A file system as slow as a test wants: each read of a file sleeps first, and names or attributes
//! hang until the test lets them go. It never fails: what hangs is answered in the end.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, Request,
};

/// A mounted file system with the files "0", "1" and so on. Unmounted when dropped.
pub struct SlowFs {
    session: Option<BackgroundSession>,
    hung: Arc<Hung>,
}

/// What is not answered at present.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    Nothing,
    /// To look a name up.
    Names,
    /// To open a file.
    Opening,
    /// To ask for the attributes of an open file.
    Attributes,
    /// To close a file.
    Closing,
}

/// What becomes of the content that the kernel has in memory when a file is opened.
#[derive(Clone, Copy)]
pub enum Cache {
    /// It stays, as on a disk.
    Kept,
    /// It is thrown away, as FUSE does unless a file system asks for another way.
    Dropped,
    /// None is shared: such a file cannot be mapped as others are (`direct_io`).
    Unshared,
}

impl Cache {
    const fn flags(self) -> FopenFlags {
        match self {
            Self::Kept => FopenFlags::FOPEN_KEEP_CACHE,
            Self::Dropped => FopenFlags::empty(),
            Self::Unshared => FopenFlags::FOPEN_DIRECT_IO,
        }
    }
}

struct Hung {
    what: Mutex<Hang>,
    changed: Condvar,
    opened: AtomicUsize,
    closed: AtomicUsize,
}

impl Hung {
    fn set(&self, what: Hang) {
        *self.what.lock().expect("no panic") = what;
        self.changed.notify_all();
    }

    fn wait(&self, until_not: Hang) {
        let what = self.what.lock().expect("no panic");
        let hangs = |what: &mut Hang| *what == until_not;
        drop(self.changed.wait_while(what, hangs).expect("no panic"));
    }
}

impl SlowFs {
    /// Mounts `files` at `dir`, which is made; every read of them takes `delay` longer.
    pub fn mount(dir: &Path, files: Vec<Vec<u8>>, delay: Duration) -> Self {
        Self::caching(Cache::Kept, dir, files, delay)
    }

    /// The same with another idea of what may be cached.
    pub fn caching(cache: Cache, dir: &Path, files: Vec<Vec<u8>>, delay: Duration) -> Self {
        Self::mount_with(dir, files, delay, FOR_EVER, cache)
    }

    /// Mounts `files` at `dir`, which is made. The kernel remembers neither names nor attributes, so
    /// that it asks again each time.
    pub fn forgetful(dir: &Path, files: Vec<Vec<u8>>) -> Self {
        Self::mount_with(dir, files, Duration::ZERO, Duration::ZERO, Cache::Kept)
    }

    /// From here on this hangs, and what hung before is let go.
    pub fn hang(&self, what: Hang) {
        self.hung.set(what);
    }

    /// How many files were opened so far, or are to be.
    pub fn opened(&self) -> usize {
        self.hung.opened.load(Relaxed)
    }

    /// How many files were closed so far, or are to be.
    pub fn closed(&self) -> usize {
        self.hung.closed.load(Relaxed)
    }

    /// For tests that fail: to be declared behind the server, so that it is dropped first.
    pub fn release(&self) -> Release {
        Release(Arc::clone(&self.hung))
    }

    fn mount_with(
        dir: &Path,
        files: Vec<Vec<u8>>,
        delay: Duration,
        memory: Duration,
        cache: Cache,
    ) -> Self {
        fs::create_dir(dir).expect("a mount point");
        let mut config = Config::default();
        // Enough for all reads that the kernel has under way, so that names are not behind them.
        config.n_threads = Some(64);
        let hung = Arc::new(Hung {
            what: Mutex::new(Hang::Nothing),
            changed: Condvar::new(),
            opened: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
        });
        let disk = Disk {
            files,
            delay,
            memory,
            cache,
            hung: Arc::clone(&hung),
        };
        let session = fuser::spawn_mount(disk, dir, &config);
        Self {
            session: Some(session.expect("mounted; this needs root and /dev/fuse")),
            hung,
        }
    }
}

/// Lets go of what hangs when it is dropped: a process that waits for an answer cannot even be killed.
pub struct Release(Arc<Hung>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.set(Hang::Nothing);
    }
}

impl Drop for SlowFs {
    fn drop(&mut self) {
        self.hang(Hang::Nothing);
        if let Some(session) = self.session.take() {
            match session.umount_and_join() {
                // A thread that was about to read meets the end in one of two ways.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                result => result.expect("unmounted"),
            }
        }
    }
}

struct Disk {
    files: Vec<Vec<u8>>,
    delay: Duration,
    /// How long the kernel may remember names and attributes.
    memory: Duration,
    cache: Cache,
    hung: Arc<Hung>,
}

/// Attributes stay known for the whole test.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Inode 1 is the directory, inode 2 is file 0.
const FIRST: u64 = 2;

impl Disk {
    fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let (kind, perm, size) = match inode.checked_sub(FIRST) {
            None => (FileType::Directory, 0o755, 0),
            Some(number) => {
                let file = self.files.get(usize::try_from(number).ok()?)?;
                (FileType::RegularFile, 0o644, file.len() as u64)
            }
        };
        Some(FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Disk {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.hung.wait(Hang::Names);
        let number: Option<u64> = name.to_str().and_then(|name| name.parse().ok());
        match number.and_then(|number| self.attributes(FIRST + number)) {
            Some(attributes) => reply.entry(&self.memory, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.hung.wait(Hang::Attributes);
        match self.attributes(inode.0) {
            Some(attributes) => reply.attr(&self.memory, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.hung.opened.fetch_add(1, Relaxed);
        self.hung.wait(Hang::Opening);
        reply.opened(FileHandle(0), self.cache.flags());
    }

    /// Closing a file waits for this answer.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.hung.closed.fetch_add(1, Relaxed);
        self.hung.wait(Hang::Closing);
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        thread::sleep(self.delay);
        let file = &self.files[(inode.0 - FIRST) as usize];
        let start = file.len().min(offset as usize);
        let end = file.len().min(start + size as usize);
        reply.data(&file[start..end]);
    }
}
