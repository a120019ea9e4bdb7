//! The generator's command line.
//! Never starts or stops a server.

use std::net::{SocketAddr, SocketAddrV4, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use floor::storm::batch::SEND_BYTES;
use floor::storm::client::Wish;
use floor::storm::cpu;
use floor::storm::engine::{Engine, Load, Setup};
use floor::storm::report::Report;

/// Plays thousands of TFTP readers at loopback addresses of their own. One JSON line to stdout, a table to stderr.
#[derive(Parser)]
struct Args {
    /// HOST:PORT, on the loopback network.
    server: String,
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    clients: u32,
    /// The name to ask for.
    #[arg(long)]
    file: String,
    /// The size that must arrive; --check knows it by itself.
    #[arg(long)]
    size: Option<u64>,
    /// Compare every byte with this local file.
    #[arg(long)]
    check: Option<PathBuf>,
    #[arg(long, default_value_t = 1468, value_parser = clap::value_parser!(u16).range(8..=65464))]
    blksize: u16,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    windowsize: u16,
    /// Ask for the size of the file.
    #[arg(long)]
    tsize: bool,
    /// Closed loop: this many transfers in total.
    #[arg(long, conflicts_with_all = ["seconds", "all_at_once"])]
    transfers: Option<u64>,
    /// Closed loop: for this long.
    #[arg(long, conflicts_with = "all_at_once")]
    seconds: Option<f64>,
    /// Every client asks exactly once, all at the same instant. The default.
    #[arg(long)]
    all_at_once: bool,
    /// Probability that a packet from the server is dropped.
    #[arg(long, default_value_t = 0.0)]
    loss_in: f64,
    /// Probability that a packet to the server is dropped.
    #[arg(long, default_value_t = 0.0)]
    loss_out: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A client repeats its last packet after so many milliseconds without progress.
    #[arg(long, default_value_t = 5000)]
    client_timeout: u64,
    /// A client gives up after so many repeats in a row.
    #[arg(long, default_value_t = 5)]
    client_repeats: u32,
    /// After --seconds, running transfers may take so many seconds more.
    #[arg(long, default_value_t = 10.0)]
    drain: f64,
    /// Sockets, and so client ports, that consecutive transfers of a client go round.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    sockets: u8,
    /// Measure the CPU time of this process and its children.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Measure the server's CPU time from this file of its cgroup instead: cpuacct.usage or cpu.stat.
    #[arg(long)]
    server_cgroup: Option<String>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(report) => {
            eprint!("{}", report.table());
            println!("{}", report.json());
            if report.all_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(e) => {
            eprintln!("storm: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> Result<Report, String> {
    let setup = setup(&args)?;
    let server_ns = || match (&args.server_cgroup, args.server_pid) {
        (Some(path), _) => cpu::cgroup_ns(path),
        (None, Some(pid)) => Some(cpu::tree_ns(pid)),
        (None, None) => None,
    };
    let engine = Engine::new(&setup).map_err(|e| format!("sockets: {e}"))?;
    let (own, server) = (cpu::own_ns(), server_ns());
    let mut report = engine.run().map_err(|e| format!("run: {e}"))?;
    report.own_cpu_ns = cpu::own_ns() - own;
    report.server_cpu_ns = server
        .zip(server_ns())
        .map(|(before, after)| after.saturating_sub(before));
    Ok(report)
}

fn setup(args: &Args) -> Result<Setup, String> {
    let content = match &args.check {
        Some(path) => Some(std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?),
        None => None,
    };
    let size = args
        .size
        .or(content.as_ref().map(|c| c.len() as u64))
        .ok_or("--size or --check is needed")?;
    let load = match (args.transfers, args.seconds) {
        (Some(n), _) => Load::Transfers(n),
        (_, Some(s)) => {
            Load::For(Duration::try_from_secs_f64(s).map_err(|e| format!("--seconds: {e}"))?)
        }
        _ => Load::AllAtOnce,
    };
    let wish = Wish {
        blksize: args.blksize,
        windowsize: args.windowsize,
        tsize: args.tsize,
        size,
        content,
    };
    if wish.request(&args.file).len() > SEND_BYTES {
        return Err("--file: the name is too long".into());
    }
    Ok(Setup {
        server: resolve(&args.server)?,
        file: args.file.clone(),
        wish,
        clients: args.clients,
        sockets: args.sockets.into(),
        load,
        loss_in: args.loss_in,
        loss_out: args.loss_out,
        seed: args.seed,
        client_timeout: Duration::from_millis(args.client_timeout.max(1)),
        client_repeats: args.client_repeats,
        drain: Duration::try_from_secs_f64(args.drain).map_err(|e| format!("--drain: {e}"))?,
    })
}

fn resolve(server: &str) -> Result<SocketAddrV4, String> {
    let mut found = server
        .to_socket_addrs()
        .map_err(|e| format!("{server}: {e}"))?;
    let v4 = found.find_map(|addr| {
        if let SocketAddr::V4(v4) = addr {
            Some(v4)
        } else {
            None
        }
    });
    // Clients have loopback addresses, which reach no other network.
    v4.filter(|addr| addr.ip().is_loopback())
        .ok_or_else(|| format!("{server}: not an IPv4 loopback address"))
}
