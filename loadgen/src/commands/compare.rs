//! `bootstorm compare`: what got better and what worse between two results. It never calls the
//! spread of runs a difference.

use std::fs;
use std::path::Path;

use clap::Args;

use super::{Verdict, percent};
use crate::report::compared;
use crate::result::compare::{compare, worse_than};
use crate::result::{self, RunResult};

#[derive(Debug, Args)]
#[command(after_help = "\
Each side is one result, several with commas between them, or a directory of results. With several
runs on a side, a difference that the runs of one side have among themselves is called noise.

Examples:
  bootstorm compare before.json after.json --fail-above 5%
  bootstorm compare a1.json,a2.json,a3.json b1.json,b2.json,b3.json
  bootstorm compare results/before results/after")]
pub struct Compare {
    /// What was
    before: String,
    /// What is
    after: String,
    /// Exit with 1 when anything got worse by more than this
    #[arg(long, value_name = "N%", value_parser = percent)]
    fail_above: Option<f64>,
}

impl Compare {
    pub fn run(&self) -> Result<Verdict, String> {
        let (before, after) = (side(&self.before)?, side(&self.after)?);
        let rows = compare(&before, &after);
        if rows.is_empty() {
            return Err("these results have no measure in common".into());
        }
        out!("{}", compared::text(&rows, before.len(), after.len()));
        let Some(limit) = self.fail_above else {
            return Ok(Verdict::Passed);
        };
        let worse: Vec<&str> = worse_than(&rows, limit / 100.0)
            .map(|row| row.metric.name)
            .collect();
        if worse.is_empty() {
            return Ok(Verdict::Passed);
        }
        outln!("\nworse by more than {limit} %: {}", worse.join(", "));
        Ok(Verdict::Missed)
    }
}

/// The results that one argument names.
fn side(named: &str) -> Result<Vec<RunResult>, String> {
    let path = Path::new(named);
    if !path.is_dir() {
        return named
            .split(',')
            .map(|path| result::read(Path::new(path)))
            .collect();
    }
    let unreadable = |error| format!("{named}: {error}");
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|end| end == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(format!("{named}: no .json file in it"));
    }
    files.sort();
    files.iter().map(|file| result::read(file)).collect()
}
