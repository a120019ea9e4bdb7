//! `bootstorm report`: a result as text, or as a page for the browser. It never measures.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Verdict;
use crate::report::html::{self, Named};
use crate::report::text;
use crate::result::{self, RunResult};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootstorm report storm.json                                    # on the terminal
  bootstorm report storm.json -o storm.html                      # one page, nothing fetched from elsewhere
  bootstorm report ringboot=a.json dnsmasq=b.json -o page.html   # beside each other")]
pub struct Report {
    /// Results; NAME=FILE says what one is called on the page
    #[arg(required = true, value_name = "[NAME=]FILE")]
    results: Vec<String>,
    /// Write a page for the browser
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// The page's title; default: the answer
    #[arg(long, requires = "output")]
    title: Option<String>,
}

impl Report {
    pub fn run(&self) -> Result<Verdict, String> {
        let results: Vec<(String, RunResult)> = self
            .results
            .iter()
            .map(|named| read(named))
            .collect::<Result<_, _>>()?;
        let Some(output) = &self.output else {
            print_all(&results);
            return Ok(Verdict::Passed);
        };
        let named: Vec<Named> = results
            .iter()
            .map(|(name, result)| Named { name, result })
            .collect();
        let page = html::page(self.title.as_deref(), &named);
        fs::write(output, page).map_err(|error| format!("{}: {error}", output.display()))?;
        Ok(Verdict::Passed)
    }
}

fn print_all(results: &[(String, RunResult)]) {
    for (name, result) in results {
        if results.len() > 1 {
            outln!("== {name}");
        }
        outln!("{}", text::report(result).trim_end());
        if results.len() > 1 {
            outln!();
        }
    }
}

/// Without a name, the file's own without its ending.
fn read(named: &str) -> Result<(String, RunResult), String> {
    let (name, path) = match named.split_once('=') {
        Some((name, path)) if !Path::new(named).exists() => (Some(name), Path::new(path)),
        _ => (None, Path::new(named)),
    };
    let name = name.map_or_else(
        || {
            path.file_stem()
                .map_or(named.into(), |stem| stem.to_string_lossy().into_owned())
        },
        str::to_owned,
    );
    Ok((name, result::read(path)?))
}
