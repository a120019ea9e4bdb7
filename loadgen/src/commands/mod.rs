//! The command line: the subcommands, their exit status, and those that need no server.
//! They print on standard output nothing but their result; what went wrong goes to standard error.

#[macro_use]
mod print;

mod boot;
pub mod common;
mod compare;
mod live;
mod make_root;
mod merge;
mod report;
mod run;
mod scenarios;
mod search;
mod view;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A load generator for TFTP servers: whole farms of booting machines from one process.
#[derive(Debug, Parser)]
#[command(
    name = "bootstorm",
    version,
    about,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 passed, 1 objective missed or transfers failed, 2 wrong usage or \
                  nothing could be run, 3 the generator, not the server, was the limit."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch files from many machines: closed and open load
    Run(Box<run::Run>),
    /// Boot many machines, each through all steps of its firmware
    Boot(Box<boot::Boot>),
    /// Find the largest farm that meets objectives
    Search(Box<search::Search>),
    /// Write a reproducible root directory: what the shipped scenarios ask for
    MakeRoot(make_root::MakeRoot),
    /// List the shipped scenarios, or show one
    Scenarios(scenarios::Scenarios),
    /// Add up the results of several processes or hosts
    Merge(merge::Merge),
    /// Say what got better and what worse between two results
    Compare(compare::Compare),
    /// Show a result again, or as a page for the browser
    Report(report::Report),
    /// Print the JSON schema of results
    Schema,
}

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// An objective was missed or transfers failed.
    Missed,
    /// The generator was the limit: the figures say little about the server.
    Saturated,
}

/// Reads the command line, does what it says, and returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => args.run(),
        Command::Boot(args) => args.run(),
        Command::Search(args) => args.run(),
        Command::MakeRoot(args) => args.run(),
        Command::Scenarios(args) => args.run(),
        Command::Merge(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Schema => {
            out!("{}", crate::result::schema());
            Ok(Verdict::Passed)
        }
    };
    match done {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::from(1),
        Ok(Verdict::Saturated) => ExitCode::from(3),
        Err(error) => {
            errln!("bootstorm: {error}");
            ExitCode::from(2)
        }
    }
}

/// "5%", for flags that take a share.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.trim().parse::<f64>() {
        Ok(value) if (0.0..=1000.0).contains(&value) => Ok(value),
        _ => Err("wanted a share such as 5%, up to 1000%".into()),
    }
}
