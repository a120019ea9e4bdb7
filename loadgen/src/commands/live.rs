//! Runs a plan before the eyes of the user: the plan first, progress, the report.
//! It never changes a figure.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::Verdict;
use super::common::MeasureArgs;
use crate::engine::{self, EnginePlan, Outlook, Progress, Watcher};
use crate::report::units::nanos;
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
    let live = io::stderr().is_terminal();
    let mut outlook = |outlook: &Outlook| {
        if !quiet {
            announce(outlook);
        }
    };
    let mut progress = |progress: &Progress| {
        if !quiet {
            show(progress, live);
        }
    };
    let watcher = Watcher {
        outlook: &mut outlook,
        progress: &mut progress,
        stop: Arc::clone(stop),
    };
    let result = engine::run(plan, watcher).map_err(|error| error.to_string())?;
    if live && !quiet {
        eprintln!();
    }
    Ok(result)
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
    eprintln!("{command} {server}: {load}");
    eprintln!("{machines} machines, {arrival}; addresses: {sources}; threads: {threads}");
    if !impairment.is_empty() {
        eprintln!("impairment: {impairment}");
    }
    match packets {
        Some(packets) => eprintln!("about {packets} DATA packets are expected"),
        None => eprintln!("how many packets it will be is not known (see --check and --count)"),
    }
}

fn show(progress: &Progress, live: bool) {
    let Progress {
        interval,
        completed,
        failed,
        boots_up,
        transfer_p50,
    } = progress;
    let rate = interval.bytes as f64 / interval.seconds.max(1e-9) / 1e6;
    let at = interval.start + interval.seconds;
    let mut line = format!(
        "{at:6.1} s  {} active  {completed} done  {failed} failed  {rate:.1} MB/s  \
         first byte p99 {}  block p99 {}  transfer p50 {}",
        interval.active,
        nanos(interval.first_byte_p99),
        nanos(interval.block_p99),
        nanos(*transfer_p50),
    );
    if *boots_up > 0 {
        line.push_str(&format!("  {boots_up} up"));
    }
    let mut out = io::stderr().lock();
    // Nobody may be looking any more.
    let _ = if live {
        write!(out, "\r\x1b[K{line}").and_then(|()| out.flush())
    } else {
        writeln!(out, "{line}")
    };
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
            eprint!("{text}");
        } else {
            print!("{text}");
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
        println!("{json}");
        return Ok(());
    }
    result::write(path, result)
}
