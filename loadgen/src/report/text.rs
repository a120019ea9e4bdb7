//! A result as text for the terminal: the answer first, then what it rests on.
//! It never prints by itself.

mod words;

use std::fmt::Write;

use super::table::{Align, Table};
use super::units::{bytes, count, counted, nanos, rate, seconds, share};
use crate::result::{Boots, Histogram, Plan, RunResult, StepResult};
pub use words::{
    failures, generator_line, headline, plan_line, server_line, step_ends, step_times,
};

/// The whole report. What a server sent may hold anything; a terminal is given text.
#[must_use]
pub fn report(result: &RunResult) -> String {
    let text = whole(result);
    text.replace(
        |letter: char| letter.is_control() && letter != '\n',
        "\u{fffd}",
    )
}

fn whole(result: &RunResult) -> String {
    let mut out = String::new();
    warnings(&mut out, result);
    line(&mut out, &headline(result));
    for failure in failures(result) {
        line(&mut out, &format!("  {failure}"));
    }
    objectives(&mut out, result);
    latencies(&mut out, result);
    if let Some(boots) = &result.boots {
        steps(&mut out, boots);
    }
    traffic(&mut out, result);
    conditions(&mut out, result);
    out
}

/// What must be known before anything else is believed.
fn warnings(out: &mut String, result: &RunResult) {
    if let Some(why) = &result.generator.saturated {
        line(out, "!! THE GENERATOR, NOT THE SERVER, WAS THE LIMIT");
        line(out, &format!("!! {why}"));
        line(
            out,
            "!! These figures say little about the server: use more cores or hosts, and merge.",
        );
        out.push('\n');
    }
    if result.cut_short {
        line(
            out,
            "The run was cut short: the figures are of what there was until then.",
        );
    }
}

fn objectives(out: &mut String, result: &RunResult) {
    if result.objectives.is_empty() {
        return;
    }
    out.push('\n');
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left]);
    for objective in &result.objectives {
        table.row([
            if objective.met { "met" } else { "MISSED" }.into(),
            objective.text.clone(),
            format!("measured {}", objective.measured),
        ]);
    }
    out.push_str(&table.text());
}

fn latencies(out: &mut String, result: &RunResult) {
    let rows = [
        ("boot", &result.latency.boot),
        ("transfer", &result.latency.transfer),
        ("first byte", &result.latency.first_byte),
        ("block", &result.latency.block),
    ];
    if rows.iter().all(|(_, histogram)| histogram.count == 0) {
        return;
    }
    out.push('\n');
    let mut table = Table::new(&[
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
    ]);
    table.row(
        [
            "from the intended start",
            "count",
            "mean",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
        ]
        .map(String::from),
    );
    for (name, histogram) in rows {
        if histogram.count > 0 {
            table.row(latency_row(name, histogram));
        }
    }
    out.push_str(&table.text());
}

fn latency_row(name: &str, histogram: &Histogram) -> [String; 8] {
    [
        name.to_owned(),
        count(histogram.count),
        seconds(histogram.mean / 1e9),
        nanos(histogram.p50),
        nanos(histogram.p90),
        nanos(histogram.p99),
        nanos(histogram.p999),
        nanos(histogram.max),
    ]
}

fn steps(out: &mut String, boots: &Boots) {
    if boots.steps.is_empty() {
        return;
    }
    let several = boots
        .steps
        .iter()
        .any(|step| step.scenario != boots.steps[0].scenario);
    out.push('\n');
    let mut table = Table::new(&[
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ]);
    table.row(["step", "transfers", "p50", "p99", "max", ""].map(String::from));
    for step in &boots.steps {
        table.row(step_row(step, several));
    }
    out.push_str(&table.text());
}

fn step_row(step: &StepResult, several: bool) -> [String; 6] {
    let label = if several {
        format!("{}: {}", step.scenario, step.label)
    } else {
        step.label.clone()
    };
    let [p50, p99, max] = step_times(&step.time);
    [
        label,
        count(step.transfers.begun),
        p50,
        p99,
        max,
        step_ends(&step.transfers),
    ]
}

fn traffic(out: &mut String, result: &RunResult) {
    let packets = &result.packets;
    out.push('\n');
    line(
        out,
        &format!(
            "traffic    {} of files in {}, {} at {}",
            bytes(packets.bytes),
            counted(packets.blocks, "block", "blocks"),
            seconds(result.wall_seconds),
            rate(result.rate()),
        ),
    );
    line(
        out,
        &format!(
            "packets    {} sent, {} received; repeated {}, {}; {} twice ({}), {} after a gap",
            count(packets.sent),
            count(packets.received),
            counted(packets.requests_repeated, "request", "requests"),
            counted(packets.acks_repeated, "ACK", "ACKs"),
            counted(packets.duplicates, "block", "blocks"),
            share(packets.duplicates, packets.blocks),
            count(packets.out_of_order),
        ),
    );
    if packets.strangers > 0 {
        line(
            out,
            &format!(
                "strangers  {} from a port that nobody talked to",
                counted(packets.strangers, "packet", "packets")
            ),
        );
    }
    list(out, "impaired", &packets.impaired);
    list(out, "granted", &result.granted);
    list(out, "errors", &result.errors);
}

fn list(out: &mut String, name: &str, counts: &std::collections::BTreeMap<String, u64>) {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    for (place, (what, number)) in sorted.into_iter().enumerate() {
        let name = if place == 0 { name } else { "" };
        let what = what.replace('\n', " ");
        line(out, &format!("{name:<10} {:>9} × {what}", count(*number)));
    }
}

fn conditions(out: &mut String, result: &RunResult) {
    out.push('\n');
    if let Some(server) = &result.server {
        line(out, &format!("server     {}", server_line(server)));
    }
    line(out, &format!("generator  {}", generator_line(result)));
    for plan in &result.plans {
        line(out, &format!("plan       {}", plan_line(plan)));
        impairment(out, plan);
    }
}

fn impairment(out: &mut String, plan: &Plan) {
    if !plan.impairment.is_empty() {
        line(
            out,
            &format!(
                "           impaired: {}; --seed {} repeats it",
                plan.impairment, plan.seed
            ),
        );
    }
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests;
