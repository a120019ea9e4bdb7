//! The program: reads the command line and hands over to the command.
//! It never does a command's work.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, exit};

use clap::Parser;
use ringboot::cli::{Cli, Command, LogFormat, ServeArgs};
use ringboot::observe::log;
use ringboot::{advise, client, daemon, generate, import, top};

/// What was asked for cannot be meant: the same status as for wrong flags.
const USAGE: u8 = 2;

/// What in.tftpd says of wrong flags (EX_USAGE).
const SYSEXITS_USAGE: i32 = 64;

fn main() -> ExitCode {
    match command() {
        Command::Serve(args) => serve(&args),
        Command::Get(args) => client::get(&args),
        Command::Put(args) => client::put(&args),
        Command::Probe(args) => client::probe(&args),
        Command::Check(args) => advise::check(&args.serve),
        Command::Config(args) => advise::config(&args.serve),
        Command::Explain(args) => advise::explain(&args),
        Command::Top(args) => top::run(&args),
        Command::InTftpd(args) => daemon::in_tftpd(&args),
        Command::Import(command) => import::run(&command),
        Command::Generate(command) => generate::run(&command),
    }
}

/// What to do; by the name in.tftpd (a link will do) that of tftp-hpa's server.
fn command() -> Command {
    let mut words: Vec<OsString> = env::args_os().collect();
    let called = words.first().map(Path::new).and_then(Path::file_name);
    let alias = called.filter(|name| ["in.tftpd", "tftpd"].iter().any(|alias| name == alias));
    if let Some(alias) = alias.map(ToOwned::to_owned) {
        words.insert(1, alias);
    }
    let as_in_tftpd = words
        .get(1)
        .is_some_and(|word| ["in.tftpd", "tftpd"].iter().any(|alias| word == alias));
    match Cli::try_parse_from(words) {
        Ok(cli) => cli.command,
        Err(error) if as_in_tftpd && error.use_stderr() => {
            let _ = error.print();
            exit(SYSEXITS_USAGE)
        }
        Err(error) => error.exit(),
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    let asking = match daemon::Asking::new(args) {
        Ok(asking) => asking,
        Err(unclear) => {
            log::last_words(&format!("ringboot: {unclear}"));
            return ExitCode::from(USAGE);
        }
    };
    log::init(form(asking.log), asking.level);
    for warning in &asking.settings.warnings {
        tracing::warn!("{warning}");
    }
    match daemon::serve(args, &asking) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::FAILURE
        }
    }
}

const fn form(format: LogFormat) -> log::Format {
    match format {
        LogFormat::Auto => log::Format::Auto,
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
        LogFormat::Journald => log::Format::Journald,
    }
}
