//! The program: reads the command line and hands over to the command.
//! It never does a command's work.

use std::process::ExitCode;

use clap::Parser;
use ringboot::cli::{Cli, Command, LogFormat, ServeArgs};
use ringboot::daemon;
use ringboot::observe::log;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Get(_) | Command::Probe(_) => ExitCode::FAILURE,
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
            eprintln!("ringboot: {error}");
            ExitCode::FAILURE
        }
    }
}
