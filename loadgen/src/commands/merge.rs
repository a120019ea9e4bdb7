//! `bootstorm merge`: results of several hosts become one. It never averages.

use std::path::PathBuf;

use clap::Args;

use super::Verdict;
use crate::report::text;
use crate::result;

#[derive(Debug, Args)]
#[command(after_help = "\
Distributions are added up whole, so percentiles of the sum are exact; curves and intervals are put on
one clock. Hosts start together with --start-at. Results of another schema are refused.

Example:
  bootstorm merge rack1.json rack2.json -o storm.json")]
pub struct Merge {
    /// Results to merge
    #[arg(required = true, num_args = 2..)]
    results: Vec<PathBuf>,
    /// Where the merged result goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Merge {
    pub fn run(&self) -> Result<Verdict, String> {
        let results: Vec<_> = self
            .results
            .iter()
            .map(|path| result::read(path))
            .collect::<Result<_, _>>()?;
        let merged = result::merge(&results)?;
        result::write(&self.output, &merged)?;
        out!("{}", text::report(&merged));
        Ok(merged.verdict())
    }
}
