//! What is to be done: the library's entry takes it, the command line makes it.
//! It never changes while the run goes on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::arrival::Arrival;
use crate::content::Oracle;
use crate::impair::Impairment;
use crate::measure::process::Watch;
use crate::scenario::{Ask, Habits, Scenario};
use crate::sources::Cidr;

/// How packets reach the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// What costs least: epoll, until a measurement says otherwise.
    Auto,
    Uring,
    Epoll,
}

/// What machines do: single files, or boots.
#[derive(Debug, Clone)]
pub enum Load {
    /// Files by weight.
    Files {
        files: Vec<(String, f64)>,
        habits: Box<Habits>,
        /// Options that stand in the place of the habits', by weight; none: everybody's are the same.
        mix: Vec<(Vec<Ask>, f64)>,
    },
    /// Scenarios by weight.
    Boots(Vec<(Scenario, f64)>),
}

/// One run.
#[derive(Clone)]
pub struct EnginePlan {
    pub server: SocketAddr,
    pub load: Load,
    pub machines: u32,
    /// The first machine's number in the farm: who it is, its address and its chance follow.
    pub first_machine: u32,
    pub arrival: Arrival,
    /// Files or boots altogether. Without it and without a duration each machine has one.
    pub count: Option<u64>,
    /// No start after this.
    pub duration: Option<Duration>,
    /// Left out of the figures; the duration begins behind it.
    pub warmup: Duration,
    /// How long transfers may still run after the duration.
    pub drain: Duration,
    /// Unix time of the first start.
    pub start_at: Option<f64>,
    pub seed: u64,
    pub impairment: Impairment,
    pub source_net: Option<Cidr>,
    /// Sockets of each thread, and so ports, that consecutive transfers of a machine go round.
    pub sockets: u32,
    /// Where clients that broadcast send to.
    pub broadcast: Option<SocketAddr>,
    /// A thread for each of these cores.
    pub cores: Option<Vec<usize>>,
    /// Threads that run wherever the system puts them.
    pub threads: Option<usize>,
    pub io: Io,
    pub oracle: Option<Arc<dyn Oracle>>,
    pub watch: Option<Watch>,
    pub interval: Duration,
    /// HdrHistogram V2 interval log.
    pub hlog: Option<PathBuf>,
}

impl EnginePlan {
    /// A plan with everything as the command line has it when nothing is said.
    #[must_use]
    pub fn new(server: SocketAddr, load: Load, machines: u32) -> Self {
        let arrival = match load {
            Load::Files { .. } => Arrival::Closed,
            Load::Boots(_) => Arrival::AllAtOnce,
        };
        // A boot has many files; the answer to a request that was repeated may come late.
        let sockets = match load {
            Load::Files { .. } => 4,
            Load::Boots(_) => 16,
        };
        Self {
            server,
            load,
            machines,
            first_machine: 0,
            arrival,
            count: None,
            duration: None,
            warmup: Duration::ZERO,
            drain: Duration::from_secs(10),
            start_at: None,
            seed: 1,
            impairment: Impairment::default(),
            source_net: None,
            sockets,
            broadcast: None,
            cores: None,
            threads: None,
            io: Io::Auto,
            oracle: None,
            watch: None,
            interval: Duration::from_secs(1),
            hlog: None,
        }
    }
}

impl Load {
    /// "run" or "boot".
    #[must_use]
    pub const fn command(&self) -> &'static str {
        match self {
            Self::Files { .. } => "run",
            Self::Boots(_) => "boot",
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<(&str, f64)> = match self {
            Self::Files { files, .. } => files
                .iter()
                .map(|(name, weight)| (name.as_str(), *weight))
                .collect(),
            Self::Boots(scenarios) => {
                let parts = scenarios.iter();
                parts
                    .map(|(scenario, weight)| (scenario.name.as_str(), *weight))
                    .collect()
            }
        };
        let several = parts.len() > 1;
        let text = parts.iter().map(|(name, weight)| {
            if several {
                format!("{name}={weight}")
            } else {
                (*name).to_string()
            }
        });
        f.write_str(&text.collect::<Vec<_>>().join(", "))
    }
}
