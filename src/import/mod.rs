//! `ringboot import`: other servers' configurations as ours.
//! It never drops a line in silence: what has no counterpart becomes a comment.

pub mod dnsmasq;

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{ImportArgs, ImportCommand};
use crate::limits::CONFIG_MAX;
use crate::observe::log;

/// Translates a file.
#[must_use]
pub fn run(command: &ImportCommand) -> ExitCode {
    let ImportCommand::Dnsmasq(args) = command;
    match translate(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn translate(args: &ImportArgs) -> Result<(), String> {
    let file = args.file.display();
    let text = read(&args.file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let translation = dnsmasq::translate(&file.to_string(), &text);
    match &args.output {
        Some(path) => fs::write(path, &translation.toml)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
        None => io::stdout()
            .write_all(translation.toml.as_bytes())
            .map_err(|error| format!("cannot write: {error}"))?,
    }
    let ours = translation
        .notes
        .iter()
        .filter(|note| !note.foreign)
        .count();
    if ours > 0 {
        log::last_words(&format!(
            "ringboot: {ours} things need a look; they stand at the top of the result"
        ));
    }
    Ok(())
}

/// Bytes that are no text are in comments as a rule; they are shown as such.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path)?)
    };
    from.take(CONFIG_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CONFIG_MAX {
        return Err(io::Error::other(format!(
            "it is larger than {CONFIG_MAX} bytes"
        )));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
