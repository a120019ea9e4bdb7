//! What `get` and `put` have in common as commands: signals, the last line, the exit status.
//! It never sends anything.

use core::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A resolver that needs longer has failed.
pub const RESOLVE_LIMIT: Duration = Duration::from_secs(30);

/// Says how it went.
pub fn report(result: Result<impl Display, String>, quiet: bool) -> ExitCode {
    match result {
        Ok(summary) => {
            if !quiet {
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
fn say(line: &dyn Display) {
    let _ = writeln!(io::stderr(), "ringboot: {line}");
}

/// A flag that Ctrl-C sets, so that the transfer ends tidily: the server is told,
/// and no part of a file is left.
pub fn stop_flag() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| format!("cannot listen for signals: {error}"))?;
    }
    Ok(stop)
}
