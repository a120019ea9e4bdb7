//! A few threads behind a bounded queue.
//! It never makes the asker wait: a full queue is the answer.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, unbounded};

/// Threads that take jobs from one queue. Dropping it lets them finish what was asked, then ends
/// them.
#[derive(Debug)]
pub(super) struct Pool<J> {
    /// Gone only while dropping.
    jobs: Option<Sender<J>>,
    /// Jobs that may wait.
    room: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static> Pool<J> {
    /// Each thread runs `work` once, which takes jobs until the queue has ended.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        name: &str,
        threads: usize,
        queue: usize,
        work: impl Fn(&Receiver<J>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        // Not `bounded`, which takes all of its memory at the start.
        let (sender, jobs) = unbounded();
        let work = Arc::new(work);
        let mut pool = Self {
            jobs: Some(sender),
            room: queue,
            threads: Vec::with_capacity(threads),
        };
        for _ in 0..threads {
            let (work, jobs) = (Arc::clone(&work), jobs.clone());
            let named = thread::Builder::new().name(name.to_owned());
            pool.threads.push(named.spawn(move || work(&jobs))?);
        }
        Ok(pool)
    }

    /// Asks and never waits. Several who ask at once may find room for one each where there is room
    /// for one.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub(super) fn submit(&self, job: J) -> Result<(), J> {
        match &self.jobs {
            Some(jobs) if jobs.len() < self.room => jobs.send(job).map_err(|error| error.0),
            _ => Err(job),
        }
    }
}

impl<J> Drop for Pool<J> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic has been told by the process's panic hook.
            let _ = thread.join();
        }
    }
}
