//! Threads for work that a storage may hold up: more of them on demand, few for each storage.
//! They never make the asker wait, and no lane takes the threads of all others.

use core::hash::{Hash, Hasher};
use std::collections::{HashMap, VecDeque};
use std::hash::DefaultHasher;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::limits::{IDLE_THREAD, LANES_KEPT, LANES_LAST_WORDS};
use crate::names::{Choice, RootId, Verdict};

/// Bounds of one group of threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Threads in all.
    pub(super) threads: usize,
    /// Threads that one lane may hold up.
    pub(super) each: usize,
    /// Jobs that may wait.
    pub(super) room: usize,
}

/// Jobs in lanes. Those of one lane begin in order, as few at a time as a lane is allowed; lanes
/// take turns. Dropping it lets the threads finish what was asked, but waits for them only so long:
/// a storage that hangs must not keep the server from ending.
pub(super) struct Lanes<J> {
    shared: Arc<Shared<J>>,
}

struct Shared<J> {
    name: &'static str,
    bounds: Bounds,
    work: Box<dyn Fn(J) + Send + Sync>,
    state: Mutex<State<J>>,
    /// A job may begin, or the end has come.
    job: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

struct State<J> {
    lanes: HashMap<u64, Lane<J>>,
    /// Lanes with a job that may begin, each once.
    turns: VecDeque<u64>,
    waiting: usize,
    threads: usize,
    idle: usize,
    closing: bool,
}

struct Lane<J> {
    jobs: VecDeque<J>,
    busy: usize,
    /// It stands in `turns`.
    listed: bool,
}

impl<J: Send + 'static> Lanes<J> {
    /// Starts the first thread, which starts others when there is work for them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        name: &'static str,
        bounds: Bounds,
        work: impl Fn(J) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name,
            bounds,
            work: Box::new(work),
            state: Mutex::default(),
            job: Condvar::new(),
            ended: Condvar::new(),
        });
        shared.state().threads = 1;
        shared.spawn()?;
        Ok(Self { shared })
    }

    /// Asks and never waits.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub(super) fn submit(&self, lane: u64, job: J) -> Result<(), J> {
        self.submit_or_join(lane, job, |_, job| Err(job))
    }

    /// Asks and never waits. `join` may take the job into one of the newest that wait in its lane;
    /// it hands back what does not fit there.
    ///
    /// # Errors
    /// Hands the job back when too many wait already.
    pub(super) fn submit_or_join(
        &self,
        lane: u64,
        mut job: J,
        join: impl Fn(&mut J, J) -> Result<(), J>,
    ) -> Result<(), J> {
        let mut state = self.shared.state();
        if let Some(lane) = state.lanes.get_mut(&lane) {
            for other in lane.jobs.iter_mut().rev().take(LOOK_BACK) {
                match join(other, job) {
                    Ok(()) => return Ok(()),
                    Err(back) => job = back,
                }
            }
        }
        if state.waiting >= self.shared.bounds.room {
            return Err(job);
        }
        state.add(lane, job, self.shared.bounds.each);
        drop(state);
        self.shared.job.notify_one();
        Ok(())
    }
}

/// Jobs of a lane among which one to join is looked for.
const LOOK_BACK: usize = 64;

impl<J> Drop for Lanes<J> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closing = true;
        self.shared.job.notify_all();
        let patience = LANES_LAST_WORDS.to_duration();
        let working = |state: &mut State<J>| state.threads > 0;
        drop(
            self.shared
                .ended
                .wait_timeout_while(state, patience, working),
        );
    }
}

impl<J: Send + 'static> Shared<J> {
    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let named = thread::Builder::new().name(self.name.to_owned());
        named.spawn(move || shared.run()).map(drop)
    }

    fn run(self: Arc<Self>) {
        let mut state = self.state();
        loop {
            let job;
            (state, job) = self.next(state);
            let Some((lane, job)) = job else { break };
            let another = state.needs_another(self.bounds.threads);
            drop(state);
            if another && self.spawn().is_err() {
                // Whoever runs goes on; the job after next tries again.
                self.state().threads -= 1;
            }
            (self.work)(job);
            state = self.state();
            state.done(lane, self.bounds.each);
        }
        state.threads -= 1;
        drop(state);
        self.ended.notify_all();
    }

    /// Waits for a job. `None`: this thread is not needed any more.
    fn next<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<J>>,
    ) -> (MutexGuard<'a, State<J>>, Option<(u64, J)>) {
        loop {
            if let Some(job) = state.take(self.bounds.each) {
                return (state, Some(job));
            }
            if state.closing {
                return (state, None);
            }
            state.idle += 1;
            let waited = self.job.wait_timeout(state, IDLE_THREAD.to_duration());
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.idle > 0 && state.turns.is_empty() {
                return (state, None);
            }
        }
    }
}

impl<J> Shared<J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    fn add(&mut self, number: u64, job: J, each: usize) {
        self.lanes.entry(number).or_default().jobs.push_back(job);
        self.waiting += 1;
        self.list(number, each);
    }

    fn take(&mut self, each: usize) -> Option<(u64, J)> {
        let number = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&number)?;
        lane.listed = false;
        let job = lane.jobs.pop_front()?;
        lane.busy += 1;
        self.waiting -= 1;
        self.list(number, each);
        Some((number, job))
    }

    fn done(&mut self, number: u64, each: usize) {
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.busy -= 1;
        }
        self.list(number, each);
    }

    /// Puts a lane in line if it has a job that may begin.
    fn list(&mut self, number: u64, each: usize) {
        let Some(lane) = self.lanes.get_mut(&number) else {
            return;
        };
        if lane.jobs.is_empty() {
            // Few lanes keep their memory: a shard asks without taking any.
            if lane.busy == 0 && self.lanes.len() > LANES_KEPT {
                self.lanes.remove(&number);
            }
        } else if lane.busy < each && !lane.listed {
            lane.listed = true;
            self.turns.push_back(number);
        }
    }

    /// One thread is always there for the next job, as far as the bound allows.
    const fn needs_another(&mut self, bound: usize) -> bool {
        let needed = self.idle == 0 && self.threads < bound && !self.closing;
        if needed {
            self.threads += 1;
        }
        needed
    }
}

impl<J> Default for State<J> {
    fn default() -> Self {
        Self {
            lanes: HashMap::with_capacity(LANES_KEPT),
            turns: VecDeque::with_capacity(LANES_KEPT),
            waiting: 0,
            threads: 0,
            idle: 0,
            closing: false,
        }
    }
}

impl<J> Default for Lane<J> {
    fn default() -> Self {
        Self {
            // Whatever the pace of the threads: a shard asks in the middle of packets.
            jobs: VecDeque::with_capacity(LOOK_BACK),
            busy: 0,
            listed: false,
        }
    }
}

impl<J> core::fmt::Debug for Lanes<J> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Lanes({}, {:?})", self.shared.name, self.shared.bounds)
    }
}

/// The lane of the file that a verdict names first; one for all that needs no storage.
pub(super) fn lane_of_first(verdict: &Verdict) -> u64 {
    match verdict.as_deref().map(<[Choice]>::first) {
        Ok(Some(Choice::File(target))) => lane_of(target.root, &target.name),
        _ => 0,
    }
}

/// The directory that is named first stands for the storage: it is not known before the name is
/// resolved.
pub(super) fn lane_of(root: RootId, name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut parts = name.split(|&byte| byte == b'/' || byte == b'\\');
    let first = parts.find(|part| !part.is_empty());
    let directory = first.filter(|_| parts.any(|part| !part.is_empty()));
    (root.0, directory).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::{Receiver, Sender, bounded, unbounded};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        threads: 6,
        each: 2,
        room: 20,
    };

    /// A job that is done when somebody says so.
    struct Held {
        name: &'static str,
        until: Receiver<()>,
    }

    #[test]
    fn a_lane_that_hangs_leaves_the_others_their_threads() {
        let (lanes, begun) = lanes();
        let hung: Vec<Sender<()>> = [1, 1, 1, 1, 2, 2, 2]
            .map(|lane| hold(&lanes, lane, "hung").expect("room"))
            .into();
        for _ in 0..4 {
            assert_eq!(begun.recv(), Ok("hung"), "two of each lane");
        }
        for _ in 0..10 {
            drop(hold(&lanes, 3, "quick").expect("room"));
            assert_eq!(begun.recv(), Ok("quick"));
        }
        drop(hung);
        for _ in 0..3 {
            assert_eq!(begun.recv(), Ok("hung"), "the rest of the lanes");
        }
    }

    #[test]
    fn a_full_queue_is_the_answer() {
        let (lanes, begun) = lanes();
        let running = [(); 2].map(|()| hold(&lanes, 1, "hung").expect("room"));
        running.iter().for_each(|_| assert!(begun.recv().is_ok()));
        let held: Vec<_> = (0..BOUNDS.room).map(|_| hold(&lanes, 1, "waits")).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(hold(&lanes, 1, "too many").is_none());
    }

    #[test]
    fn a_job_joins_one_that_waits_and_none_that_runs() {
        let (told, done) = unbounded();
        let (go, gate) = bounded::<()>(0);
        let lanes = Lanes::start("test", Bounds { each: 1, ..BOUNDS }, move |job: u32| {
            let _ = told.send(job);
            let _ = gate.recv();
        })
        .expect("a thread");
        let add = |sum: &mut u32, job| {
            *sum += job;
            Ok(())
        };
        lanes.submit_or_join(7, 1, add).expect("room");
        assert_eq!(done.recv(), Ok(1));
        for _ in 0..3 {
            lanes.submit_or_join(7, 10, add).expect("room");
        }
        drop(go);
        assert_eq!(done.recv(), Ok(30));
    }

    /// Otherwise a file server that is gone keeps us from ending, too.
    #[test]
    fn the_end_does_not_wait_for_what_hangs() {
        let (lanes, begun) = lanes();
        let hung = hold(&lanes, 1, "hung");
        assert!(begun.recv().is_ok());
        drop(lanes);
        assert!(hung.is_some(), "still held here");
    }

    fn lanes() -> (Lanes<Held>, Receiver<&'static str>) {
        let (told, begun) = unbounded();
        let work = move |held: Held| {
            let _ = told.send(held.name);
            let _ = held.until.recv();
        };
        (Lanes::start("test", BOUNDS, work).expect("a thread"), begun)
    }

    /// A job that is held up until the answer is dropped.
    fn hold(lanes: &Lanes<Held>, lane: u64, name: &'static str) -> Option<Sender<()>> {
        let (go, until) = bounded(0);
        lanes.submit(lane, Held { name, until }).ok().map(|()| go)
    }
}
