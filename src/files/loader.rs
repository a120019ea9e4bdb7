//! The threads that open files for the shards.
//! It never makes a shard wait: a full queue is said at once.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::catalog::Catalog;
use super::error::OpenError;
use super::image::Image;
use super::root::Root;
use crate::clock;
use crate::endpoint::Ticket;
use crate::limits::{CATALOG_RECENT_FOR, FILE_BATCH, FILE_QUEUE, FILE_THREADS};
use crate::wire::Mode;

/// A file to open for a transfer of a shard.
#[derive(Debug)]
pub struct Job {
    pub shard: usize,
    pub ticket: Ticket,
    /// The client's name as it came.
    pub name: Box<[u8]>,
    pub mode: Mode,
}

/// The answer to a [`Job`].
#[derive(Debug)]
pub struct Opened {
    pub ticket: Ticket,
    pub result: Answer,
}

type Answer = Result<Arc<Image>, OpenError>;

/// Where a shard's answers go.
pub trait Deliver: Send + Sync {
    /// Puts an answer where the shard will find it. Does not wait.
    fn deliver(&self, opened: Opened);

    /// Tells the shard that answers lie there; once for a batch.
    fn wake(&self);
}

/// The queue to the file threads. They end when it is dropped.
#[derive(Debug)]
pub struct Loader {
    jobs: Sender<Job>,
}

impl Loader {
    /// Starts the threads; `shards` are the shards' letter boxes by number.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(root: Root, shards: Vec<Box<dyn Deliver>>) -> io::Result<Self> {
        let (jobs, queue) = bounded(FILE_QUEUE);
        let desk = Arc::new(Desk {
            catalog: Catalog::new(root),
            shards,
        });
        for _ in 0..FILE_THREADS {
            let (desk, queue) = (Arc::clone(&desk), queue.clone());
            thread::Builder::new()
                .name("ringboot-files".into())
                .spawn(move || desk.work(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Queues a job.
    ///
    /// # Errors
    /// Gives it back when the queue is full.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(TrySendError::into_inner)
    }
}

struct Desk {
    catalog: Catalog,
    shards: Vec<Box<dyn Deliver>>,
}

impl Desk {
    fn work(&self, queue: &Receiver<Job>) {
        let mut batch = Vec::with_capacity(FILE_BATCH);
        loop {
            match self.next(queue) {
                Ok(job) => batch.push(job),
                Err(RecvTimeoutError::Timeout) => {
                    self.catalog.tidy(clock::now());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(queue.try_iter().take(FILE_BATCH - 1));
            self.open_all(&mut batch);
        }
    }

    fn next(&self, queue: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        if self.catalog.needs_tidying() {
            queue.recv_timeout(CATALOG_RECENT_FOR.to_duration())
        } else {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        }
    }

    /// Opens each name of the batch once. All were asked for before, so one look at the disk
    /// answers them all as truly as one for each would.
    fn open_all(&self, batch: &mut Vec<Job>) {
        let now = clock::now();
        let mut opened: HashMap<(Box<[u8]>, Mode), Answer> = HashMap::new();
        let mut woken = vec![false; self.shards.len()];
        for job in batch.drain(..) {
            let result = opened
                .entry((job.name, job.mode))
                .or_insert_with_key(|(name, mode)| self.catalog.open(name, *mode, now))
                .clone();
            let Some(shard) = self.shards.get(job.shard) else {
                continue;
            };
            shard.deliver(Opened {
                ticket: job.ticket,
                result,
            });
            if let Some(flag) = woken.get_mut(job.shard) {
                *flag = true;
            }
        }
        for (shard, _) in self.shards.iter().zip(woken).filter(|(_, woken)| *woken) {
            shard.wake();
        }
    }
}
