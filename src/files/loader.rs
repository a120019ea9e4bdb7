//! The threads that open files for the shards: one for what the kernel remembers, others for the rest.
//! They never make a shard wait: a full queue is the asker's answer.

use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::hash::DefaultHasher;
use std::io;
use std::mem;
use std::sync::Arc;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::catalog::Catalog;
use super::copy::Budget;
use super::error::OpenError;
use super::finder::{Finder, Found, Wish, without_end_mark};
use super::image::Image;
use super::lanes::{Bounds, Lanes};
use super::pool::Pool;
use super::quick;
use super::reader::{Fetch, Reader};
use super::storage::Known;
use super::upload::News;
use crate::clock;
use crate::endpoint::Ticket;
use crate::limits::{
    FRAMER_QUEUE, FRAMER_THREADS, KEPT_IDLE, LOADER_BATCH, LOADER_BATCH_FILES, LOADER_QUEUE,
    NAME_MAX, OPENER_THREADS, OPENERS_EACH,
};
use crate::names::{Choice, Operation, Trace, Verdict};
use crate::transfer::Nanos;
use crate::wire::Mode;
use crate::wire::options::Options;

/// A file that a transfer waits for.
#[derive(Debug)]
pub struct Job {
    shard: usize,
    ticket: Ticket,
    name: Box<[u8]>,
    netascii: bool,
    client: IpAddr,
    local: Option<IpAddr>,
    options: Box<[u8]>,
    /// The rules that were in force when the request came: it is answered by no others.
    finder: Arc<Finder>,
}

impl Job {
    /// `shard` is the place of the asker's [`Deliver`]. A mode that is not netascii means octet.
    /// `finder` says which file the name means.
    #[must_use]
    pub fn new(
        shard: usize,
        ticket: Ticket,
        name: &[u8],
        mode: Mode,
        finder: &Arc<Finder>,
    ) -> Self {
        // One byte more than allowed is refused as surely as sixty thousand more, and waits in
        // less memory.
        let name = &name[..name.len().min(NAME_MAX + 1)];
        Self {
            shard,
            ticket,
            name: name.into(),
            netascii: mode == Mode::Netascii,
            client: Ipv4Addr::UNSPECIFIED.into(),
            local: None,
            options: Box::default(),
            finder: Arc::clone(finder),
        }
    }

    /// Who asks, and which address of ours they asked.
    #[must_use]
    pub const fn between(mut self, client: IpAddr, local: Option<IpAddr>) -> Self {
        self.client = client;
        self.local = local;
        self
    }

    /// The request's options, where the naming policy looks at them.
    #[must_use]
    pub fn options(mut self, options: Options<'_>) -> Self {
        self.options = options.as_bytes().into();
        self
    }

    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            name: &self.name,
            operation: Operation::Read,
            client: self.client,
            local: self.local,
            mac: None,
            options: Options::new(&self.options),
        }
    }

    fn without_end_mark(mut self) -> Result<Self, Self> {
        match without_end_mark(&self.name) {
            Some(name) => {
                self.name = name.into();
                Ok(self)
            }
            None => Err(self),
        }
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

    /// Tells that what this transfer waited for is in memory, as far as it can be; and, if that was
    /// asked, whether the file is still the same.
    fn loaded(&self, ticket: Ticket, unchanged: Option<bool>);

    /// Tells of an upload.
    fn upload(&self, news: News) {
        let _ = news;
    }

    /// Tells the shard to look. Comes once after a number of answers.
    fn wake(&self);
}

/// The running threads: some open files, others bring their content into memory or lay it out in
/// frames. Dropping it answers what was asked, as far as storages do not hang, then ends them.
#[derive(Debug)]
pub struct Loader {
    opener: Pool<Job>,
    reader: Reader,
    framer: Lanes<Frame>,
    requests: Arc<AtomicU64>,
}

/// A file to be laid out in frames.
#[derive(Debug)]
struct Frame {
    image: Arc<Image>,
    blksize: u16,
}

impl Loader {
    /// Starts the threads; `shards` are the receivers of answers by number, `frame_memory` the bytes
    /// for files laid out in frames.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(shards: Vec<Arc<dyn Deliver>>, frame_memory: u64) -> io::Result<Self> {
        let shards: Arc<[_]> = shards.into();
        let opener = Opener::start(Arc::clone(&shards))?;
        let budget = Arc::new(Budget::new(frame_memory));
        let bounds = Bounds {
            threads: FRAMER_THREADS,
            each: 1,
            room: FRAMER_QUEUE,
        };
        let frame = move |Frame { image, blksize }| image.frame(blksize, &budget);
        let open = move |jobs: &Receiver<Job>| opener.run(jobs);
        Ok(Self {
            opener: Pool::start("ringboot-files", 1, LOADER_QUEUE, open)?,
            reader: Reader::start(shards)?,
            framer: Lanes::start("ringboot-frames", bounds, frame)?,
            requests: Arc::default(),
        })
    }

    /// How many files were asked for, counted on.
    #[must_use]
    pub fn requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
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

    /// A transfer of an image begins. Files that several clients take in the same block size are
    /// laid out in frames, a moment later. Never waits.
    pub fn note_transfer(&self, image: &Arc<Image>, blksize: u16) {
        if image.note_transfer(blksize) {
            let image = Arc::clone(image);
            // A file that finds no room goes without frames.
            let _ = self.framer.submit(image.lane(), Frame { image, blksize });
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

/// Takes the jobs as they come. What the kernel can answer from memory is answered at once and in
/// order; the rest goes to threads that may wait.
struct Opener {
    desk: Arc<Desk>,
    slow: Lanes<Slow>,
}

/// What the opening threads share.
struct Desk {
    catalog: Catalog,
    known: Known,
    shards: Arc<[Arc<dyn Deliver>]>,
    /// Transfers that wait for the slow threads.
    waiting: AtomicUsize,
}

/// What may take a while.
enum Slow {
    Open(Group),
    /// To close a file asks its storage, too.
    Close(Arc<Image>),
}

impl Opener {
    fn start(shards: Arc<[Arc<dyn Deliver>]>) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            catalog: Catalog::default(),
            known: Known::default(),
            shards,
            waiting: AtomicUsize::new(0),
        });
        let bounds = Bounds {
            threads: OPENER_THREADS,
            each: OPENERS_EACH,
            room: LOADER_QUEUE,
        };
        let shared = Arc::clone(&desk);
        let slow = Lanes::start("ringboot-open", bounds, move |slow| match slow {
            Slow::Open(group) => shared.open(group),
            Slow::Close(image) => drop(image),
        })?;
        Ok(Self { desk, slow })
    }

    fn run(&self, jobs: &Receiver<Job>) {
        let mut batch = Batch::default();
        while let Some(job) = self.next(jobs) {
            batch.collect(job, jobs);
            // A second round for names with an end mark, of which there is one.
            while !batch.groups.is_empty() {
                for group in mem::take(&mut batch.groups) {
                    for job in self.answer(group) {
                        batch.add(job);
                    }
                }
            }
        }
    }

    /// Waits for a job; meanwhile lets go of images that are no longer wanted.
    fn next(&self, jobs: &Receiver<Job>) -> Option<Job> {
        while self.expire() {
            match jobs.recv_timeout(KEPT_IDLE.to_duration() / 2) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        jobs.recv().ok()
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
                self.put_off(group);
                Vec::new()
            }
        }
    }

    /// Leaves a group to the slow threads, if there is room.
    fn put_off(&self, group: Group) {
        let askers = group.askers.len();
        let waiting = &self.desk.waiting;
        let room = waiting.load(Relaxed) + askers <= LOADER_QUEUE;
        let refused = if room {
            waiting.fetch_add(askers, Relaxed);
            let job = Slow::Open(group);
            match self.slow.submit_or_join(lane(&job), job, join) {
                Err(Slow::Open(group)) => {
                    waiting.fetch_sub(askers, Relaxed);
                    group
                }
                _ => return,
            }
        } else {
            group
        };
        self.desk.tell(refused, &Err(OpenError::Busy));
    }
}

impl Desk {
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

    /// Opens the group's file once for all who asked, however long that takes.
    fn open(&self, group: Group) {
        self.waiting.fetch_sub(group.askers.len(), Relaxed);
        let netascii = group.netascii;
        let result = match &group.verdict {
            Ok(choices) => {
                let found = group.finder.open(choices, &mut Trace::off());
                self.image(found, netascii)
            }
            Err(denial) => Err(OpenError::Refused(Arc::clone(denial))),
        };
        for job in self.tell(group, &result) {
            // Old boot ROMs that end a name with 0xff are few.
            let found = job.finder.find(&job.wish(), &mut Trace::off());
            let result = self.image(found, netascii);
            self.tell_all(vec![job], &result);
        }
    }

    fn image(
        &self,
        found: Result<Found, OpenError>,
        netascii: bool,
    ) -> Result<Arc<Image>, OpenError> {
        match found? {
            Found::File { file, .. } => {
                self.known.learn(&file);
                self.catalog.open(file, netascii, clock::now())
            }
            Found::Made(content) => self.catalog.make(&content, netascii),
        }
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

/// The directory that is named first stands for the storage: it is not known before the name is
/// resolved.
fn lane(slow: &Slow) -> u64 {
    match slow {
        Slow::Open(group) => {
            let mut hasher = DefaultHasher::new();
            if let Ok(choices) = &group.verdict
                && let Some(Choice::File(target)) = choices.first()
            {
                let mut parts = target.name.split(|&byte| byte == b'/' || byte == b'\\');
                let first = parts.find(|part| !part.is_empty());
                let directory = first.filter(|_| parts.any(|part| !part.is_empty()));
                (target.root.0, directory).hash(&mut hasher);
            }
            hasher.finish()
        }
        Slow::Close(image) => image.lane(),
    }
}

/// Takes the askers of the same file into a group that was not begun.
fn join(waiting: &mut Slow, job: Slow) -> Result<(), Slow> {
    match (waiting, job) {
        (Slow::Open(group), Slow::Open(other))
            if group.is(&other.verdict, other.netascii, &other.finder) =>
        {
            group.askers.extend(other.askers);
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

/// Jobs taken together. All were asked before the first of their files is opened, so one open
/// answers each of a group as exactly as its own would. They are together by what the naming policy
/// makes of them, never by the name that they asked for: it may mean another file to another client.
#[derive(Default)]
struct Batch {
    groups: Vec<Group>,
}

struct Group {
    verdict: Verdict,
    netascii: bool,
    /// Whose verdict it is, and whose roots it speaks of.
    finder: Arc<Finder>,
    askers: Vec<Job>,
}

impl Group {
    fn is(&self, verdict: &Verdict, netascii: bool, finder: &Arc<Finder>) -> bool {
        let alike = self.netascii == netascii && self.verdict == *verdict;
        alike && Arc::ptr_eq(&self.finder, finder)
    }
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
        let verdict = job.finder.decide(&job.wish(), &mut Trace::off());
        let same = |group: &&mut Group| group.is(&verdict, job.netascii, &job.finder);
        match self.groups.iter_mut().find(same) {
            Some(group) => group.askers.push(job),
            None => self.groups.push(Group {
                verdict,
                netascii: job.netascii,
                finder: Arc::clone(&job.finder),
                askers: vec![job],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crossbeam::channel::bounded;

    use super::*;
    use crate::files::Root;

    #[test]
    fn a_burst_for_one_file_is_one_group() {
        let (sender, jobs) = bounded(LOADER_QUEUE);
        let finder = finder();
        for slot in 0..2_000 {
            sender
                .send(job(slot, b"kernel", Mode::Octet, &finder))
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
    fn mode_name_and_rules_tell_groups_apart() {
        let mut batch = Batch::default();
        let (finder, renewed) = (finder(), finder());
        batch.add(job(1, b"a", Mode::Octet, &finder));
        batch.add(job(2, b"b", Mode::Octet, &finder));
        batch.add(job(3, b"a", Mode::Netascii, &finder));
        batch.add(job(4, b"a", Mode::Octet, &finder));
        batch.add(job(5, b"a", Mode::Octet, &renewed));
        let sizes: Vec<_> = batch
            .groups
            .iter()
            .map(|group| group.askers.len())
            .collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }

    #[test]
    fn a_batch_leaves_different_files_to_the_other_thread() {
        let (sender, jobs) = bounded(LOADER_QUEUE);
        let finder = finder();
        for slot in 0..100_u32 {
            let name = slot.to_string();
            sender
                .send(job(slot, name.as_bytes(), Mode::Octet, &finder))
                .expect("sent");
        }
        let mut batch = Batch::default();
        batch.collect(job(0, b"first", Mode::Octet, &finder), &jobs);
        assert_eq!(batch.groups.len(), LOADER_BATCH_FILES);
    }

    #[test]
    fn a_giant_name_waits_in_little_memory() {
        let job = job(0, &[b'a'; 60_000], Mode::Octet, &finder());
        assert_eq!(job.name.len(), NAME_MAX + 1);
    }

    fn finder() -> Arc<Finder> {
        let root = Arc::new(Root::open(Path::new("/")).expect("a root"));
        Arc::new(root.into())
    }

    fn job(slot: u32, name: &[u8], mode: Mode, finder: &Arc<Finder>) -> Job {
        let ticket = Ticket {
            slot,
            generation: 0,
        };
        Job::new(0, ticket, name, mode, finder)
    }
}
