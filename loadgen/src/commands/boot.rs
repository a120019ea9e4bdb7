//! `bootstorm boot`: whole boots, step by step, as firmware does them.
//! It never knows a scenario by heart: they are files.

use std::time::Duration;

use clap::Args;

use super::Verdict;
use super::common::Common;
use super::live;
use crate::engine::Load;
use crate::scenario;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootstorm boot 10.0.0.1 --machines 500 --scenario pxelinux
  bootstorm boot 10.0.0.1 -m 500 --scenario ipxe=3 --scenario u-boot=1 --arrival racks:40/15
  bootstorm boot 10.0.0.1 -m 100 --scenario ./mine.toml --check dir:/srv/tftp")]
pub struct Boot {
    #[command(flatten)]
    common: Common,

    /// What the machines do: a shipped scenario (see bootstorm scenarios) or a file; several are
    /// chosen from by weight
    #[arg(long, short, value_name = "NAME[=WEIGHT]", required = true, value_parser = super::run::weighted)]
    scenario: Vec<(String, f64)>,
}

impl Boot {
    /// Runs it.
    pub fn run(&self) -> Result<Verdict, String> {
        let load = load(&self.scenario, self.common.impairment.slow)?;
        live::run(&self.common.plan(load)?, &self.common.measuring)
    }
}

/// Scenarios with their weights; each client takes `slow` more for each block.
pub(super) fn load(scenarios: &[(String, f64)], slow: Duration) -> Result<Load, String> {
    let mut weighted = Vec::new();
    for (name, weight) in scenarios {
        let mut scenario = scenario::load(name)?;
        for step in &mut scenario.steps {
            step.habits.block_time += slow;
        }
        weighted.push((scenario, *weight));
    }
    Ok(Load::Boots(weighted))
}
