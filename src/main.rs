//! The program: reads the command line and hands over to the command.
//! It never does a command's work.

use std::process::ExitCode;

use clap::Parser;
use ringboot::cli::{Cli, Command, LogFormat, ServeArgs};
use ringboot::observe::log;
use ringboot::{advise, client, daemon};

/// What was asked for cannot be meant: the same status as for wrong flags.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Get(args) => client::get(&args),
        Command::Probe(args) => client::probe(&args),
        Command::Check(args) => advise::check(&args.serve),
        Command::Explain(args) => advise::explain(&args),
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    let daemon::Asking { options, log } = match daemon::Asking::new(args) {
        Ok(asking) => asking,
        Err(unclear) => {
            log::last_words(&format!("ringboot: {unclear}"));
            return ExitCode::from(USAGE);
        }
    };
    log::init(match log {
        LogFormat::Auto => log::Format::Auto,
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    });
    match daemon::serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::FAILURE
        }
    }
}
