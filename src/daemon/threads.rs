//! Starts and joins the threads: file threads, shards, the log.
//! It never lets one die unnoticed: a server that is half dead is worse than one that is gone.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::panic;
use std::process;
use std::sync::Arc;
use std::thread::{self, Builder};

use crossbeam::channel::{Receiver, Sender, bounded};

use super::{News, Options, ServeError, cores, precedence};
use crate::endpoint::{Guard, Keyed};
use crate::files::upload::{self, Finisher, Uploads};
use crate::files::{Deliver, Finder, FrameMemory, Loader};
use crate::limits::{LOG_LAST_WORDS, UPLOAD_MEMORY};
use crate::observe::health::Health;
use crate::observe::lines;
use crate::observe::live::{self, Eye, Lens};
use crate::observe::metrics::BackendInfo;
use crate::observe::record::{Record, RecordSender, record_queue};
use crate::observe::reloads::Reloads;
use crate::observe::stats::Stats;
use crate::shard::{
    Address, Intake, Interleave, IoChoice, Mailbox, Orders, Outbox, Outside, Settings, Sockets,
    Terms, Worker, ZeroCopy, mailbox, open,
};

/// What came up, for the ready line.
#[derive(Debug)]
pub struct Started {
    /// The backends' names; more than one where the shards differ.
    pub io: String,
    pub shards: usize,
    /// By shard.
    pub backends: Vec<BackendInfo>,
}

/// The threads of a running server.
pub struct Crew {
    pub started: Started,
    pub log: RecordSender,
    pub health: Arc<Health>,
    pub reloads: Arc<Reloads>,
    pub frames: Arc<FrameMemory>,
    /// Where the shards show their transfers; for the one who watches.
    pub eyes: Vec<Eye>,
    /// Requests that have ended, where somebody is to watch.
    pub ended: Option<Receiver<Record>>,
    pub addresses: Vec<Address>,
    requests: Arc<AtomicU64>,
    /// Hangs up when the log has written its last line.
    log_ended: Receiver<()>,
}

/// A panic in any thread ends the process with a core dump and a non-zero status.
pub fn die_with_any_thread() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // The report waits for a log that nobody reads; the end does not.
        let _ = Builder::new().spawn(|| {
            thread::sleep(LOG_LAST_WORDS.to_duration());
            process::abort();
        });
        report(info);
        process::abort();
    }));
}

impl Crew {
    /// Starts everything and returns once every shard can serve.
    pub fn start(
        options: &Options,
        terms: &Terms,
        sockets: Vec<Sockets>,
        cores: &[usize],
        orders: &Orders,
        news: &Sender<News>,
        finisher: Option<Finisher>,
    ) -> Result<Self, ServeError> {
        let (records, log_queue) = record_queue();
        let (records, ended) = match options.admin {
            Some(_) => {
                let (records, ended) = records.also_to_farm();
                (records, Some(ended))
            }
            None => (records, None),
        };
        let (log_running, log_ended) = bounded(0);
        spawn("ringboot-log", move || {
            lines::write_records(&log_queue);
            drop::<Sender<()>>(log_running);
        })?;
        let mut addresses = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in &sockets {
            let (address, mailbox) = mailbox(orders.clone())
                .map_err(|error| ServeError::System("make an eventfd", error))?;
            addresses.push(address);
            mailboxes.push(mailbox);
        }
        let deliveries = deliveries(&addresses);
        let uploads = uploads(options, &terms.finder, &addresses, finisher)?;
        let loader = Loader::start(deliveries, options.frame_memory)
            .map_err(|error| ServeError::System("start the file threads", error))?;
        let (requests, frames) = (loader.requests(), loader.frame_memory());
        let loader = Arc::new(loader);

        let count = sockets.len();
        let stats: Vec<Arc<Stats>> = sockets.iter().map(|_| Arc::default()).collect();
        let (ready, readiness) = bounded(count);
        let mut eyes = Vec::new();
        for (shard, (sockets, mailbox)) in sockets.into_iter().zip(mailboxes).enumerate() {
            let (lens, eye) = live::line();
            eyes.push(eye);
            let berth = Berth {
                core: core_for(shard, count, cores),
                io: options.io,
                zero_copy: options.zero_copy,
                settings: Settings {
                    shard,
                    shards: count,
                    ..options.settings
                },
                sockets,
                mailbox,
                shards: addresses.clone(),
                loader: Arc::clone(&loader),
                uploads: uploads.clone(),
                upload: terms.upload.clone().unwrap_or_default(),
                records: records.clone(),
                finder: Arc::clone(&terms.finder),
                guard: Arc::clone(&terms.guard),
                stats: stats.get(shard).cloned().unwrap_or_default(),
                lens,
            };
            let (ready, news) = (ready.clone(), news.clone());
            spawn(&format!("ringboot-{shard}"), move || {
                berth.run(&ready, &news);
            })?;
        }
        Ok(Self {
            started: await_all(&readiness, count)?,
            log: records,
            health: Arc::new(Health::new(stats)),
            reloads: Arc::default(),
            frames,
            eyes,
            ended,
            addresses,
            requests,
            log_ended,
        })
    }

    /// Files that were asked for since the start.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub fn wake_all(&self) {
        for address in &self.addresses {
            address.wake();
        }
    }

    /// Waits for the last line of the log, if anybody reads it.
    pub fn finish(self) {
        // The shards have hung up already, so the log ends with its queue.
        drop(self.log);
        let _ = self.log_ended.recv_timeout(LOG_LAST_WORDS.to_duration());
    }
}

/// A shard runs alone on its core when there are no more shards than cores.
fn core_for(shard: usize, shards: usize, cores: &[usize]) -> Option<usize> {
    (shards <= cores.len())
        .then(|| cores.get(shard).copied())
        .flatten()
}

/// A shard's backend, and why it is not io_uring where that was wanted.
struct Chosen {
    shard: usize,
    io: &'static str,
    fallback: Option<String>,
}

fn await_all(
    readiness: &Receiver<Result<Chosen, String>>,
    shards: usize,
) -> Result<Started, ServeError> {
    let mut chosen = Vec::new();
    for _ in 0..shards {
        chosen.push(match readiness.recv() {
            Ok(Ok(one)) => one,
            Ok(Err(reason)) => return Err(ServeError::Backend(reason)),
            Err(_) => return Err(ServeError::Backend("a shard ended before it began".into())),
        });
    }
    chosen.sort_unstable_by_key(|one| one.shard);
    explain(&chosen);
    let backends = chosen.iter().map(|one| BackendInfo {
        name: one.io,
        why: one.fallback.clone().unwrap_or_default(),
    });
    let backends = backends.collect();
    let mut io: Vec<&str> = chosen.iter().map(|one| one.io).collect();
    io.sort_unstable();
    io.dedup();
    let io = io.join("+");
    Ok(Started {
        io,
        shards,
        backends,
    })
}

/// Shards share the user's limit of locked memory, so it may grant a ring to some of them only.
fn explain(chosen: &[Chosen]) {
    let reasons: Vec<&String> = chosen
        .iter()
        .filter_map(|one| one.fallback.as_ref())
        .collect();
    let (count, shards) = (reasons.len(), chosen.len());
    match reasons.first() {
        Some(why) if count == shards => tracing::warn!("io=epoll, because {why}"),
        Some(why) => tracing::warn!("io=epoll in {count} of {shards} shards, because {why}"),
        None => {}
    }
}

/// All that one shard's thread takes with it.
struct Berth {
    core: Option<usize>,
    io: IoChoice,
    zero_copy: ZeroCopy,
    settings: Settings,
    sockets: Sockets,
    mailbox: Mailbox,
    shards: Vec<Address>,
    loader: Arc<Loader>,
    uploads: Option<Arc<Uploads>>,
    upload: Arc<upload::Policy>,
    records: RecordSender,
    finder: Arc<Finder>,
    guard: Arc<Guard<Keyed>>,
    stats: Arc<Stats>,
    lens: Lens,
}

impl Berth {
    fn run(self, ready: &Sender<Result<Chosen, String>>, news: &Sender<News>) {
        precedence::take();
        if let Some(core) = self.core
            && let Err(error) = cores::pin(core)
        {
            tracing::warn!(
                "cannot keep shard {} on core {core}: {error}",
                self.settings.shard
            );
        }
        let layout = self.sockets.layout().clone();
        let waker = self.mailbox.waker.clone();
        let mut opened = match open(self.io, self.zero_copy, self.sockets, waker) {
            Ok(opened) => opened,
            Err(reason) => {
                let _ = ready.send(Err(reason));
                return;
            }
        };
        let worker = Worker {
            mailbox: self.mailbox,
            shards: self.shards,
            outside: Outside {
                bound: layout.bound_to(),
                shard: self.settings.shard,
                outbox: Outbox::default(),
                loader: self.loader,
                finder: self.finder,
                intake: self.uploads.map_or_else(Intake::closed, |uploads| {
                    let memory = UPLOAD_MEMORY / self.settings.shards.max(1);
                    Intake::new(uploads, self.upload, self.settings.shard, memory)
                }),
                records: self.records,
                verdict: None,
                interleave: Interleave::default(),
                stats: self.stats,
            },
            sockets: layout,
            lens: self.lens,
            guard: self.guard,
            settings: self.settings,
        };
        let _ = ready.send(Ok(Chosen {
            shard: worker.settings.shard,
            io: opened.backend.name(),
            fallback: opened.fallback.take(),
        }));
        let result = worker.run(opened.backend.as_mut());
        drop(opened);
        let _ = news.send(News::ShardEnded(result));
    }
}

fn deliveries(addresses: &[Address]) -> Vec<Arc<dyn Deliver>> {
    let deliver = |address: &Address| Arc::new(address.clone()) as Arc<dyn Deliver>;
    addresses.iter().map(deliver).collect()
}

/// Starts the upload threads, where uploads are allowed. They write by io_uring if the shards may.
fn uploads(
    options: &Options,
    finder: &Arc<Finder>,
    addresses: &[Address],
    finisher: Option<Finisher>,
) -> Result<Option<Arc<Uploads>>, ServeError> {
    let Some(policy) = &options.upload else {
        return Ok(None);
    };
    let ring = options.io != IoChoice::Epoll;
    let uploads = Uploads::start(policy, finder, deliveries(addresses), ring, finisher);
    let uploads = uploads.map_err(ServeError::Uploads)?;
    if let Some(why) = &uploads.fallback {
        tracing::warn!("uploads are written by plain system calls, because of io_uring: {why}");
    }
    if uploads.swept > 0 {
        let swept = uploads.swept;
        tracing::info!("deleted {swept} temporary files that unfinished uploads had left");
    }
    Ok(Some(Arc::new(uploads)))
}

pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), ServeError> {
    let thread = Builder::new().name(name.into()).spawn(body);
    thread
        .map(drop)
        .map_err(|error| ServeError::System("start a thread", error))
}
