//! `ringboot put`: asks every address of the server in turn until one takes the file.
//! It never calls a file stored before the server has acknowledged its last block.

mod send;
mod source;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::command::{RESOLVE_LIMIT, report, stop_flag};
use super::progress::Progress;
use super::resolve;
use super::terms::Asked;
use super::text::printable;
use crate::cli::PutArgs;
use send::{Sending, Summary};
use source::Source;

/// Sends the file and reports.
#[must_use]
pub fn put(args: &PutArgs) -> ExitCode {
    report(try_put(args), args.transfer.quiet)
}

fn try_put(args: &PutArgs) -> Result<Summary, String> {
    let name = name(args)?;
    let source = Source::open(&args.file, args.transfer.netascii)?;
    let asked = Asked {
        write: true,
        file: &name,
        netascii: args.transfer.netascii,
        blksize: args.transfer.blksize,
        windowsize: args.transfer.windowsize,
        tsize: (!args.transfer.netascii).then_some(source.len()),
        timeout: args.transfer.timeout,
    };
    let request = asked.request()?;
    let stop = stop_flag()?;
    let progress = Progress::new(!args.transfer.quiet);
    let mut reasons = Vec::new();
    for server in resolve(&args.server, RESOLVE_LIMIT)? {
        let sending = Sending::open(server, asked, &source, &progress, &stop);
        match sending.and_then(|sending| sending.run(&request)) {
            Ok(summary) => return Ok(summary),
            Err(failure) => {
                let name = printable(name.as_encoded_bytes());
                reasons.push(format!("put \"{name}\" to {server}: {failure}"));
                if !failure.is_about_the_address() {
                    break;
                }
            }
        }
    }
    progress.clear();
    Err(reasons.join("\nringboot: "))
}

/// The file's name at the server: its own, unless another was given.
fn name(args: &PutArgs) -> Result<OsString, String> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let own = (args.file != Path::new("-")).then(|| args.file.file_name());
    own.flatten().map(OsString::from).ok_or_else(|| {
        format!(
            "{} has no name for the server; say one with --as",
            args.file.display()
        )
    })
}
