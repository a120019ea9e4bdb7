//! Results in plain words, for the terminal and the page alike. It never formats tables.

use crate::report::units::{bytes, count, counted, nanos, rate, seconds, share};
use crate::result::{Boots, Histogram, Plan, RunResult, ServerUse, Transfers};

/// The answer in one line: "500 machines: 498 up, last after 81.2 s; 2 gave up at kernel: timed out".
#[must_use]
pub fn headline(result: &RunResult) -> String {
    match &result.boots {
        Some(boots) => boots_headline(result, boots),
        None => transfers_headline(result),
    }
}

fn boots_headline(result: &RunResult, boots: &Boots) -> String {
    let mut out = format!(
        "{}: {} up",
        counted(boots.begun, "machine", "machines"),
        if boots.completed == boots.begun && boots.begun > 1 {
            "all".to_owned()
        } else {
            count(boots.completed)
        }
    );
    if let Some((last, _)) = boots.curve.last() {
        out += &format!(", last after {}", seconds(*last));
    }
    // The most frequent reason stands in the headline, all of them below it.
    let mut reasons: Vec<(&String, &u64)> = boots.gave_up.iter().collect();
    reasons.sort_by_key(|(_, machines)| std::cmp::Reverse(**machines));
    if let Some((reason, machines)) = reasons.first() {
        out += &format!("; {} gave up at {reason}", count(**machines));
    }
    let others: u64 = reasons.iter().skip(1).map(|(_, machines)| **machines).sum();
    if others > 0 {
        out += &format!(", {} elsewhere", count(others));
    }
    let silent = result.transfers.vanished;
    let under_way = boots
        .begun
        .saturating_sub(boots.completed + boots.given_up() + silent);
    if under_way > 0 {
        out += &format!("; {} still on their way", count(under_way));
    }
    if silent > 0 {
        out += &format!("; {} vanished on purpose", count(silent));
    }
    out
}

fn transfers_headline(result: &RunResult) -> String {
    let transfers = &result.transfers;
    let failed = transfers.failed();
    let mut out = format!("{}: ", counted(transfers.begun, "transfer", "transfers"));
    if failed == 0 {
        out += "none failed";
    } else {
        out += &format!(
            "{} failed ({})",
            count(failed),
            share(failed, transfers.begun)
        );
    }
    if transfers.vanished > 0 {
        out += &format!(", {} vanished on purpose", count(transfers.vanished));
    }
    out + &format!(
        "; {} over {}",
        rate(result.rate()),
        seconds(result.wall_seconds)
    )
}

/// A line for each way in which something failed.
#[must_use]
pub fn failures(result: &RunResult) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(boots) = &result.boots
        && boots.gave_up.len() > 1
    {
        for (reason, machines) in &boots.gave_up {
            out.push(format!(
                "{} gave up at {reason}",
                counted(*machines, "machine", "machines")
            ));
        }
    }
    let transfers = &result.transfers;
    for (number, meaning) in [
        (transfers.corrupt, "brought wrong bytes"),
        (transfers.wrong_length, "brought a file of the wrong length"),
        (transfers.timed_out, "timed out: the server fell silent"),
        (transfers.refused, "refused by the server"),
        (
            transfers.violated,
            "ended because the server broke the protocol",
        ),
        (
            transfers.cut,
            "were still under way when the run was cut short",
        ),
    ] {
        if number > 0 {
            out.push(format!(
                "{} {meaning}",
                counted(number, "transfer", "transfers")
            ));
        }
    }
    out
}

/// How the transfers of one step ended, in few words.
#[must_use]
pub fn step_ends(transfers: &Transfers) -> String {
    let mut parts: Vec<String> = transfers
        .named()
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(name, number)| format!("{} {name}", count(number)))
        .collect();
    // Nothing but completed is what everybody expects.
    if transfers.completed == transfers.begun {
        parts.clear();
    }
    parts.join(", ")
}

/// p50, p99 and max, empty where nothing was measured.
#[must_use]
pub fn step_times(time: &Histogram) -> [String; 3] {
    if time.count == 0 {
        return Default::default();
    }
    [time.p50, time.p99, time.max].map(nanos)
}

/// What the server's process used.
#[must_use]
pub fn server_line(server: &ServerUse) -> String {
    format!(
        "pid {}: {} CPU, {} for each block; memory {} before, {} at its peak, {} after",
        server.pid,
        seconds(server.cpu_seconds),
        seconds(server.cpu_ns_per_block / 1e9),
        bytes(server.memory_before),
        bytes(server.memory_peak),
        bytes(server.memory_after),
    )
}

/// Whether the generator can be trusted.
#[must_use]
pub fn generator_line(result: &RunResult) -> String {
    let generator = &result.generator;
    let waited = match generator.without_machine {
        0 => String::new(),
        starts => format!(
            "; {} found every machine busy and waited for one",
            counted(starts, "start", "starts")
        ),
    };
    format!(
        "{}, {}; {} CPU, busiest thread {:.0} %; {} memory; late by {} (p99), {} (max){waited}",
        counted(u64::from(generator.threads), "thread", "threads"),
        generator.io,
        seconds(generator.cpu_seconds),
        generator.busiest_thread * 100.0,
        bytes(generator.peak_memory),
        nanos(generator.lateness.p99),
        nanos(generator.lateness.max),
    )
}

/// What was to be done.
#[must_use]
pub fn plan_line(plan: &Plan) -> String {
    format!(
        "{} {}: {}, {}, {}; addresses {}; from {}",
        plan.command,
        plan.target,
        counted(plan.machines, "machine", "machines"),
        plan.load,
        plan.arrival,
        plan.sources,
        plan.host,
    )
}
