//! A few threads behind a bounded queue.
//! It never makes the asker wait: a full queue is the answer.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

/// Threads that take jobs from one queue. Dropping it lets them finish what was asked, then ends
/// them.
#[derive(Debug)]
pub(super) struct Pool<J> {
    /// Gone only while dropping.
    jobs: Option<Sender<J>>,
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
        let (sender, jobs) = bounded(queue);
        let work = Arc::new(work);
        let mut pool = Self {
            jobs: Some(sender),
            threads: Vec::with_capacity(threads),
        };
        for _ in 0..threads {
            let (work, jobs) = (Arc::clone(&work), jobs.clone());
            let named = thread::Builder::new().name(name.to_owned());
            pool.threads.push(named.spawn(move || work(&jobs))?);
        }
        Ok(pool)
    }

    /// Asks and never waits.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub(super) fn submit(&self, job: J) -> Result<(), J> {
        match &self.jobs {
            Some(jobs) => jobs.try_send(job).map_err(TrySendError::into_inner),
            None => Err(job),
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
