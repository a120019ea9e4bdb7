//! The running server: binds, starts the threads, waits for signals, ends in order.
//! It never touches a packet.

mod background;
mod cores;
mod descriptors;
mod finisher;
mod from_cli;
mod in_tftpd;
mod inherited;
mod precedence;
mod reload;
pub mod sandbox;
mod sight;
mod signals;
mod start;
mod systemd;
mod threads;
mod user;

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};

pub use from_cli::{Asking, Unclear, naming, settings, upload_policy};
pub use in_tftpd::run as in_tftpd;
pub use start::Start;
pub use user::User;

use crate::cli::ServeArgs;
use crate::clock;
use crate::config::Plan as Naming;
use crate::endpoint::{Access, Guard};
use crate::files::upload::{self, StartError};
use crate::files::{Finder, Root, RootError};
use crate::hosts::Directory;
use crate::limits::{RECEIVE_BUFFER, SEND_BUFFER};
use crate::observe::admin::{self, Admin, AdminError};
use crate::shard::{
    BindError, Buffers, IoChoice, Listen, Order, Orders, Plan, Settings, Sockets, ZeroCopy, adopt,
    bind, join, secret_hash,
};
use crate::transfer::{MAX_BLKSIZE, Nanos};
use reload::{Bounds, Reloader, Reread, Told};
use sandbox::{Grants, Lacking, Mode, Sandbox};
use systemd::Manager;
use threads::{Crew, Started};

/// What `ringboot serve` was asked to do.
#[derive(Debug)]
pub struct Options {
    /// The roots, and how a name becomes a file in them.
    pub naming: Naming,
    pub listen: Vec<Listen>,
    /// `None`: one for each core that the process may use.
    pub shards: Option<u16>,
    pub io: IoChoice,
    pub zero_copy: ZeroCopy,
    pub single_port: bool,
    /// A predecessor may still have the port.
    pub takeover: bool,
    /// Both ends included.
    pub data_ports: Option<(u16, u16)>,
    /// Bytes for files that are laid out in frames; 0: none are.
    pub frame_memory: u64,
    /// Where operators look; None: nowhere.
    pub admin: Option<admin::Plan>,
    /// How far multicast streams go.
    pub multicast_hops: u8,
    /// Who may ask, how often, and how much at a time.
    pub access: Access,
    /// What may be uploaded; None: nothing.
    pub upload: Option<upload::Policy>,
    /// What the process gives up when everything is bound.
    pub sandbox: sandbox::Settings,
    /// The part of the settings that is the same for all shards.
    pub settings: Settings,
}

/// Why the server did not start or ended early, in words for the operator.
#[derive(Debug)]
pub enum ServeError {
    Root(RootError),
    Uploads(StartError),
    Bind(BindError),
    Admin(AdminError),
    /// Starting a thread, or a system call that never fails in practice.
    System(&'static str, io::Error),
    /// Nobody knows this user.
    User(String),
    /// What `--sandbox strict` demands and the kernel does not grant.
    Sandbox(Lacking),
    /// A shard could not open its kernel interface.
    Backend(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(error) => error.fmt(f),
            Self::Uploads(error) => error.fmt(f),
            Self::Bind(error) => error.fmt(f),
            Self::Admin(error) => error.fmt(f),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
            Self::User(why) => f.write_str(why),
            Self::Sandbox(lacking) => lacking.fmt(f),
            Self::Backend(reason) => f.write_str(reason),
        }
    }
}

impl core::error::Error for ServeError {}

/// News for the thread that waits.
#[derive(Debug)]
pub(crate) enum News {
    Signal(signals::Request),
    /// SIGHUP: the terminal is gone, or an operator who is used to it wants a reload.
    Hangup,
    /// What became of reading the settings again.
    Reread(Reread),
    /// A shard ended; with an error, the server ends too.
    ShardEnded(io::Result<()>),
}

/// Serves until SIGTERM or SIGINT, then drains. SIGHUP reads again what the flags name.
///
/// # Errors
/// When the server cannot start, or a shard's kernel interface stops working.
pub fn serve(args: &ServeArgs, asking: &Asking) -> Result<(), ServeError> {
    let file = asking.settings.config.file.clone();
    let inherited = inherited::from_systemd()
        .map_err(|error| ServeError::System("use the sockets that systemd passed", error))?;
    let start = Start {
        inherited,
        reread: Some(Box::new((args.clone(), file))),
        ..Start::default()
    };
    serve_from(&asking.options, start)
}

/// The same, from another start.
///
/// # Errors
/// As [`serve`], and when the start itself fails.
pub fn serve_from(options: &Options, start: Start) -> Result<(), ServeError> {
    threads::die_with_any_thread();
    precedence::give();
    descriptors::use_all();
    let finder = finder(&options.naming).map_err(ServeError::Root)?;
    warn_of_blind_acks(options);
    let cores = cores::usable();
    let mut sockets = sockets(options, start.inherited, &cores).map_err(ServeError::Bind)?;
    let shards = u16::try_from(sockets.len()).unwrap_or(u16::MAX);
    for shard in &sockets {
        shard
            .set_multicast_hops(options.multicast_hops)
            .map_err(|error| ServeError::System("set the hop limit of multicast", error))?;
    }
    if options.upload.is_some() {
        let blksize = options.settings.max_blksize.unwrap_or(MAX_BLKSIZE);
        sockets
            .iter_mut()
            .for_each(|shard| shard.expect_data(blksize));
    }
    let admin = options.admin.as_ref().map(Admin::bind).transpose();
    let admin = admin.map_err(ServeError::Admin)?;
    let listening = listening(&sockets);
    warn_of_small_buffers(&sockets);

    if let Some(settle) = start.settle {
        settle().map_err(|error| ServeError::System("settle", error))?;
    }
    let mode = options.sandbox.mode;
    let user = user(options.sandbox.user.as_deref())?;
    let in_place = options.upload.as_ref().and_then(|policy| policy.in_tftpd);
    let finisher = in_place.map(|_| finisher::start(mode, user.as_ref()));
    let finisher = finisher.transpose();
    let finisher =
        finisher.map_err(|error| ServeError::System("start the finisher of uploads", error))?;
    let sandbox = Sandbox::enter(mode, user.as_ref(), Grants::of(options));
    let sandbox = sandbox.map_err(ServeError::Sandbox)?;
    let orders = Orders::default();
    let guard = Guard::new(&options.access, secret_hash());
    let terms = Arc::new(reload::terms(options, finder, Arc::new(guard)));
    let (news, inbox) = unbounded();
    // From here on a signal is an order, not the end.
    signals::watch(news.clone()).map_err(|error| ServeError::System("watch signals", error))?;
    let mut crew = Crew::start(options, &terms, sockets, &cores, &orders, &news, finisher)?;
    let sandbox = sandbox
        .seal(&crew.started.io)
        .map_err(ServeError::Sandbox)?;
    if mode != Mode::Off {
        tracing::info!("{}", sandbox.report());
    }
    let hosts = Arc::new(Directory::new(options.naming.hosts()));
    if let Some(admin) = admin {
        sight::start(admin, &mut crew, &hosts, sandbox.report())?;
    }
    announce(&listening, &crew.started);
    let status = format!("serving on {}", names(&listening));

    let reloader = start.reread.map(|reread| {
        let (args, file) = *reread;
        let bounds = Bounds {
            confined: sandbox.confines_files().then(|| sandbox.grants().clone()),
            uploads: options.upload.is_some(),
        };
        let told = Told {
            metric: Arc::clone(&crew.reloads),
            farm: hosts,
            status: status.clone(),
        };
        Reloader::new(args, file, terms, bounds, told)
    });
    let mut watch = Watch {
        naming: &options.naming,
        crew: &crew,
        news,
        reloader,
        orders: &orders,
        idle: start.idle.map(Idle::new),
        manager: Manager::from_environment(),
        status,
        hangup_ends: start.hangup_ends,
    };
    systemd::ready(&watch.status);
    watch.wait(&inbox, shards)?;
    crew.finish();
    Ok(())
}

fn user(name: Option<&str>) -> Result<Option<User>, ServeError> {
    let Some(name) = name else {
        return Ok(None);
    };
    match User::named(name) {
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => Err(ServeError::User(format!(
            "there is no user \"{name}\"; name another by --user"
        ))),
        Err(error) => Err(ServeError::User(format!(
            "cannot look up the user \"{name}\": {error}"
        ))),
    }
}

fn sockets(
    options: &Options,
    inherited: Vec<OwnedFd>,
    cores: &[usize],
) -> Result<Vec<Sockets>, BindError> {
    if !inherited.is_empty() {
        return adopt(&plan(options, 1), inherited);
    }
    let shards = options.shards.unwrap_or_else(|| shard_count(cores));
    let plan = plan(options, shards);
    if options.takeover {
        join(&plan)
    } else {
        bind(&plan)
    }
}

/// Opens the roots.
///
/// # Errors
/// When one of them cannot be served.
pub fn finder(naming: &Naming) -> Result<Finder, RootError> {
    let open = |plan: &crate::config::RootPlan| {
        let flag = if plan.policy.uploads {
            "--upload"
        } else {
            "--root"
        };
        let mut root = Root::open(&plan.path).map_err(|error| error.of(flag))?;
        if naming.public_only {
            root = root.public_only();
        }
        if naming.chroot_links {
            root = root.with_chroot_links();
        }
        Ok(Arc::new(root))
    };
    let roots = naming.roots.iter().map(open).collect::<Result<_, _>>()?;
    Ok(Finder::new(naming.names(), roots).knowing(naming.hosts()))
}

fn shard_count(cores: &[usize]) -> u16 {
    u16::try_from(cores.len()).unwrap_or(u16::MAX).max(1)
}

fn plan(options: &Options, shards: u16) -> Plan {
    Plan {
        listen: options.listen.clone(),
        shards,
        single_port: options.single_port,
        data_ports: options.data_ports,
    }
}

fn listening(sockets: &[Sockets]) -> Vec<SocketAddr> {
    let first = sockets.first();
    first.map_or_else(Vec::new, |shard| shard.layout().listening().collect())
}

/// The contract of the command line: one line when ready. Scripts wait for it.
fn announce(listening: &[SocketAddr], started: &Started) {
    // Not `eprintln`, which panics when nobody reads.
    let _ = writeln!(
        io::stderr(),
        "ringboot: ready on {} io={} shards={}",
        names(listening),
        started.io,
        started.shards
    );
}

fn names(listening: &[SocketAddr]) -> String {
    let addresses: Vec<String> = listening.iter().map(ToString::to_string).collect();
    addresses.join(",")
}

/// With data ports, who forges a client's address must also guess a port. Without them, not.
fn warn_of_blind_acks(options: &Options) {
    if options.single_port && options.access.allow.is_empty() {
        tracing::warn!(
            "single-port mode without `allow`: whoever can forge an address can have files sent to it by \
             forged ACKs, so each network's requests are limited whether they are answered or not; name \
             your clients' networks by --allow PREFIX"
        );
    }
}

/// A receive buffer that holds less than the burst loses requests, whatever we do afterwards.
fn warn_of_small_buffers(sockets: &[Sockets]) {
    let Some(Buffers { receive, send }) = sockets.first().map(Sockets::buffers) else {
        return;
    };
    for (granted, asked, sysctl) in [
        (receive, RECEIVE_BUFFER, "net.core.rmem_max"),
        (send, SEND_BUFFER, "net.core.wmem_max"),
    ] {
        if granted < asked {
            tracing::warn!(
                "socket buffers are {granted} bytes instead of {asked}, so a burst may be lost: \
                 raise them with `sysctl -w {sysctl}={asked}`, or grant CAP_NET_ADMIN"
            );
        }
    }
}

/// Waits for the end: signals set the pace, shards report when they are done.
struct Watch<'a> {
    naming: &'a Naming,
    crew: &'a Crew,
    news: Sender<News>,
    /// None: only a map file can be read again.
    reloader: Option<Reloader>,
    orders: &'a Orders,
    idle: Option<Idle>,
    manager: Manager,
    /// What the manager is told while all is well.
    status: String,
    hangup_ends: bool,
}

impl Watch<'_> {
    fn wait(&mut self, inbox: &Receiver<News>, mut shards: u16) -> Result<(), ServeError> {
        while shards > 0 {
            let Some(news) = self.next(inbox) else {
                return Ok(());
            };
            match news {
                News::Signal(request) => self.end(&request.to_string()),
                News::Hangup if self.hangup_ends => self.end("SIGHUP"),
                News::Hangup => self.reload(),
                News::Reread(reread) => self.reloaded(reread),
                News::ShardEnded(Ok(())) => shards -= 1,
                News::ShardEnded(Err(error)) => {
                    return Err(ServeError::System("go on serving", error));
                }
            }
        }
        Ok(())
    }

    /// The next news; meanwhile does what has to be done now and then.
    fn next(&mut self, inbox: &Receiver<News>) -> Option<News> {
        loop {
            // Before each wait, so that no stream of news keeps the watchdog hungry.
            self.look_around();
            let Some(tick) = self.tick() else {
                return inbox.recv().ok();
            };
            match inbox.recv_timeout(tick) {
                Ok(news) => return Some(news),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// How soon to look, where there is something to look after.
    fn tick(&self) -> Option<Duration> {
        let reloader = self.reloader.as_ref();
        let tidies = reloader.is_some_and(Reloader::has_retired);
        let idle = self.idle.as_ref().map(|idle| idle.tick);
        let ticks = idle.into_iter().chain(self.manager.interval());
        ticks.chain(tidies.then_some(Duration::from_secs(1))).min()
    }

    /// Lets go of former rules; looks whether all shards are alive, and whether anybody still asks for
    /// anything.
    fn look_around(&mut self) {
        let now = clock::now();
        if let Some(reloader) = &mut self.reloader {
            reloader.tidy();
        }
        if let Err(frozen) = self.manager.feed(&self.crew.health, now) {
            self.crew.log.warn(&format!(
                "{frozen}: the watchdog is not fed, so systemd will start the server anew"
            ));
        }
        if let Some(idle) = &mut self.idle
            && idle.is_over(self.crew.requests(), now)
        {
            let seconds = idle.limit.to_duration().as_secs();
            self.idle = None;
            self.end(&format!("no request for {seconds} s"));
        }
    }

    fn end(&self, why: &str) {
        let (order, notice) = follow(why, self.orders.current());
        self.orders.give(order);
        self.manager.stopping(&notice);
        self.crew.health.drain();
        self.crew.wake_all();
        self.crew.log.notice(&notice);
    }

    /// Reads again what can be read again; files that are served are noticed by themselves.
    fn reload(&mut self) {
        let log = &self.crew.log;
        match &mut self.reloader {
            Some(reloader) => reloader.begin(&self.news, log),
            None => {
                systemd::reloading();
                match self.reload_map() {
                    Ok(done) => log.notice(&done),
                    Err(failed) => log.warn(&failed),
                }
                systemd::ready(&self.status);
            }
        }
    }

    fn reloaded(&mut self, reread: Reread) {
        if let Some(reloader) = &mut self.reloader {
            let (shards, log) = (&self.crew.addresses, &self.crew.log);
            reloader.finish(reread, shards, log, &self.news);
        }
    }

    fn reload_map(&self) -> Result<String, String> {
        let map = self.naming.hpa.as_ref().and_then(|hpa| hpa.map.as_ref());
        let Some(map) = map else {
            return Ok(NOTHING_TO_RELOAD.to_owned());
        };
        let result = map.reload();
        self.crew.reloads.note(result.is_ok());
        match result {
            Ok(()) => {
                let rules = map.current().len();
                let path = map.path().display();
                Ok(format!("SIGHUP: {path} read again, {rules} rules"))
            }
            Err(error) => Err(format!("SIGHUP: serving on by the former rules: {error}")),
        }
    }
}

/// When the last request came.
struct Idle {
    limit: Nanos,
    tick: Duration,
    requests: u64,
    since: Nanos,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self {
            limit: limit.into(),
            tick: limit.clamp(Duration::from_millis(50), Duration::from_secs(1)),
            requests: 0,
            since: clock::now(),
        }
    }

    fn is_over(&mut self, requests: u64, now: Nanos) -> bool {
        if requests != self.requests {
            (self.requests, self.since) = (requests, now);
        }
        now - self.since >= self.limit
    }
}

const NOTHING_TO_RELOAD: &str =
    "SIGHUP: serving on; there is nothing to read again, changed files are noticed by themselves";

/// The first request drains, the second ends at once. The log hears of it by its queue: a reader
/// that is stuck must not keep us from following.
fn follow(request: &str, current: Order) -> (Order, String) {
    match current {
        Order::Serve => (
            Order::Drain,
            format!(
                "{request}: taking no more requests, waiting for the transfers under way; \
                 once more ends at once"
            ),
        ),
        Order::Drain | Order::Stop => (Order::Stop, format!("{request} again: ending at once")),
    }
}
