//! Answers requests for files as they come: at once and in order where the kernel can tell from
//! memory, by threads that may wait where it cannot.
//! The thread that takes the requests never waits for a storage.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, TrySendError, after, bounded, never, select};

use super::batch::{Batch, Decided, Group};
use super::catalog::Catalog;
use super::error::OpenError;
use super::finder::Finder;
use super::image::Image;
use super::job::{Deliver, Job, Opened, tell};
use super::lanes::{Bounds, Lanes, lane_of, lane_of_first};
use super::quick;
use super::root::Sought;
use super::storage::{self, Known};
use super::turns::{Turn, Turns};
use crate::clock;
use crate::limits::{KEPT_IDLE, LOADER_QUEUE, OPENER_THREADS, OPENERS_EACH};
use crate::names::{Choice, Trace, Verdict};

/// Takes the jobs as they come. What the kernel can answer from memory is answered at once and in
/// order; the rest goes to threads that may wait.
pub(super) struct Opener {
    desk: Arc<Desk>,
    /// What the threads have decided. Gone before them, so that they see the end.
    decided: Receiver<Vec<Group>>,
    slow: Lanes<Slow>,
}

/// What the opening threads share.
struct Desk {
    catalog: Catalog,
    known: Known,
    turns: Turns,
    shards: Arc<[Arc<dyn Deliver>]>,
    /// Transfers that wait for the slow threads.
    waiting: AtomicUsize,
}

/// What may take a while.
enum Slow {
    /// To find out what names mean.
    Decide(u64, Vec<Job>),
    Open(Group),
    /// To close a file asks its storage, too.
    Close(Arc<Image>),
}

/// What there is to do.
enum Work {
    Asked(Job),
    Decided(Vec<Group>),
}

impl Opener {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(shards: Arc<[Arc<dyn Deliver>]>, catalog: Catalog) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            catalog,
            known: Known::default(),
            turns: Turns::default(),
            shards,
            waiting: AtomicUsize::new(0),
        });
        let bounds = Bounds {
            threads: OPENER_THREADS,
            each: OPENERS_EACH,
            room: LOADER_QUEUE,
        };
        let shared = Arc::clone(&desk);
        let (sender, decided) = bounded(LOADER_QUEUE);
        let slow = Lanes::start("ringboot-open", bounds, move |slow| match slow {
            Slow::Decide(_, jobs) => shared.decide(jobs, &sender),
            Slow::Open(group) => shared.open(group),
            Slow::Close(image) => drop(image),
        })?;
        Ok(Self {
            desk,
            decided,
            slow,
        })
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(&self, jobs: &Receiver<Job>) {
        let decide = |job: &Job| self.desk.decide_quickly(job);
        let mut batch = Batch::default();
        while let Some(work) = self.next(jobs) {
            match work {
                Work::Asked(job) => batch.collect(job, jobs, decide),
                Work::Decided(groups) => batch.groups = groups,
            }
            // A second round for names with an end mark, of which there is one.
            while !batch.is_empty() {
                for (lane, job) in mem::take(&mut batch.undecided) {
                    self.put_off(Slow::Decide(lane, vec![job]));
                }
                for group in mem::take(&mut batch.groups) {
                    for job in self.answer(group) {
                        batch.add(job, decide);
                    }
                }
            }
        }
    }

    /// Waits for something to do; meanwhile lets go of images that are no longer wanted.
    fn next(&self, jobs: &Receiver<Job>) -> Option<Work> {
        loop {
            let pause = KEPT_IDLE.to_duration() / 2;
            let tick = if self.expire() { after(pause) } else { never() };
            select! {
                recv(self.decided) -> groups => return groups.ok().map(Work::Decided),
                recv(jobs) -> job => return job.ok().map(Work::Asked),
                recv(tick) -> _ => {}
            }
        }
    }

    fn expire(&self) -> bool {
        let (dropped, any) = self.desk.catalog.expire(clock::now());
        for image in dropped.into_iter().filter(|image| !image.tells_at_once()) {
            // Where there is no room it is closed here.
            let _ = self.slow.submit(image.lane(), Slow::Close(image));
        }
        any
    }

    /// Answers a group from memory, or leaves it to the slow threads. Hands back those who are to be
    /// tried with a shorter name.
    fn answer(&self, group: Group) -> Vec<Job> {
        match self.desk.open_quickly(&group) {
            Some(result) => self.desk.tell(group, &result),
            None => {
                self.put_off(Slow::Open(group));
                Vec::new()
            }
        }
    }

    /// Leaves it to the slow threads, if there is room.
    fn put_off(&self, slow: Slow) {
        let askers = slow.askers();
        let waiting = &self.desk.waiting;
        let room = waiting.load(Relaxed) + askers <= LOADER_QUEUE;
        let refused = if room {
            waiting.fetch_add(askers, Relaxed);
            match self.slow.submit_or_join(slow.lane(), slow, join) {
                Ok(()) => return,
                Err(slow) => {
                    waiting.fetch_sub(askers, Relaxed);
                    slow
                }
            }
        } else {
            slow
        };
        let jobs = match refused {
            Slow::Decide(_, jobs) => jobs,
            Slow::Open(group) => group.askers,
            Slow::Close(_) => return,
        };
        self.desk.tell_all(jobs, &Err(OpenError::Busy));
    }
}

impl Desk {
    /// What a name means, as far as that needs no storage that may hang; else where to wait for it.
    fn decide_quickly(&self, job: &Job) -> Decided {
        job.finder
            .decide_quickly(&job.wish(), &self.known)
            .map_err(|unsure| lane_of(unsure.root, &unsure.name))
    }

    /// Finds out what names mean, however long that takes, and hands on what is to be opened.
    fn decide(&self, jobs: Vec<Job>, decided: &Sender<Vec<Group>>) {
        self.waiting.fetch_sub(jobs.len(), Relaxed);
        let mut batch = Batch::default();
        for job in jobs {
            batch.add(job, |job| {
                Ok(job.finder.decide(&job.wish(), &mut Trace::off()))
            });
        }
        match decided.try_send(batch.groups) {
            Ok(()) => {}
            // The end, or more than anybody could wait for.
            Err(TrySendError::Full(groups) | TrySendError::Disconnected(groups)) => {
                for group in groups {
                    self.open_for(group);
                }
            }
        }
    }

    /// The answer as far as it needs no storage that may hang.
    fn open_quickly(&self, group: &Group) -> Option<Result<Arc<Image>, OpenError>> {
        let choices = match &group.verdict {
            Ok(choices) => choices,
            Err(denial) => return Some(Err(OpenError::Refused(Arc::clone(denial)))),
        };
        if let Some(Choice::Virtual(content)) = choices.first() {
            return Some(self.catalog.make(content, group.netascii));
        }
        let (root, path) = match group.finder.exact(choices)? {
            Ok(exact) => exact,
            Err(error) => return Some(Err(error)),
        };
        let files = (root, &self.catalog, &self.known);
        quick::open(files, &path, group.netascii, clock::now())
    }

    fn open(&self, group: Group) {
        self.waiting.fetch_sub(group.askers.len(), Relaxed);
        self.open_for(group);
    }

    /// Opens the group's file once for all who asked, however long that takes.
    fn open_for(&self, group: Group) {
        let result = self.image(&group.finder, &group.verdict, group.netascii);
        for job in self.tell(group, &result) {
            // Old boot ROMs that end a name with 0xff are few.
            let verdict = job.finder.decide(&job.wish(), &mut Trace::off());
            let result = self.image(&job.finder, &verdict, job.netascii);
            self.tell_all(vec![job], &result);
        }
    }

    fn image(
        &self,
        finder: &Finder,
        verdict: &Verdict,
        netascii: bool,
    ) -> Result<Arc<Image>, OpenError> {
        let denied = |denial| OpenError::Refused(Arc::clone(denial));
        let choices = verdict.as_ref().map_err(denied)?;
        // Held until the catalog has what was opened.
        let turn = RefCell::default();
        let has = |seen: &OwnedFd| self.recall(seen, netascii, &turn);
        let make = |content: &[u8]| Ok(self.catalog.make(content, netascii));
        match finder.seek(choices, &has, make)? {
            Sought::Had(image) => image,
            Sought::Opened(file) => self.catalog.open(file, netascii, clock::now()),
        }
    }

    /// The image of a file whose name was resolved, if there is one. Its file was opened in this state
    /// and with these rights, so another open would tell nothing new. Otherwise it is this thread's turn
    /// to open it.
    fn recall<'a>(
        &'a self,
        seen: &OwnedFd,
        netascii: bool,
        turn: &RefCell<Option<Turn<'a>>>,
    ) -> Option<Result<Arc<Image>, OpenError>> {
        // Not behind an open: between that and the catalog there is no time for questions.
        self.known.learn(seen);
        let identity = storage::ask(seen).ok()?;
        let recall = || self.catalog.recall(&identity, netascii, clock::now());
        recall().or_else(|| {
            drop(turn.take());
            turn.replace(Some(self.turns.take(identity.inode)));
            recall()
        })
    }

    /// Tells all who asked, but for those whose name may be tried without its end mark: they are
    /// handed back.
    fn tell(&self, group: Group, result: &Result<Arc<Image>, OpenError>) -> Vec<Job> {
        let (mut again, mut askers) = (Vec::new(), group.askers);
        if matches!(result, Err(OpenError::NotFound)) {
            let shorter = askers.into_iter().map(Job::without_end_mark);
            (again, askers) = partition(shorter);
        }
        self.tell_all(askers, result);
        again
    }

    /// Tells these, and wakes each shard once.
    fn tell_all(&self, askers: Vec<Job>, result: &Result<Arc<Image>, OpenError>) {
        let letters = askers.into_iter().map(|job| (job.shard, job.ticket));
        tell(&self.shards, letters, |shard, ticket| {
            let result = result.clone();
            shard.deliver(Opened { ticket, result });
        });
    }
}

impl Slow {
    const fn askers(&self) -> usize {
        match self {
            Self::Decide(_, jobs) => jobs.len(),
            Self::Open(group) => group.askers.len(),
            Self::Close(_) => 0,
        }
    }

    fn lane(&self) -> u64 {
        match self {
            Self::Decide(lane, _) => *lane,
            Self::Open(group) => lane_of_first(&group.verdict),
            Self::Close(image) => image.lane(),
        }
    }
}

/// Takes the askers of the same into what was not begun.
fn join(waiting: &mut Slow, job: Slow) -> Result<(), Slow> {
    match (waiting, job) {
        (Slow::Open(group), Slow::Open(other))
            if group.is(&other.verdict, other.netascii, &other.finder) =>
        {
            group.askers.extend(other.askers);
            Ok(())
        }
        (Slow::Decide(_, jobs), Slow::Decide(_, others)) => {
            jobs.extend(others);
            Ok(())
        }
        (_, job) => Err(job),
    }
}

fn partition<T>(results: impl Iterator<Item = Result<T, T>>) -> (Vec<T>, Vec<T>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => good.push(one),
            Err(one) => bad.push(one),
        }
    }
    (good, bad)
}
