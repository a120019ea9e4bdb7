//! Uploads on a few threads that block: where io_uring is refused.
//! They never share an upload: each has those whose number leads to it.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossbeam::channel::Receiver;

use super::clerk::{Case, Clerk};
use super::disk::Blocking;
use super::job::{Job, Key, Task};
use super::place::Place;
use crate::files::Deliver;
use crate::files::pool::Pool;
use crate::limits::{UPLOAD_QUEUE, UPLOAD_THREADS};

#[derive(Debug)]
pub(super) struct Threads {
    lanes: Vec<Pool<Job>>,
}

impl Threads {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(place: &Arc<Place>, shards: &Arc<[Arc<dyn Deliver>]>) -> io::Result<Self> {
        let lane = |_| {
            let clerk = Clerk {
                place: Arc::clone(place),
                shards: Arc::clone(shards),
                disk: Blocking,
            };
            let work = move |jobs: &Receiver<Job>| run(&clerk, jobs);
            Pool::start("ringboot-upload", 1, UPLOAD_QUEUE, work)
        };
        let lanes = (0..UPLOAD_THREADS).map(lane).collect::<io::Result<_>>()?;
        Ok(Self { lanes })
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), Job> {
        // All jobs of an upload go one way, so they stay in order.
        let lane = job.key.ticket.slot as usize % self.lanes.len().max(1);
        match self.lanes.get(lane) {
            Some(lane) => lane.submit(job),
            None => Err(job),
        }
    }
}

fn run(clerk: &Clerk<Blocking>, jobs: &Receiver<Job>) {
    let mut cases = HashMap::new();
    while let Ok(job) = jobs.recv() {
        finish(work(clerk, &mut cases, job));
    }
}

async fn work(
    clerk: &Clerk<Blocking>,
    cases: &mut HashMap<Key, Case<Blocking>>,
    Job { key, task }: Job,
) {
    match task {
        Task::Create(wish, seat) => {
            if let Some(case) = clerk.create(key, wish, seat).await {
                cases.insert(key, case);
            }
        }
        Task::Write(bytes) => clerk.write(key, cases.get_mut(&key), bytes).await,
        Task::Commit => {
            if let Some(case) = cases.remove(&key) {
                clerk.commit(key, case).await;
            }
        }
        Task::Discard => {
            if let Some(case) = cases.remove(&key) {
                clerk.discard(case).await;
            }
        }
    }
}

/// Runs what never waits but by blocking.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
