//! From a plan to running threads, and from what they leave to the result.
//! It never touches a packet.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::mpsc;
use std::thread;

use super::collect::{Collector, RunFacts};
use super::crew::Crew;
use super::lanes::Lanes;
use super::link::{Link, Mmsg, Reading, Sockets, Uring, allow_files};
use super::plan::{EnginePlan, Io};
use super::shared::Shared;
use super::worker::{Finished, Worker};
use super::{Error, Watcher};
use crate::machine::Nanos;
use crate::measure::clock;
use crate::result::RunResult;
use crate::sources::Sources;

/// From now to the first start: threads and sockets must be ready by then.
const PREPARATION: Nanos = 50_000_000;
/// Files that are not sockets.
const OTHER_FILES: u64 = 64;

/// What is going to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub server: String,
    pub command: &'static str,
    pub load: String,
    pub machines: u32,
    pub arrival: String,
    pub sources: String,
    pub impairment: String,
    pub threads: usize,
    /// DATA packets without losses, where the files' sizes and the number of starts are known.
    pub packets: Option<u64>,
}

pub(super) fn run(plan: &EnginePlan, watcher: Watcher<'_>) -> Result<RunResult, Error> {
    if plan.machines == 0 {
        return Err(Error::Plan("no machines".into()));
    }
    reachable(plan)?;
    let cores = cores(plan);
    let threads = cores.len().min(plan.machines as usize).max(1);
    let (zero, unix_zero) = zero(plan)?;
    let stop = watcher.stop;
    let shared = Shared::new(plan, zero, threads as u32, stop).map_err(Error::Plan)?;
    (watcher.outlook)(&outlook(plan, &shared));
    let count = socket_count(plan, &shared)?;
    let reading = Reading {
        trains: shared.largest_window() > 1,
        largest: shared.largest_packet(),
    };
    let (reports, received) = mpsc::channel();
    let mut collector = Collector::new(plan, &shared, received, unix_zero)?;
    let finished: Vec<(Finished, &str)> = thread::scope(|scope| {
        let mut handles = Vec::new();
        for thread in 0..shared.threads {
            let spare = collector.spare_for(thread);
            let reports = reports.clone();
            let shared = &shared;
            let core = cores.get(thread as usize).copied().flatten();
            let run = move || {
                pin(core);
                // Here and not before: a ring belongs to the thread that made it.
                let (link, io) = open_link(plan, shared, count, reading)?;
                let lanes = match shared.sources {
                    Sources::Ports(_) => Lanes::owned(count),
                    Sources::Addresses(_) => Lanes::shared(count),
                };
                let crew = Crew::new(shared, thread, lanes);
                let worker = Worker::new(shared, thread, crew, link, reports, spare);
                Ok((worker.run(), io))
            };
            let named = thread::Builder::new().name(format!("storm-{thread}"));
            let handle = named.spawn_scoped(scope, run);
            handles.push(handle.map_err(|error| Error::System("a thread", error))?);
        }
        drop(reports);
        collector.collect(watcher.progress);
        let unexpected = |_| Err(Error::Plan("a thread ended unexpectedly".into()));
        let joined = handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(unexpected));
        joined.collect::<Result<_, _>>()
    })?;
    let io = finished.first().map_or("", |(_, io)| io).to_string();
    let facts = RunFacts {
        io,
        threads: threads as u32,
        unix_zero,
    };
    let finished = finished.into_iter().map(|(finished, _)| finished);
    collector.result(finished.collect(), facts)
}

/// Whether there is a way to the server at all: without one a run would only show silence.
fn reachable(plan: &EnginePlan) -> Result<(), Error> {
    let any: IpAddr = match plan.server.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let routed = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(plan.server));
    match routed {
        Err(error) if error.kind() == ErrorKind::NetworkUnreachable => {
            let server = plan.server.ip();
            Err(Error::Plan(format!("no route to {server}: {error}")))
        }
        // Whatever else it is, the packets themselves will tell.
        _ => Ok(()),
    }
}

/// How many sockets each thread has.
fn socket_count(plan: &EnginePlan, shared: &Shared) -> Result<u32, Error> {
    let threads = u64::from(shared.threads);
    let mine = u64::from(shared.machines).div_ceil(threads);
    // A port for the present transfer, and one for the last, which may have to be acknowledged
    // again.
    let count = match shared.sources {
        Sources::Ports(_) => mine * 2,
        Sources::Addresses(_) => u64::from(plan.sockets.max(1)),
    };
    allow_files(count * threads + OTHER_FILES).map_err(Error::Plan)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The backend on sockets of its own. `auto` takes epoll: on loopback it drove a server in
/// lock-step 8 % further than io_uring did, and with windows as far.
fn open_link(
    plan: &EnginePlan,
    shared: &Shared,
    count: u32,
    reading: Reading,
) -> Result<(Box<dyn Link>, &'static str), Error> {
    let sockets = Sockets::open(plan.server.ip(), &shared.sources, count, reading.trains);
    let sockets = sockets.map_err(|error| Error::System("sockets", error))?;
    if plan.io == Io::Uring {
        let refused = |reason| Error::Plan(format!("--io uring: {reason}"));
        let link = Uring::new(sockets, reading).map_err(refused)?;
        return Ok((Box::new(link), "io_uring"));
    }
    let link = Mmsg::new(sockets, reading).map_err(|error| Error::System("epoll", error))?;
    Ok((Box::new(link), "epoll"))
}

/// The first start, on the monotonic clock and as Unix time.
fn zero(plan: &EnginePlan) -> Result<(Nanos, f64), Error> {
    let (now, unix) = (clock::now(), clock::unix());
    // Sockets by the thousand take a while.
    let ahead = PREPARATION + Nanos::from(plan.machines) * 20_000;
    let ahead = match plan.start_at {
        Some(at) if at > unix => ((at - unix) * 1e9) as Nanos,
        Some(at) => {
            // Whoever aligns hosts must not be given runs that are not aligned.
            let late = format!("--start-at: this moment was {:.1} s ago", unix - at);
            return Err(Error::Plan(late));
        }
        None => ahead,
    };
    Ok((now + ahead, unix + ahead as f64 / 1e9))
}

/// The core of each thread; none: wherever the system puts it.
fn cores(plan: &EnginePlan) -> Vec<Option<usize>> {
    if let Some(cores) = &plan.cores {
        return cores.iter().copied().map(Some).collect();
    }
    let usable = thread::available_parallelism().map_or(1, usize::from);
    vec![None; plan.threads.unwrap_or(usable).max(1)]
}

fn pin(core: Option<usize>) {
    let Some(core) = core else { return };
    // SAFETY: an all-zero set is valid, CPU_SET stays inside of it, and the pointer is to it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if core < libc::CPU_SETSIZE as usize {
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}

fn outlook(plan: &EnginePlan, shared: &Shared) -> Outlook {
    Outlook {
        server: plan.server.to_string(),
        command: plan.load.command(),
        load: plan.load.to_string(),
        machines: plan.machines,
        arrival: plan.arrival.to_string(),
        sources: shared.sources.to_string(),
        impairment: plan.impairment.to_string(),
        threads: shared.threads as usize,
        packets: expected_packets(shared),
    }
}

/// Blocks of all transfers, if the oracle knows every file.
fn expected_packets(shared: &Shared) -> Option<u64> {
    let starts = match shared.count {
        Some(count) => count,
        None => shared.schedule().known_count()?,
    };
    let oracle = shared.oracle.as_deref()?;
    let identity = shared.identity(0);
    let blocks = |job: &super::shared::Job| -> u64 {
        let steps = job.steps.iter().filter_map(|recipe| {
            let name = recipe.name_for(&identity);
            let file = oracle.find(&name, recipe.habits.netascii)?;
            Some(oracle.expected_len(file) / recipe.largest_block() + 1)
        });
        steps.sum()
    };
    let all: u64 = shared.jobs.iter().map(blocks).sum();
    Some(all / shared.jobs.len().max(1) as u64 * starts)
}
