//! `bootstorm search`: the largest farm that meets the objectives. It never counts a run in which
//! the generator was the limit as the server's failure.

use clap::{ArgGroup, Args};

use super::common::Common;
use super::live::{self, Stop};
use super::run::{ClientArgs, weighted};
use super::{Verdict, boot, run};
use crate::engine::Load;
use crate::report::searched;
use crate::result::RunResult;
use crate::slo::Slo;
use crate::slo::search::{self, Bounds, Tried};

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("load").required(true).args(["scenario", "file"])),
    after_help = "\
The search begins with --machines (--from is the same), doubles until a size fails, and halves between.
A size passes when --confirm runs of it pass and fails when as many miss, at most two. --json keeps the
last run of the largest size that passed.

Example:
  bootstorm search 10.0.0.1 --scenario pxelinux --slo 'p99(boot) < 90s, failed < 0.1%' --from 50 --to 5000"
)]
pub struct Search {
    #[command(flatten)]
    common: Common,

    /// What the machines boot: a shipped scenario or a file
    #[arg(long, short, value_name = "NAME[=WEIGHT]", value_parser = weighted)]
    scenario: Vec<(String, f64)>,

    /// The file that the machines fetch, where they do not boot
    #[arg(long, short, value_name = "NAME[=WEIGHT]", value_parser = weighted, conflicts_with = "scenario")]
    file: Vec<(String, f64)>,

    #[command(flatten)]
    client: ClientArgs,

    /// Try no more machines than this
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    to: u32,

    /// Runs that must agree on a size
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    confirm: u32,
}

/// The answer is known to one part in so many: runs differ by about as much.
const PRECISION: u64 = 20;

impl Search {
    /// Runs it.
    pub fn run(&self) -> Result<Verdict, String> {
        let Some(slo) = &self.common.measuring.slo else {
            return Err(
                "search needs --slo, such as --slo 'p99(boot) < 90s, failed < 0.1%'".into(),
            );
        };
        let bounds = Bounds {
            from: u64::from(self.common.machines.min(self.to)),
            to: u64::from(self.to),
            confirm: self.confirm,
            precision: PRECISION,
        };
        let stop = live::interruptible()?;
        let mut best: Option<RunResult> = None;
        let found = search::search(bounds, |machines| {
            let result = self.one(machines, slo, &stop)?;
            let tried = Tried {
                machines,
                objectives: result.objectives.clone(),
                saturated: result.generator.saturated.clone(),
            };
            self.say(&searched::line(&tried));
            let largest = best.as_ref().map_or(0, |best| best.plans[0].machines);
            if tried.passed() && machines >= largest {
                best = Some(result);
            }
            Ok(tried)
        })?;
        out!("{}", searched::text(&found));
        if let Some(best) = &best {
            outln!();
            live::publish(best, &self.common.measuring)?;
        }
        Ok(match (found.largest, found.saturated_at) {
            (_, Some(_)) => Verdict::Saturated,
            (None, None) => Verdict::Missed,
            (Some(_), None) => Verdict::Passed,
        })
    }

    fn one(&self, machines: u64, slo: &Slo, stop: &Stop) -> Result<RunResult, String> {
        let mut plan = self.common.plan(self.load()?)?;
        plan.machines = u32::try_from(machines).map_err(|_| "too many machines".to_owned())?;
        let mut result = live::measure(&plan, true, stop)?;
        if result.cut_short {
            return Err("the search was interrupted".into());
        }
        result.objectives = slo.judge(&result);
        Ok(result)
    }

    fn load(&self) -> Result<Load, String> {
        let slow = self.common.impairment.slow;
        if self.file.is_empty() {
            boot::load(&self.scenario, slow)
        } else {
            run::load(&self.file, &self.client, slow)
        }
    }

    fn say(&self, line: &str) {
        if !self.common.measuring.quiet {
            errln!("{line}");
        }
    }
}
