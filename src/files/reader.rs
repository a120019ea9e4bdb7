//! The threads that bring parts of files into memory, so that no send waits for a disk.
//! They never touch the bytes: the kernel maps the pages, or says that it cannot.

use core::ops::Range;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::image::Image;
use super::job::{Deliver, tell};
use super::lanes::{Bounds, Lanes};
use crate::clock;
use crate::endpoint::Ticket;
use crate::limits::{READER_QUEUE, READER_THREADS, READERS_EACH};

/// Bytes of a file that a transfer waits for, or will want soon.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) image: Arc<Image>,
    pub(super) bytes: Range<u64>,
    /// Afterwards the file is asked whether it is still the same.
    pub(super) check: bool,
    /// Shard and transfer that wait; none for reading ahead.
    pub(super) waiter: Option<(usize, Ticket)>,
}

/// The running threads.
#[derive(Debug)]
pub(super) struct Reader {
    lanes: Lanes<Work>,
}

#[derive(Debug)]
enum Work {
    Fetch(Fetch),
    /// Whoever is the last to let go of an image closes its file, which asks the storage.
    LetGo(Arc<Image>),
}

impl Reader {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(shards: Arc<[Arc<dyn Deliver>]>) -> io::Result<Self> {
        let underway = Underway::default();
        let work = move |work| match work {
            Work::Fetch(fetch) => {
                let (waiters, unchanged) = underway.fetch(fetch);
                tell(&shards, waiters.into_iter(), |shard, ticket| {
                    shard.loaded(ticket, unchanged);
                });
            }
            Work::LetGo(image) => drop(image),
        };
        let bounds = Bounds {
            threads: READER_THREADS,
            each: READERS_EACH,
            room: READER_QUEUE,
        };
        let lanes = Lanes::start("ringboot-disk", bounds, work)?;
        Ok(Self { lanes })
    }

    /// Asks for bytes. Where too many wait already, those that were to be read ahead are nobody's
    /// again, and a transfer that waits asks again by itself.
    pub(super) fn fetch(&self, fetch: Fetch) {
        let lane = fetch.image.lane();
        if let Err(Work::Fetch(fetch)) = self.lanes.submit(lane, Work::Fetch(fetch)) {
            fetch.image.not_fetched(&fetch.bytes);
        }
    }

    /// Drops an image, by a thread that may wait. Where too many wait already, it is dropped here.
    pub(super) fn let_go(&self, image: Arc<Image>) {
        let _ = self.lanes.submit(image.lane(), Work::LetGo(image));
    }
}

/// What the threads are waiting for. A thousand machines that want the same chunk take one thread
/// and not all of them, so that the other files' readers get on.
#[derive(Debug, Default)]
struct Underway {
    reads: Mutex<Vec<Read>>,
}

#[derive(Debug)]
struct Read {
    /// The image's address, which tells it from others as long as it is held.
    image: usize,
    bytes: Range<u64>,
    check: bool,
    waiters: HashSet<(usize, Ticket)>,
}

impl Read {
    fn is(&self, image: usize, fetch: &Fetch) -> bool {
        self.image == image && self.bytes == fetch.bytes && self.check == fetch.check
    }
}

impl Underway {
    /// Brings the bytes in, and answers with all who wait for them (nobody, where another thread
    /// is at it already), and whether the file is still the same, if that was asked.
    fn fetch(&self, fetch: Fetch) -> (HashSet<(usize, Ticket)>, Option<bool>) {
        let image = Arc::as_ptr(&fetch.image).addr();
        if !self.begin(image, &fetch) {
            return (HashSet::new(), None);
        }
        fetch.image.bring_in(&fetch.bytes, clock::now());
        if !fetch.check {
            return (self.end(image, &fetch), None);
        }
        // Who comes from here on may have sent blocks after the answer was made.
        let waiters = self.end(image, &fetch);
        (waiters, Some(fetch.image.unchanged()))
    }

    fn begin(&self, image: usize, fetch: &Fetch) -> bool {
        let mut reads = self.reads();
        let same = |read: &&mut Read| read.is(image, fetch);
        if let Some(read) = reads.iter_mut().find(same) {
            read.waiters.extend(fetch.waiter);
            return false;
        }
        reads.push(Read {
            image,
            bytes: fetch.bytes.clone(),
            check: fetch.check,
            waiters: fetch.waiter.into_iter().collect(),
        });
        true
    }

    fn end(&self, image: usize, fetch: &Fetch) -> HashSet<(usize, Ticket)> {
        let mut reads = self.reads();
        match reads.iter().position(|read| read.is(image, fetch)) {
            Some(at) => reads.swap_remove(at).waiters,
            None => HashSet::new(),
        }
    }

    fn reads(&self) -> MutexGuard<'_, Vec<Read>> {
        // Nothing in here is left half done by a panic.
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
