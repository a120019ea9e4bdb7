//! The program: reads the command line and hands over to the command.
//! It never does a command's work.

use std::process::ExitCode;

use clap::Parser;
use ringboot::cli::{Cli, Command, LogFormat, ServeArgs};
use ringboot::observe::log;
use ringboot::{client, daemon};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Get(args) => client::get(&args),
        Command::Probe(args) => client::probe(&args),
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    log::init(match args.log {
        LogFormat::Auto => log::Format::Auto,
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    });
    match daemon::serve(&args.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::FAILURE
        }
    }
}
