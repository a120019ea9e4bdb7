//! The yardstick's command line: one file, one socket, one loop.
//! Never serves more than that file, whatever name is asked for.

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use floor::serve::image::Image;
use floor::serve::{Plan, mmsg, uring};
use floor::socket;

#[derive(Clone, Copy, ValueEnum)]
enum Io {
    Mmsg,
    Uring,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// The cheapest TFTP read server that the socket API allows. Not for use: it never retransmits.
#[derive(Parser)]
struct Args {
    /// Address and port; a concrete address, because answers leave from whatever the socket is bound to.
    #[arg(long, default_value = "127.0.0.1:6969")]
    listen: SocketAddrV4,
    /// The one file, of at most 65535 blocks; every name answers with it.
    #[arg(long)]
    file: PathBuf,
    #[arg(long, default_value_t = 1468)]
    blksize: usize,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    windowsize: u16,
    #[arg(long, value_enum, default_value = "mmsg")]
    io: Io,
    /// A window as one train (UDP_SEGMENT) rather than as single packets.
    #[arg(long, value_enum, default_value = "on")]
    gso: Switch,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("floor: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> std::io::Result<()> {
    let image = Image::from_bytes(&std::fs::read(&args.file)?, args.blksize)?;
    let plan = Plan::new(image, usize::from(args.windowsize), args.gso == Switch::On);
    let socket = bind(args.listen)?;
    eprintln!(
        "floor: ready on {} blocks={} blksize={} windowsize={} train={}",
        socket.local_addr()?,
        plan.image.blocks(),
        args.blksize,
        args.windowsize,
        plan.train
    );
    match args.io {
        Io::Mmsg => mmsg::run(&socket, &plan),
        Io::Uring => uring::run(&socket, &plan),
    }
}

/// The socket of an io_uring process lives for some milliseconds after it: a restart waits for that.
fn bind(addr: SocketAddrV4) -> std::io::Result<std::net::UdpSocket> {
    for _ in 0..50 {
        match socket::bind(addr) {
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_millis(20))
            }
            result => return result,
        }
    }
    socket::bind(addr)
}
