//! The running server: binds, starts the threads, waits for signals, ends in order.
//! It never touches a packet.

mod cores;
mod descriptors;
mod from_cli;
mod signals;
mod threads;

use core::fmt;
use core::net::SocketAddr;
use std::io::{self, Write};
use std::sync::Arc;

use crossbeam::channel::{Receiver, unbounded};

pub use from_cli::{Asking, Unclear};

use crate::config::Plan as Naming;
use crate::endpoint::Access;
use crate::files::{Finder, Root, RootError};
use crate::limits::{RECEIVE_BUFFER, SEND_BUFFER};
use crate::shard::{
    BindError, Buffers, IoChoice, Listen, Order, Orders, Plan, Settings, Sockets, ZeroCopy, bind,
};
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
    /// Both ends included.
    pub data_ports: Option<(u16, u16)>,
    /// Bytes for files that are laid out in frames; 0: none are.
    pub frame_memory: u64,
    /// How far multicast streams go.
    pub multicast_hops: u8,
    /// Who may ask, how often, and how much at a time.
    pub access: Access,
    /// The part of the settings that is the same for all shards.
    pub settings: Settings,
}

/// Why the server did not start or ended early, in words for the operator.
#[derive(Debug)]
pub enum ServeError {
    Root(RootError),
    Bind(BindError),
    /// Starting a thread, or a system call that never fails in practice.
    System(&'static str, io::Error),
    /// A shard could not open its kernel interface.
    Backend(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(error) => error.fmt(f),
            Self::Bind(error) => error.fmt(f),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
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
    /// A shard ended; with an error, the server ends too.
    ShardEnded(io::Result<()>),
}

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// When the server cannot start, or a shard's kernel interface stops working.
pub fn serve(options: &Options) -> Result<(), ServeError> {
    threads::die_with_any_thread();
    descriptors::use_all();
    let finder = finder(&options.naming).map_err(ServeError::Root)?;
    warn_of_blind_acks(options);
    let cores = cores::usable();
    let shards = options.shards.unwrap_or_else(|| shard_count(&cores));
    let sockets = bind(&plan(options, shards)).map_err(ServeError::Bind)?;
    for shard in &sockets {
        shard
            .set_multicast_hops(options.multicast_hops)
            .map_err(|error| ServeError::System("set the hop limit of multicast", error))?;
    }
    let listening = listening(&sockets);
    warn_of_small_buffers(&sockets);

    let orders = Orders::default();
    let (news, inbox) = unbounded();
    // From here on a signal is an order, not the end.
    signals::watch(news.clone()).map_err(|error| ServeError::System("watch signals", error))?;
    let crew = Crew::start(options, finder, sockets, &cores, &orders, &news)?;
    announce(&listening, &crew.started);

    wait(&inbox, shards, &orders, &crew)?;
    crew.finish();
    Ok(())
}

/// Opens the roots.
///
/// # Errors
/// When one of them cannot be served.
pub fn finder(naming: &Naming) -> Result<Finder, RootError> {
    let open = |root: &crate::config::RootPlan| Root::open(&root.path).map(Arc::new);
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
    let addresses: Vec<String> = listening.iter().map(ToString::to_string).collect();
    // Not `eprintln`, which panics when nobody reads.
    let _ = writeln!(
        io::stderr(),
        "ringboot: ready on {} io={} shards={}",
        addresses.join(","),
        started.io,
        started.shards
    );
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
fn wait(
    inbox: &Receiver<News>,
    mut shards: u16,
    orders: &Orders,
    crew: &Crew,
) -> Result<(), ServeError> {
    while shards > 0 {
        let Ok(news) = inbox.recv() else {
            return Ok(());
        };
        match news {
            News::Signal(request) => {
                let (order, notice) = follow(request, orders.current());
                orders.give(order);
                crew.wake_all();
                crew.log.notice(&notice);
            }
            News::Hangup => crew.log.notice(NOTHING_TO_RELOAD),
            News::ShardEnded(Ok(())) => shards -= 1,
            News::ShardEnded(Err(error)) => {
                return Err(ServeError::System("go on serving", error));
            }
        }
    }
    Ok(())
}

const NOTHING_TO_RELOAD: &str =
    "SIGHUP: serving on; there is nothing to read again, changed files are noticed by themselves";

/// The first request drains, the second ends at once. The log hears of it by its queue: a reader
/// that is stuck must not keep us from following.
fn follow(request: signals::Request, current: Order) -> (Order, String) {
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
