//! The threads that bring parts of files into memory, so that no send waits for a disk.
//! They never touch the bytes: the kernel maps the pages, or says that it cannot.

use core::ops::Range;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::Receiver;

use super::image::Image;
use super::loader::{Deliver, tell};
use super::pool::Pool;
use crate::clock;
use crate::endpoint::Ticket;
use crate::limits::{READER_QUEUE, READER_THREADS};

/// Bytes of a file that a transfer waits for, or will want soon.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) image: Arc<Image>,
    pub(super) bytes: Range<u64>,
    /// Shard and transfer that wait; none for reading ahead.
    pub(super) waiter: Option<(usize, Ticket)>,
}

/// The running threads.
#[derive(Debug)]
pub(super) struct Reader {
    pool: Pool<Fetch>,
}

impl Reader {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(shards: Arc<[Arc<dyn Deliver>]>) -> io::Result<Self> {
        let underway = Underway::default();
        let work = move |jobs: &Receiver<Fetch>| {
            while let Ok(fetch) = jobs.recv() {
                let waiters = underway.fetch(fetch).into_iter();
                tell(&shards, waiters, |shard, ticket| shard.loaded(ticket));
            }
        };
        let pool = Pool::start("ringboot-disk", READER_THREADS, READER_QUEUE, work)?;
        Ok(Self { pool })
    }

    /// Asks for bytes. Where too many wait already, those that were to be read ahead are nobody's
    /// again, and a transfer that waits asks again by itself.
    pub(super) fn fetch(&self, fetch: Fetch) {
        if let Err(fetch) = self.pool.submit(fetch) {
            fetch.image.not_fetched(&fetch.bytes);
        }
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
    waiters: Vec<(usize, Ticket)>,
}

impl Underway {
    /// Brings the bytes in, and answers with all who wait for them; nobody, where another thread
    /// is at it already.
    fn fetch(&self, fetch: Fetch) -> Vec<(usize, Ticket)> {
        let image = Arc::as_ptr(&fetch.image).addr();
        if !self.begin(image, &fetch) {
            return Vec::new();
        }
        fetch.image.bring_in(&fetch.bytes, clock::now());
        self.end(image, &fetch.bytes)
    }

    fn begin(&self, image: usize, fetch: &Fetch) -> bool {
        let mut reads = self.reads();
        let same = |read: &&mut Read| read.image == image && read.bytes == fetch.bytes;
        if let Some(read) = reads.iter_mut().find(same) {
            read.waiters.extend(fetch.waiter);
            return false;
        }
        reads.push(Read {
            image,
            bytes: fetch.bytes.clone(),
            waiters: fetch.waiter.into_iter().collect(),
        });
        true
    }

    fn end(&self, image: usize, bytes: &Range<u64>) -> Vec<(usize, Ticket)> {
        let mut reads = self.reads();
        let same = |read: &Read| read.image == image && read.bytes == *bytes;
        match reads.iter().position(same) {
            Some(at) => reads.swap_remove(at).waiters,
            None => Vec::new(),
        }
    }

    fn reads(&self) -> MutexGuard<'_, Vec<Read>> {
        // Nothing in here is left half done by a panic.
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
