//! The program: reads the command line and hands over to the command.
//! It never does a command's work.

use std::process::ExitCode;

use clap::Parser;
use ringboot::cli::{Cli, Command};
use ringboot::client;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve(&args),
        Command::Get(args) => client::get(&args),
        Command::Probe(args) => client::probe(&args),
    }
}

fn serve(args: &ringboot::cli::ServeArgs) -> ExitCode {
    eprintln!("ringboot: serve {}: not built yet", args.root().display());
    ExitCode::FAILURE
}
