//! Man pages and completions, from the same definition as the command line.
//! It never describes anything in words of its own.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, GenerateCommand};

/// What completions complete, and pages are about.
const NAME: &str = "ringboot";

#[must_use]
pub fn run(command: &GenerateCommand) -> ExitCode {
    let result = match command {
        GenerateCommand::Man { dir } => pages(dir),
        GenerateCommand::Completions { shell } => completions(*shell),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln`, which panics when nobody reads.
            let _ = writeln!(io::stderr(), "ringboot: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `ringboot.1`, and `ringboot-COMMAND.1` for each command.
fn pages(dir: &Path) -> io::Result<()> {
    let failed = |error| {
        let dir = dir.display();
        io::Error::other(format!("cannot write man pages to {dir}: {error}"))
    };
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(failed)
}

fn completions(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    io::stdout().write_all(&script)
}
