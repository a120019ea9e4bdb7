//! The threads that open files for the shards.
//! They never make a shard wait: a full queue is the asker's answer.

use core::ops::Range;
use std::io;
use std::sync::Arc;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::catalog::Catalog;
use super::copy::Budget;
use super::error::OpenError;
use super::image::Image;
use super::pool::Pool;
use super::reader::{Fetch, Reader};
use super::root::Root;
use crate::clock;
use crate::endpoint::Ticket;
use crate::limits::{
    FRAMER_QUEUE, KEPT_IDLE, LOADER_BATCH, LOADER_BATCH_FILES, LOADER_QUEUE, LOADER_THREADS,
    NAME_MAX,
};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// A file that a transfer waits for.
#[derive(Debug)]
pub struct Job {
    shard: usize,
    ticket: Ticket,
    name: Box<[u8]>,
    netascii: bool,
}

impl Job {
    /// `shard` is the place of the asker's [`Deliver`]. A mode that is not netascii means octet.
    #[must_use]
    pub fn new(shard: usize, ticket: Ticket, name: &[u8], mode: Mode) -> Self {
        // One byte more than allowed is refused as surely as sixty thousand more, and waits in
        // less memory.
        let name = &name[..name.len().min(NAME_MAX + 1)];
        Self {
            shard,
            ticket,
            name: name.into(),
            netascii: mode == Mode::Netascii,
        }
    }

    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }
}

/// The answer to a [`Job`].
#[derive(Debug)]
pub struct Opened {
    pub ticket: Ticket,
    pub result: Result<Arc<Image>, OpenError>,
}

/// Where a shard takes its answers.
pub trait Deliver: Send + Sync {
    /// Puts an answer where the shard will find it.
    fn deliver(&self, opened: Opened);

    /// Tells that what this transfer waited for is in memory, as far as it can be.
    fn loaded(&self, ticket: Ticket);

    /// Tells the shard to look. Comes once after a number of answers.
    fn wake(&self);
}

/// The running threads: some open files, others bring their content into memory, one lays it out
/// in frames. Dropping it answers what was asked, then ends them.
#[derive(Debug)]
pub struct Loader {
    openers: Pool<Job>,
    reader: Reader,
    framer: Pool<Frame>,
}

/// A file to be laid out in frames.
#[derive(Debug)]
struct Frame {
    image: Arc<Image>,
    blksize: u16,
}

impl Loader {
    /// Starts the threads; `shards` are the receivers of answers by number, `frame_memory` the
    /// bytes for files laid out in frames.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        root: Arc<Root>,
        shards: Vec<Arc<dyn Deliver>>,
        frame_memory: u64,
    ) -> io::Result<Self> {
        let shards: Arc<[_]> = shards.into();
        let opener = Opener {
            root,
            catalog: Catalog::default(),
            shards: Arc::clone(&shards),
        };
        let budget = Arc::new(Budget::new(frame_memory));
        let frame = move |jobs: &Receiver<Frame>| {
            while let Ok(Frame { image, blksize }) = jobs.recv() {
                image.frame(blksize, &budget);
            }
        };
        let open = move |jobs: &Receiver<Job>| opener.run(jobs);
        Ok(Self {
            openers: Pool::start("ringboot-files", LOADER_THREADS, LOADER_QUEUE, open)?,
            reader: Reader::start(shards)?,
            framer: Pool::start("ringboot-frames", 1, FRAMER_QUEUE, frame)?,
        })
    }

    /// Asks for a file and never waits.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        self.openers.submit(job)
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
                waiter: (!demand.ready).then_some(waiter),
            });
        }
        demand.ready
    }

    /// A transfer of an image begins. Files that several clients take in the same block size are
    /// laid out in frames, a moment later. Never waits.
    pub fn note_transfer(&self, image: &Arc<Image>, blksize: u16) {
        if image.note_transfer(blksize) {
            let image = Arc::clone(image);
            // A file that finds no room goes without frames.
            let _ = self.framer.submit(Frame { image, blksize });
        }
    }
}

/// Gives each shard its letters, and wakes it once.
pub(super) fn tell<T>(
    shards: &[Arc<dyn Deliver>],
    letters: impl Iterator<Item = (usize, T)>,
    give: impl Fn(&dyn Deliver, T),
) {
    let mut told = vec![false; shards.len()];
    for (number, letter) in letters {
        let Some(shard) = shards.get(number) else {
            debug_assert!(false, "a letter for shard {number}, which does not exist");
            continue;
        };
        give(shard.as_ref(), letter);
        told[number] = true;
    }
    for (shard, _) in shards.iter().zip(told).filter(|(_, told)| *told) {
        shard.wake();
    }
}

struct Opener {
    root: Arc<Root>,
    catalog: Catalog,
    shards: Arc<[Arc<dyn Deliver>]>,
}

impl Opener {
    fn run(&self, jobs: &Receiver<Job>) {
        let mut batch = Batch::default();
        while let Some(job) = self.next(jobs) {
            batch.collect(job, jobs);
            for group in batch.groups.drain(..) {
                self.answer(group);
            }
        }
    }

    /// Waits for a job; meanwhile lets go of images that are no longer wanted.
    fn next(&self, jobs: &Receiver<Job>) -> Option<Job> {
        while self.catalog.expire(clock::now()) {
            match jobs.recv_timeout(KEPT_IDLE.to_duration() / 2) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        jobs.recv().ok()
    }

    /// Opens the group's file once for all who asked, tells them, and wakes each shard once.
    fn answer(&self, group: Group) {
        let result = self.open(&group);
        tell(&self.shards, group.askers.into_iter(), |shard, ticket| {
            let result = result.clone();
            shard.deliver(Opened { ticket, result });
        });
    }

    fn open(&self, group: &Group) -> Result<Arc<Image>, OpenError> {
        let file = self.root.open_named(&group.name)?;
        self.catalog.open(file, group.netascii, clock::now())
    }
}

/// Jobs taken together. All were asked before the first of their files is opened, so one open
/// answers each of a group as exactly as its own would.
#[derive(Default)]
struct Batch {
    groups: Vec<Group>,
}

struct Group {
    name: Box<[u8]>,
    netascii: bool,
    askers: Vec<(usize, Ticket)>,
}

impl Batch {
    fn collect(&mut self, first: Job, more: &Receiver<Job>) {
        self.add(first);
        for _ in 1..LOADER_BATCH {
            if self.groups.len() >= LOADER_BATCH_FILES {
                break;
            }
            match more.try_recv() {
                Ok(job) => self.add(job),
                Err(_) => break,
            }
        }
    }

    fn add(&mut self, job: Job) {
        let asker = (job.shard, job.ticket);
        let same = |group: &&mut Group| group.netascii == job.netascii && group.name == job.name;
        match self.groups.iter_mut().find(same) {
            Some(group) => group.askers.push(asker),
            None => self.groups.push(Group {
                name: job.name,
                netascii: job.netascii,
                askers: vec![asker],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::bounded;

    use super::*;

    #[test]
    fn a_burst_for_one_file_is_one_group() {
        let (sender, jobs) = bounded(LOADER_QUEUE);
        for slot in 0..2_000 {
            sender
                .send(job(slot, b"kernel", Mode::Octet))
                .expect("sent");
        }
        let mut opens = 0;
        while let Ok(first) = jobs.try_recv() {
            let mut batch = Batch::default();
            batch.collect(first, &jobs);
            opens += batch.groups.len();
        }
        assert_eq!(opens, 2_000_usize.div_ceil(LOADER_BATCH));
    }

    #[test]
    fn mode_and_name_tell_groups_apart() {
        let mut batch = Batch::default();
        batch.add(job(1, b"a", Mode::Octet));
        batch.add(job(2, b"b", Mode::Octet));
        batch.add(job(3, b"a", Mode::Netascii));
        batch.add(job(4, b"a", Mode::Octet));
        let sizes: Vec<_> = batch
            .groups
            .iter()
            .map(|group| group.askers.len())
            .collect();
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn a_batch_leaves_different_files_to_the_other_thread() {
        let (sender, jobs) = bounded(LOADER_QUEUE);
        for slot in 0..100_u32 {
            let name = slot.to_string();
            sender
                .send(job(slot, name.as_bytes(), Mode::Octet))
                .expect("sent");
        }
        let mut batch = Batch::default();
        batch.collect(job(0, b"first", Mode::Octet), &jobs);
        assert_eq!(batch.groups.len(), LOADER_BATCH_FILES);
    }

    #[test]
    fn a_giant_name_waits_in_little_memory() {
        let job = job(0, &[b'a'; 60_000], Mode::Octet);
        assert_eq!(job.name.len(), NAME_MAX + 1);
    }

    fn job(slot: u32, name: &[u8], mode: Mode) -> Job {
        let ticket = Ticket {
            slot,
            generation: 0,
        };
        Job::new(0, ticket, name, mode)
    }
}
