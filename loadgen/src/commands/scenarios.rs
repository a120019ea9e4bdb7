//! `bootstorm scenarios`: what is shipped, and what one says. It never talks to a server.

use clap::{Args, Subcommand};

use super::Verdict;
use crate::scenario::{self, SHIPPED};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootstorm scenarios
  bootstorm scenarios show ipxe > mine.toml       # change it, then:
  bootstorm boot HOST --scenario ./mine.toml")]
pub struct Scenarios {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One line for each (what happens without a word too)
    List,
    /// The scenario's file, as it is read
    Show { name: String },
    /// Read a file and say whether it is right
    Check { file: String },
}

impl Scenarios {
    pub fn run(&self) -> Result<Verdict, String> {
        match &self.what {
            None | Some(What::List) => list()?,
            Some(What::Show { name }) => out!("{}", scenario::text_of(name)?),
            Some(What::Check { file }) => {
                let scenario = scenario::load(file)?;
                outln!(
                    "{file}: {}; {} requests",
                    scenario.title,
                    scenario.steps.len()
                );
            }
        }
        Ok(Verdict::Passed)
    }
}

fn list() -> Result<(), String> {
    for (name, _) in SHIPPED {
        let scenario = scenario::load(name)?;
        outln!(
            "{name:<16} {:>2} requests  {}",
            scenario.steps.len(),
            scenario.title
        );
    }
    Ok(())
}
