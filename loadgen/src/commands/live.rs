//! Runs a plan before the eyes of the user: the plan first, progress, the report.
//! It never changes a figure.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Verdict;
use super::common::MeasureArgs;
use super::view::{Goal, View};
use crate::engine::{self, EnginePlan, Outlook, Progress, Watcher};
use crate::report::{html, text};
use crate::result::{self, RunResult};

/// As shells say it: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Set, it ends the run.
pub type Stop = Arc<AtomicBool>;

/// Runs a plan to its report.
pub fn run(plan: &EnginePlan, measuring: &MeasureArgs) -> Result<Verdict, String> {
    let stop = interruptible()?;
    let mut result = measure(plan, measuring.quiet, &stop)?;
    if let Some(slo) = &measuring.slo {
        result.objectives = slo.judge(&result);
    }
    publish(&result, measuring)?;
    Ok(result.verdict())
}

/// Runs a plan and returns what it showed; `quiet` keeps plan and progress to itself.
pub fn measure(plan: &EnginePlan, quiet: bool, stop: &Stop) -> Result<RunResult, String> {
    let mut view = View::new(Goal::of(plan));
    let mut outlook = |outlook: &Outlook| {
        if !quiet {
            announce(outlook);
        }
    };
    let mut progress = |progress: &Progress| {
        if !quiet {
            view.show(progress);
        }
    };
    let watcher = Watcher {
        outlook: &mut outlook,
        progress: &mut progress,
        stop: Arc::clone(stop),
    };
    engine::run(plan, watcher).map_err(|error| error.to_string())
}

/// The first Ctrl-C ends the run with what there is, the second ends at once.
pub fn interruptible() -> Result<Stop, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| format!("signals: {error}"))?;
    }
    Ok(stop)
}

fn announce(outlook: &Outlook) {
    let Outlook {
        server,
        command,
        load,
        machines,
        arrival,
        sources,
        impairment,
        threads,
        packets,
    } = outlook;
    errln!("{command} {server}: {load}");
    errln!("{machines} machines, {arrival}; addresses: {sources}; threads: {threads}");
    if !impairment.is_empty() {
        errln!("impairment: {impairment}");
    }
    match packets {
        Some(packets) => errln!("about {packets} DATA packets are expected"),
        None => errln!("how many packets it will be is not known (see --check and --count)"),
    }
}

/// The report for people, and the document.
pub fn publish(result: &RunResult, measuring: &MeasureArgs) -> Result<(), String> {
    let on_stdout = measuring
        .json
        .as_ref()
        .is_some_and(|path| path.as_os_str() == "-");
    if !measuring.quiet {
        let text = text::report(result);
        if on_stdout {
            err!("{text}");
        } else {
            out!("{text}");
        }
    }
    if let Some(path) = &measuring.html {
        let name = result.plans.first().map_or("", |plan| &plan.target);
        let page = html::page(None, &[html::Named { name, result }]);
        fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let Some(path) = &measuring.json else {
        return Ok(());
    };
    if on_stdout {
        let json = serde_json::to_string_pretty(result).map_err(|error| error.to_string())?;
        outln!("{json}");
        return Ok(());
    }
    result::write(path, result)
}
