//! `ringboot config`: the settings in force, as a configuration file.
//! It never asks whether they can be served by: `check` does.

use std::process::ExitCode;

use super::{BAD, GOOD, USAGE, say};
use crate::cli::ServeArgs;
use crate::daemon;
use crate::observe::log;

/// Prints the settings that these flags, the environment and the file come to.
#[must_use]
pub fn config(args: &ServeArgs) -> ExitCode {
    let settings = match daemon::settings(args.into(), args.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    for warning in &settings.warnings {
        log::last_words(&format!("ringboot: warning: {warning}"));
    }
    match settings.show() {
        Ok(text) => {
            say(&[text.trim_end().to_owned()]);
            ExitCode::from(GOOD)
        }
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::from(BAD)
        }
    }
}
