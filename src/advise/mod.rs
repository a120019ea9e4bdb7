//! What the operator asks before clients do: `ringboot explain`, `ringboot check`, `ringboot config`.
//! It never serves: what it opens it closes, and it changes nothing.

mod check;
mod config;
mod explain;
mod rights;

pub use check::check;
pub use config::config;
pub use explain::explain;

use std::io::{self, Write};

/// The answer is yes: the request would be served, the configuration is good.
const GOOD: u8 = 0;
const BAD: u8 = 1;
const USAGE: u8 = 2;

/// Prints lines on standard output; a reader that has gone away is no failure of ours.
fn say(lines: &[String]) {
    let mut out = io::stdout().lock();
    for line in lines {
        if writeln!(out, "{line}").is_err() {
            return;
        }
    }
}
