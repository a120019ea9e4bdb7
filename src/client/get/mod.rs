//! `ringboot get`: asks every address of the server in turn until one delivers the file.
//! It never leaves a part of a file under the name that was asked for.

mod channel;
mod fetch;
mod output;
mod progress;
mod receiver;
mod rtt;
mod terms;

use core::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::resolve;
use super::text::printable;
use crate::cli::GetArgs;
use channel::Channel;
use fetch::{Fetch, Summary};
use output::Output;
use progress::Progress;

/// A resolver that needs longer has failed.
const RESOLVE_LIMIT: Duration = Duration::from_secs(30);

/// Fetches the file and reports.
#[must_use]
pub fn get(args: &GetArgs) -> ExitCode {
    match try_get(args) {
        Ok(summary) => {
            if !args.quiet {
                say(&summary);
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

/// Not `eprintln`, which panics when nobody reads: the status says it too.
fn say(line: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "ringboot: {line}");
}

fn try_get(args: &GetArgs) -> Result<Summary, String> {
    let file = printable(args.file.as_encoded_bytes());
    let request = terms::request(args)?;
    let stop = stop_flag()?;
    let addresses = resolve(&args.server, RESOLVE_LIMIT)?;
    let mut output = Output::open(&output_path(args)?, args.netascii)?;
    let progress = Progress::new(!args.quiet);

    let mut reasons = Vec::new();
    for server in addresses {
        let channel = Channel::open(server, args.timeout, args.retries, &stop);
        let result = channel.and_then(|channel| {
            let (output, progress) = (&mut output, &progress);
            let fetch = Fetch {
                args,
                channel,
                output,
                progress,
            };
            fetch.run(&request)
        });
        match result {
            Ok(summary) => return Ok(summary),
            Err(failure) => {
                reasons.push(format!("get \"{file}\" from {server}: {failure}"));
                if !failure.is_about_the_address() {
                    break;
                }
            }
        }
    }
    progress.clear();
    Err(reasons.join("\nringboot: "))
}

/// A flag that Ctrl-C sets, so that the transfer ends tidily: the server is told, and the
/// temporary file is removed.
fn stop_flag() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("cannot listen for signals: {error}"))?;
    }
    Ok(stop)
}

/// Where to write; a directory gets the file under its own name.
fn output_path(args: &GetArgs) -> Result<PathBuf, String> {
    match &args.output {
        Some(path) if !path.is_dir() => Ok(path.clone()),
        Some(directory) => Ok(directory.join(own_name(args)?)),
        None => own_name(args),
    }
}

/// The last part of the name, however the server writes paths.
fn own_name(args: &GetArgs) -> Result<PathBuf, String> {
    use std::os::unix::ffi::OsStrExt;
    let name = args.file.as_bytes();
    let last = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next();
    match last {
        None | Some(b"" | b"." | b"..") => Err(format!(
            "\"{}\" does not end in a file name; say with -o where to write",
            printable(name)
        )),
        Some(last) => Ok(PathBuf::from(std::ffi::OsStr::from_bytes(last))),
    }
}
