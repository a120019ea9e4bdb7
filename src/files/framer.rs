//! Lays files out in frames, on threads of its own, in the memory that there is for them.
//! It never takes frames from a file that anybody uses, and never refuses one for good.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::io;
use std::sync::Arc;

use super::catalog::Catalog;
use super::copy::{Budget, Share};
use super::image::Image;
use super::lanes::{Bounds, Lanes};
use crate::limits::{FRAMER_QUEUE, FRAMER_THREADS};

/// The threads that lay out.
#[derive(Debug)]
pub(super) struct Framer {
    memory: Arc<FrameMemory>,
    lanes: Lanes<Frame>,
}

/// A file to be laid out in frames.
#[derive(Debug)]
struct Frame {
    image: Arc<Image>,
    blksize: u16,
}

impl Framer {
    /// Starts the first thread; `limit` is the bytes that all frames may take, and the `catalog`
    /// has those that nobody uses.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(limit: u64, catalog: Catalog) -> io::Result<Self> {
        let bounds = Bounds {
            threads: FRAMER_THREADS,
            // One storage's files are laid out one after the other: none twice at a time.
            each: 1,
            room: FRAMER_QUEUE,
        };
        let memory = Arc::new(FrameMemory::new(limit));
        let shared = Arc::clone(&memory);
        let lay_out = move |Frame { image, blksize }| shared.lay_out(&image, blksize, &catalog);
        Ok(Self {
            memory,
            lanes: Lanes::start("ringboot-frames", bounds, lay_out)?,
        })
    }

    pub(super) fn memory(&self) -> Arc<FrameMemory> {
        Arc::clone(&self.memory)
    }

    /// A transfer of an image begins. Never waits.
    pub(super) fn note_transfer(&self, image: &Arc<Image>, blksize: u16) {
        if self.memory.limit() > 0 && image.note_transfer(blksize) {
            let frame = Frame {
                image: Arc::clone(image),
                blksize,
            };
            // Where there is no room, a later transfer asks again.
            let _ = self
                .lanes
                .submit_or_join(frame.image.lane(), frame, Frame::join);
        }
    }
}

impl Frame {
    /// Two wishes for the same are one.
    fn join(&mut self, other: Self) -> Result<(), Self> {
        if Arc::ptr_eq(&self.image, &other.image) && self.blksize == other.blksize {
            Ok(())
        } else {
            Err(other)
        }
    }
}

/// The memory for frames: what there may be, what is in use, what did not fit.
#[derive(Debug)]
pub struct FrameMemory {
    budget: Arc<Budget>,
    refused: AtomicU64,
    told: AtomicBool,
}

impl FrameMemory {
    fn new(limit: u64) -> Self {
        Self {
            budget: Arc::new(Budget::new(limit)),
            refused: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Bytes that all frames together may take.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.budget.limit()
    }

    /// Bytes that they take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.budget.used()
    }

    /// How often a file was refused for want of memory.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn lay_out(&self, image: &Image, blksize: u16, catalog: &Catalog) {
        // It may have come to it while this waited.
        let Some(bytes) = image.missing_frames(blksize) else {
            return;
        };
        match self.room_for(bytes, catalog) {
            Some(share) => image.frame(blksize, share),
            None => self.refuse(bytes),
        }
    }

    /// Makes room at the expense of files that nobody uses.
    fn room_for(&self, bytes: u64, catalog: &Catalog) -> Option<Share> {
        if let Ok(share) = self.budget.take(bytes) {
            return Some(share);
        }
        // A file that would not fit alone displaces nobody.
        let others = self.limit().checked_sub(bytes)?;
        let missing = self.used().saturating_sub(others);
        drop(catalog.take_idle_frames(missing));
        self.budget.take(bytes).ok()
    }

    fn refuse(&self, bytes: u64) {
        self.refused.fetch_add(1, Relaxed);
        if !self.told.swap(true, Relaxed) {
            tracing::warn!(
                "a file of {} MiB in frames finds no room in --frame-memory ({} MiB, {} in use) and is \
                 served from its mapping, which costs a little more; tftp_frames_refused_total \
                 counts on",
                bytes.div_ceil(1 << 20),
                self.limit() >> 20,
                self.used() >> 20,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use tempfile::TempDir;

    use super::*;
    use crate::limits::{FRAME_AFTER, FRAME_AGAIN};
    use crate::transfer::Nanos;

    const SIZE: usize = 10_000;
    const BLKSIZE: u16 = 1024;
    const FRAMED: u64 = 10_000 + 10 * 4;

    /// A server's files, and memory for the frames of so many of them.
    struct Site {
        dir: TempDir,
        catalog: Catalog,
        memory: FrameMemory,
    }

    impl Site {
        fn with_room_for(files: u64) -> Self {
            Self {
                dir: TempDir::new().expect("a directory"),
                catalog: Catalog::default(),
                memory: FrameMemory::new(files * FRAMED),
            }
        }

        fn open(&self, name: &str, at: u64) -> Arc<Image> {
            let path = self.dir.path().join(name);
            if !path.exists() {
                fs::write(&path, [b'x'; SIZE]).expect("written");
            }
            let file = File::open(path).expect("opened");
            let image = self.catalog.open(file, false, Nanos::from_secs(at));
            image.expect("an image")
        }

        /// So many transfers of an image begin; whether it is framed then.
        fn transfers(&self, image: &Arc<Image>, count: u32) -> bool {
            for _ in 0..count {
                if image.note_transfer(BLKSIZE) {
                    self.memory.lay_out(image, BLKSIZE, &self.catalog);
                }
            }
            is_framed(image)
        }
    }

    fn is_framed(image: &Image) -> bool {
        image.framed(BLKSIZE, 1, 1).is_some()
    }

    #[test]
    fn a_file_that_nobody_uses_gives_its_memory_to_one_that_is_hot() {
        let site = Site::with_room_for(1);
        let first = site.open("a", 1);
        assert!(!site.transfers(&first, 1));
        assert!(site.transfers(&first, 1));
        let place = Arc::as_ptr(&first);
        drop(first);
        assert!(site.transfers(&site.open("b", 2), FRAME_AFTER));
        assert_eq!((site.memory.used(), site.memory.refused()), (FRAMED, 0));
        let first = site.open("a", 3);
        assert_eq!(Arc::as_ptr(&first), place, "forgotten with its frames");
        assert!(!is_framed(&first));
        assert!(site.transfers(&first, FRAME_AFTER));
        assert_eq!(site.memory.used(), FRAMED);
    }

    #[test]
    fn a_file_in_use_keeps_its_frames_and_a_later_transfer_asks_again() {
        let site = Site::with_room_for(1);
        let first = site.open("a", 1);
        assert!(site.transfers(&first, FRAME_AFTER));
        let second = site.open("b", 2);
        assert!(!site.transfers(&second, FRAME_AFTER));
        assert!(is_framed(&first), "in use");
        assert_eq!((site.memory.used(), site.memory.refused()), (FRAMED, 1));

        drop(first);
        site.open("b", 3);
        assert!(!site.transfers(&second, FRAME_AGAIN - 1));
        assert!(site.transfers(&second, 1));
        assert_eq!((site.memory.used(), site.memory.refused()), (FRAMED, 1));
    }

    #[test]
    fn files_that_are_fetched_in_turns_do_not_take_the_memory_from_each_other() {
        let site = Site::with_room_for(1);
        assert!(site.transfers(&site.open("a", 1), FRAME_AFTER));
        for _ in 0..20 * FRAME_AGAIN {
            assert!(!site.transfers(&site.open("b", 1), 1));
            assert!(site.transfers(&site.open("a", 1), 1));
        }
        assert_eq!(site.memory.refused(), 20);
        assert!(
            site.transfers(&site.open("b", 2), FRAME_AGAIN),
            "nobody has asked for a since"
        );
    }

    #[test]
    fn the_longest_unused_goes_first_and_no_more_than_it_takes() {
        let site = Site::with_room_for(3);
        for (name, at) in [("a", 3), ("b", 1), ("c", 2)] {
            assert!(site.transfers(&site.open(name, at), FRAME_AFTER));
        }
        let used = site.open("b", 4);
        assert!(site.transfers(&site.open("d", 5), FRAME_AFTER));
        drop(used);
        let framed = ["a", "b", "c", "d"].map(|name| is_framed(&site.open(name, 6)));
        assert_eq!(framed, [true, true, false, true]);
    }

    #[test]
    fn nothing_is_given_up_for_a_file_that_would_not_fit_even_so() {
        let site = Site::with_room_for(2);
        let (idle, used) = (site.open("a", 1), site.open("b", 2));
        assert!(site.transfers(&idle, FRAME_AFTER));
        assert!(site.transfers(&used, FRAME_AFTER));
        drop(idle);
        fs::write(site.dir.path().join("large"), [b'x'; 2 * SIZE]).expect("written");
        assert!(!site.transfers(&site.open("large", 3), FRAME_AFTER));
        drop(used);
        fs::write(site.dir.path().join("huge"), [b'x'; 3 * SIZE]).expect("written");
        assert!(!site.transfers(&site.open("huge", 3), FRAME_AFTER));
        assert!(is_framed(&site.open("a", 4)) && is_framed(&site.open("b", 4)));
        assert_eq!(site.memory.refused(), 2);
    }

    #[test]
    fn without_memory_nobody_asks() {
        let framer = Framer::start(0, Catalog::default()).expect("a thread");
        let site = Site::with_room_for(1);
        let image = site.open("a", 1);
        for _ in 0..FRAME_AFTER {
            framer.note_transfer(&image, BLKSIZE);
        }
        assert!(!site.transfers(&image, 1) && site.transfers(&image, 1));
    }
}
