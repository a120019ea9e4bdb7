//! `ringboot get`: asks every address of the server in turn until one delivers the file.
//! It never leaves a part of a file under the name that was asked for.

mod channel;
mod fetch;
mod output;
mod receiver;
mod rtt;

use std::path::PathBuf;
use std::process::ExitCode;

use super::command::{RESOLVE_LIMIT, report, stop_flag};
use super::progress::Progress;
use super::resolve;
use super::terms::Asked;
use super::text::printable;
use crate::cli::GetArgs;
use channel::Channel;
use fetch::{Fetch, Summary};
use output::Output;

/// Fetches the file and reports.
#[must_use]
pub fn get(args: &GetArgs) -> ExitCode {
    report(try_get(args), args.transfer.quiet)
}

fn try_get(args: &GetArgs) -> Result<Summary, String> {
    let file = printable(args.file.as_encoded_bytes());
    let asked = Asked {
        write: false,
        file: &args.file,
        netascii: args.transfer.netascii,
        blksize: args.transfer.blksize,
        windowsize: args.transfer.windowsize,
        tsize: (!args.transfer.netascii).then_some(0),
        timeout: args.transfer.timeout,
    };
    let request = asked.request()?;
    let stop = stop_flag()?;
    let addresses = resolve(&args.server, RESOLVE_LIMIT)?;
    let mut output = Output::open(&output_path(args)?, args.transfer.netascii)?;
    let progress = Progress::new(!args.transfer.quiet);

    let mut reasons = Vec::new();
    for server in addresses {
        let channel = Channel::open(server, args.transfer.timeout, args.retries, &stop);
        let result = channel.and_then(|channel| {
            let (output, progress) = (&mut output, &progress);
            let fetch = Fetch {
                asked,
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
