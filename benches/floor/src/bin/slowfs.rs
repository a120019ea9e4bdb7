//! Mounts the tests' slow file system for a bench, until its standard input ends.
//! It never stores anything: its files are made at the start and lie in memory.

#[path = "../../../../tests/support/slowfs.rs"]
#[allow(dead_code, reason = "tests hang it, too")]
mod slowfs;

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use slowfs::{Cache, SlowFs};

/// Mounts files named 0, 1 and so on at a directory that it makes, and prints "ready".
#[derive(Parser)]
struct Args {
    dir: PathBuf,
    #[arg(long)]
    files: usize,
    /// Bytes of each file.
    #[arg(long)]
    size: usize,
    /// How much longer each read takes.
    #[arg(long)]
    delay_ms: u64,
    /// What becomes of cached content when a file is opened.
    #[arg(long, value_enum)]
    cache: Pages,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pages {
    Kept,
    Dropped,
    Unshared,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let cache = match args.cache {
        Pages::Kept => Cache::Kept,
        Pages::Dropped => Cache::Dropped,
        Pages::Unshared => Cache::Unshared,
    };
    let files = (0..args.files)
        .map(|number| vec![number as u8; args.size])
        .collect();
    let delay = Duration::from_millis(args.delay_ms);
    let mounted = SlowFs::caching(cache, &args.dir, files, delay);
    println!("ready");
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(mounted);
    Ok(())
}
