//! What `run`, `boot` and `search` have in common: machines, arrival, network, measuring.
//! It never starts anything.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::arrival::Arrival;
use crate::content::{Content, Source};
use crate::engine::{EnginePlan, Io, Load};
use crate::impair::{BurstLoss, Delay, Impairment, milliseconds, probability};
use crate::measure::process::Watch;
use crate::slo::Slo;
use crate::sources::Cidr;

/// Where a TFTP server listens unless told otherwise.
const PORT: u16 = 69;

#[derive(Debug, Args)]
pub struct Common {
    /// The server: HOST, HOST:PORT or [V6]:PORT
    #[arg(value_name = "HOST[:PORT]")]
    pub server: String,

    /// Machines at the same time
    #[arg(long, short = 'm', alias = "from", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub machines: u32,

    /// The first machine's number. Parts of one farm on several hosts or processes: each machine is
    /// who it is in the whole, with its own address, names and impairments
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=2_000_000_000))]
    pub first_machine: u32,

    /// When machines start: closed (each again as soon as it is done), all-at-once, rate:R,
    /// poisson:R, ramp:FROM-TO/SECS, racks:SIZE/SECS, over:SECS, replay:FILE (a line for each
    /// start: seconds and optionally a file). Default: closed for run, all-at-once for boot
    #[arg(long, value_name = "MODEL")]
    pub arrival: Option<Arrival>,

    /// Transfers (run) or boots (boot) altogether. Default: one for each machine
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,

    /// Start nothing after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// Leave the first seconds out of the figures; --duration begins behind them
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "0")]
    pub warmup: Duration,

    /// After --duration, what is under way may take so long
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "10")]
    pub drain: Duration,

    /// First start at this Unix time, to align several hosts
    #[arg(long, value_name = "UNIXTIME")]
    pub start_at: Option<f64>,

    /// Compare what arrives: pattern:DIR (of make-root), dir:DIR or file:FILE
    #[arg(long, value_name = "SOURCE")]
    pub check: Option<Source>,

    #[command(flatten)]
    pub sources: SourceArgs,

    #[command(flatten)]
    pub impairment: ImpairArgs,

    #[command(flatten)]
    pub measuring: MeasureArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Addresses and threads")]
pub struct SourceArgs {
    /// Give each machine an address of this network. On loopback the default is 127.16.0.1 and up.
    /// Elsewhere this host must accept the network (ip route add local CIDR dev lo) and the server
    /// must have a route to it by way of this host. Without it, machines of a target that is not
    /// on loopback share an address, and each has a port of its own
    #[arg(long, value_name = "CIDR")]
    pub source_net: Option<Cidr>,

    /// Ports of each thread that consecutive transfers of a machine go round. Default: 4 for run, 16
    /// for boot
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub sockets: Option<u32>,

    /// Where clients that broadcast send to. Default: 127.255.255.255 on loopback, else
    /// 255.255.255.255
    #[arg(long, value_name = "ADDR")]
    pub broadcast: Option<std::net::IpAddr>,

    /// Threads. Default: one for each core that this process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Pin a thread to each of these cores: 1,3 or 2-5
    #[arg(long, value_name = "LIST", value_parser = cores, conflicts_with = "threads")]
    pub cores: Option<Cores>,

    /// How packets reach the kernel. auto takes epoll, which costs a little less here (io_uring
    /// saves nothing when every packet goes to another address); uring is strict
    #[arg(long, value_enum, value_name = "auto|uring|epoll", default_value_t = IoArg::Auto, hide_possible_values = true)]
    pub io: IoArg,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "A bad network, and bad clients (probabilities as 1% or 0.01)")]
pub struct ImpairArgs {
    /// Seed of all chance. The same seed decides the same about the same packets
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Packets lost on the way to the server and as many on the way back
    #[arg(long, value_name = "P", value_parser = probability)]
    pub loss: Option<f64>,

    /// Packets from the server that are lost
    #[arg(long, value_name = "P", value_parser = probability)]
    pub loss_in: Option<f64>,

    /// Packets to the server that are lost
    #[arg(long, value_name = "P", value_parser = probability)]
    pub loss_out: Option<f64>,

    /// Losses in bursts (Gilbert and Elliott): probability that a burst begins, that it ends, and
    /// of loss within it (100%), decided for each packet
    #[arg(long, value_name = "P,R[,BAD]")]
    pub burst_loss: Option<BurstLoss>,

    /// Packets that arrive twice, in both directions
    #[arg(long, value_name = "P", value_parser = probability, default_value = "0")]
    pub duplicate: f64,

    /// Packets held back for 2 ms, so that those behind them overtake them
    #[arg(long, value_name = "P", value_parser = probability, default_value = "0")]
    pub reorder: f64,

    /// Milliseconds for which each packet is held back, in both directions
    #[arg(long, value_name = "MS[±JITTER]")]
    pub delay: Option<Delay>,

    /// Milliseconds that a client needs for each block before it acknowledges
    #[arg(long, value_name = "MS", value_parser = milliseconds, default_value = "0")]
    pub slow: Duration,

    /// Transfers whose machine loses power within the first 32 blocks
    #[arg(long, value_name = "P", value_parser = probability, default_value = "0")]
    pub vanish: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Measuring and reporting")]
pub struct MeasureArgs {
    /// Measure the CPU time and memory of this process, its threads and its children
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,

    /// Read the server's CPU time from its cgroup: cpu.stat or cpuacct.usage. Needed for servers
    /// that fork and do not wait for their children
    #[arg(long, value_name = "FILE")]
    pub server_cgroup: Option<PathBuf>,

    /// Seconds of an interval
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "1")]
    pub interval: Duration,

    /// Write interval histograms (HdrHistogram V2 log)
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,

    /// Objectives, such as 'p99(boot) < 90s, failed < 0.1%': exit status 1 when one is missed
    #[arg(long, value_name = "EXPR")]
    pub slo: Option<Slo>,

    /// Write the result as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as a page for the browser
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// No progress, no text: exit status, --json and --html only
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IoArg {
    Auto,
    Uring,
    Epoll,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores(Vec<usize>);

impl Common {
    /// The plan for this load.
    ///
    /// # Errors
    /// When the host has no address or the files to compare with cannot be read.
    pub fn plan(&self, load: Load) -> Result<EnginePlan, String> {
        let server = resolve(&self.server)?;
        let mut plan = EnginePlan::new(server, load, self.machines);
        if let Some(arrival) = &self.arrival {
            plan.arrival = arrival.clone();
        }
        plan.first_machine = self.first_machine;
        plan.count = self.count;
        plan.duration = self.duration;
        plan.warmup = self.warmup;
        plan.drain = self.drain;
        plan.start_at = self.start_at;
        plan.seed = self.impairment.seed;
        plan.impairment = self.impairment.impairment();
        plan.source_net = self.sources.source_net;
        plan.sockets = self.sources.sockets.unwrap_or(plan.sockets);
        let port = server.port();
        plan.broadcast = self.sources.broadcast.map(|ip| SocketAddr::new(ip, port));
        plan.cores = self.sources.cores.as_ref().map(|cores| cores.0.clone());
        plan.threads = self.sources.threads.map(usize::from);
        plan.io = match self.sources.io {
            IoArg::Auto => Io::Auto,
            IoArg::Uring => Io::Uring,
            IoArg::Epoll => Io::Epoll,
        };
        plan.watch = self.measuring.watch();
        plan.interval = self.measuring.interval.max(Duration::from_millis(10));
        plan.hlog = self.measuring.hlog.clone();
        if let Some(source) = &self.check {
            plan.oracle = Some(Arc::new(Content::open(source)?));
        }
        Ok(plan)
    }
}

impl ImpairArgs {
    fn impairment(&self) -> Impairment {
        let both = self.loss.unwrap_or(0.0);
        Impairment {
            loss_in: self.loss_in.unwrap_or(both),
            loss_out: self.loss_out.unwrap_or(both),
            burst: self.burst_loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            delay: self.delay,
            slow: self.slow,
            vanish: self.vanish,
        }
    }
}

impl MeasureArgs {
    fn watch(&self) -> Option<Watch> {
        let any = self.server_pid.is_some() || self.server_cgroup.is_some();
        any.then(|| Watch {
            pid: self.server_pid,
            cgroup: self.server_cgroup.clone(),
        })
    }
}

fn resolve(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok((address, PORT).into());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let found = match bare {
        Some(v6) => (v6, PORT).to_socket_addrs(),
        None if text.contains(':') => text.to_socket_addrs(),
        None => (text, PORT).to_socket_addrs(),
    };
    let mut found = found.map_err(|error| format!("{text}: {error}"))?;
    found.next().ok_or_else(|| format!("{text} has no address"))
}

/// Seconds, with fractions.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches('s').parse::<f64>().ok();
    let time = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| format!("\"{text}\" is no number of seconds"))
}

fn cores(text: &str) -> Result<Cores, String> {
    let wrong = || format!("\"{text}\" is no list of cores such as 1,3 or 2-5");
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let from: usize = from.parse().map_err(|_| wrong())?;
        let to: usize = to.parse().map_err(|_| wrong())?;
        if from > to || to >= 1024 {
            return Err(wrong());
        }
        cores.extend(from..=to);
    }
    Ok(Cores(cores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_resolved_with_and_without_a_port() {
        let resolved = |text| resolve(text).map(|address| address.to_string());
        assert_eq!(resolved("192.0.2.1"), Ok("192.0.2.1:69".into()));
        assert_eq!(resolved("192.0.2.1:6969"), Ok("192.0.2.1:6969".into()));
        assert_eq!(resolved("::1"), Ok("[::1]:69".into()));
        assert_eq!(resolved("[::1]"), Ok("[::1]:69".into()));
        assert_eq!(resolved("[::1]:7"), Ok("[::1]:7".into()));
        assert!(resolved("no such host").is_err());
    }

    #[test]
    fn cores_are_listed() {
        assert_eq!(cores("1,3-5"), Ok(Cores(vec![1, 3, 4, 5])));
        assert!(cores("5-3").is_err() && cores("x").is_err());
    }
}
