//! The threads behind the shards' files: they open them, bring content into memory, lay out frames.
//! They never make a shard wait: a full queue is the asker's answer.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::io;
use std::sync::Arc;

use crossbeam::channel::Receiver;

use super::catalog::Catalog;
use super::framer::{FrameMemory, Framer};
use super::image::Image;
use super::job::{Deliver, Job};
use super::opener::Opener;
use super::pool::Pool;
use super::reader::{Fetch, Reader};
use crate::endpoint::Ticket;
use crate::limits::LOADER_QUEUE;
use crate::transfer::Nanos;

/// The running threads: some open files, others bring their content into memory or lay it out in
/// frames. Dropping it answers what was asked, as far as storages do not hang, then ends them.
#[derive(Debug)]
pub struct Loader {
    opener: Pool<Job>,
    reader: Reader,
    framer: Framer,
    requests: Arc<AtomicU64>,
}

impl Loader {
    /// Starts the threads; `shards` are the receivers of answers by number, `frame_memory` the bytes
    /// for files laid out in frames.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(shards: Vec<Arc<dyn Deliver>>, frame_memory: u64) -> io::Result<Self> {
        let shards: Arc<[_]> = shards.into();
        let catalog = Catalog::default();
        let opener = Opener::start(Arc::clone(&shards), catalog.clone())?;
        let open = move |jobs: &Receiver<Job>| opener.run(jobs);
        Ok(Self {
            opener: Pool::start("ringboot-files", 1, LOADER_QUEUE, open)?,
            reader: Reader::start(shards)?,
            framer: Framer::start(frame_memory, catalog)?,
            requests: Arc::default(),
        })
    }

    /// How many files were asked for, counted on.
    #[must_use]
    pub fn requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
    }

    /// The memory for files laid out in frames.
    #[must_use]
    pub fn frame_memory(&self) -> Arc<FrameMemory> {
        self.framer.memory()
    }

    /// Asks for a file and never waits.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        self.requests.fetch_add(1, Relaxed);
        self.opener.submit(job)
    }

    /// Has a file asked whether it is still the same, once `bytes` are in memory; `waiter`'s shard
    /// is told. Never waits.
    pub fn check(&self, image: &Arc<Image>, bytes: &Range<u64>, waiter: (usize, Ticket)) {
        self.reader.fetch(Fetch {
            image: Arc::clone(image),
            bytes: bytes.clone(),
            check: true,
            waiter: Some(waiter),
        });
    }

    /// Whether `bytes` of an image are in memory. If not, they are brought in, and `shard` is told
    /// for this transfer; what follows them is brought in beforehand. Never waits.
    #[must_use]
    pub fn resident(
        &self,
        image: &Arc<Image>,
        bytes: &Range<u64>,
        waiter: (usize, Ticket),
        now: Nanos,
    ) -> bool {
        let demand = image.demand(bytes, now);
        if let Some(bytes) = demand.fetch {
            self.reader.fetch(Fetch {
                image: Arc::clone(image),
                bytes,
                check: false,
                waiter: (!demand.ready).then_some(waiter),
            });
        }
        demand.ready
    }

    /// A transfer of an image has ended. Never waits for the storage to close the file.
    pub fn let_go(&self, image: Arc<Image>) {
        if !image.tells_at_once() {
            self.reader.let_go(image);
        }
    }

    /// A transfer of an image begins. Files that several clients take in the same block size are
    /// laid out in frames, a moment later. Never waits.
    pub fn note_transfer(&self, image: &Arc<Image>, blksize: u16) {
        self.framer.note_transfer(image, blksize);
    }
}
