//! Several results of one storm, from as many processes or hosts, become one. Distributions are
//! added up whole, so nothing is averaged. It never merges what was measured in different ways.

use std::collections::BTreeMap;

use super::intervals::{self, Shifted};
use super::{
    Boots, Generator, Histogram, Latency, Packets, RunResult, SCHEMA, ServerUse, StepResult, curve,
};
use crate::slo;

/// One result with the loads of all of them, times counted from the earliest start.
pub fn merge(results: &[RunResult]) -> Result<RunResult, String> {
    let [first, others @ ..] = results else {
        return Err("there is nothing to merge".into());
    };
    if let Some(stranger) = results.iter().find(|result| result.schema != SCHEMA) {
        return Err(format!(
            "a result has schema {}, this program writes {SCHEMA}; results of different schemas are not merged",
            stranger.schema
        ));
    }
    let start = results
        .iter()
        .map(|result| result.started_at)
        .fold(f64::INFINITY, f64::min);
    let mut sum = from(first, start);
    for other in others {
        add(&mut sum, &from(other, start))?;
    }
    sum.intervals = intervals::merged(
        &results
            .iter()
            .map(|result| Shifted {
                intervals: &result.intervals,
                by: result.started_at - start,
            })
            .collect::<Vec<_>>(),
    )?;
    sum.objectives = slo::judge_again(&sum)?;
    Ok(sum)
}

/// A result with its times counted from `start`.
fn from(result: &RunResult, start: f64) -> RunResult {
    let later = result.started_at - start;
    let mut shifted = result.clone();
    shifted.started_at = start;
    shifted.wall_seconds += later;
    if let Some(boots) = &mut shifted.boots {
        boots.curve = curve::shifted(&boots.curve, later);
    }
    if let Some(why) = &mut shifted.generator.saturated {
        let host = result.plans.first().map_or("", |plan| &plan.host);
        *why = format!("{host}: {why}");
    }
    shifted
}

fn add(sum: &mut RunResult, part: &RunResult) -> Result<(), String> {
    sum.plans.extend(part.plans.iter().cloned());
    sum.wall_seconds = sum.wall_seconds.max(part.wall_seconds);
    sum.cut_short |= part.cut_short;
    add_generator(&mut sum.generator, &part.generator)?;
    sum.transfers.add(&part.transfers);
    match (&mut sum.boots, &part.boots) {
        (Some(boots), Some(more)) => add_boots(boots, more)?,
        (boots @ None, Some(more)) => *boots = Some(more.clone()),
        (_, None) => {}
    }
    add_packets(&mut sum.packets, &part.packets);
    add_latency(&mut sum.latency, &part.latency)?;
    add_map(&mut sum.granted, &part.granted);
    add_map(&mut sum.errors, &part.errors);
    sum.objectives.extend(part.objectives.iter().cloned());
    add_server(sum, part.server.as_ref());
    Ok(())
}

fn add_generator(sum: &mut Generator, part: &Generator) -> Result<(), String> {
    sum.threads += part.threads;
    join(&mut sum.io, &part.io);
    add_histogram(&mut sum.lateness, &part.lateness)?;
    sum.cpu_seconds += part.cpu_seconds;
    sum.busiest_thread = sum.busiest_thread.max(part.busiest_thread);
    sum.peak_memory += part.peak_memory;
    sum.without_machine += part.without_machine;
    match (&mut sum.saturated, &part.saturated) {
        (Some(why), Some(more)) => join(why, more),
        (why @ None, Some(more)) => *why = Some(more.clone()),
        (_, None) => {}
    }
    Ok(())
}

fn add_boots(sum: &mut Boots, part: &Boots) -> Result<(), String> {
    sum.begun += part.begun;
    sum.completed += part.completed;
    sum.curve = curve::merged(&sum.curve, &part.curve);
    add_map(&mut sum.gave_up, &part.gave_up);
    for step in &part.steps {
        add_step(&mut sum.steps, step)?;
    }
    Ok(())
}

/// Steps of one name together: a chain of file names is one step for people.
pub fn gather(steps: &[StepResult]) -> Result<Vec<StepResult>, String> {
    let mut sum = Vec::new();
    for step in steps {
        add_step(&mut sum, step)?;
    }
    Ok(sum)
}

fn add_step(sum: &mut Vec<StepResult>, step: &StepResult) -> Result<(), String> {
    let same =
        |known: &&mut StepResult| (&known.scenario, &known.label) == (&step.scenario, &step.label);
    match sum.iter_mut().find(same) {
        Some(known) => {
            known.transfers.add(&step.transfers);
            add_histogram(&mut known.time, &step.time)?;
        }
        None => sum.push(step.clone()),
    }
    Ok(())
}

fn add_packets(sum: &mut Packets, part: &Packets) {
    sum.sent += part.sent;
    sum.received += part.received;
    sum.bytes += part.bytes;
    sum.blocks += part.blocks;
    sum.duplicates += part.duplicates;
    sum.out_of_order += part.out_of_order;
    sum.requests_repeated += part.requests_repeated;
    sum.acks_repeated += part.acks_repeated;
    sum.strangers += part.strangers;
    add_map(&mut sum.impaired, &part.impaired);
    add_trace(&mut sum.impairment_trace, &part.impairment_trace);
}

/// A trace is a sum over all decisions, whoever made them.
fn add_trace(sum: &mut String, part: &str) {
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    match (number(sum), number(part)) {
        (Some(one), Some(other)) => *sum = format!("{:016x}", one.wrapping_add(other)),
        _ => join(sum, part),
    }
}

fn add_latency(sum: &mut Latency, part: &Latency) -> Result<(), String> {
    add_histogram(&mut sum.first_byte, &part.first_byte)?;
    add_histogram(&mut sum.block, &part.block)?;
    add_histogram(&mut sum.transfer, &part.transfer)?;
    add_histogram(&mut sum.boot, &part.boot)
}

fn add_histogram(sum: &mut Histogram, part: &Histogram) -> Result<(), String> {
    *sum = sum.merged(part)?;
    Ok(())
}

fn add_map(sum: &mut BTreeMap<String, u64>, part: &BTreeMap<String, u64>) {
    for (name, count) in part {
        *sum.entry(name.clone()).or_default() += count;
    }
}

/// Texts that differ stand beside each other.
fn join(sum: &mut String, part: &str) {
    if sum.is_empty() {
        part.clone_into(sum);
    } else if !part.is_empty() && !sum.split("; ").any(|known| known == part) {
        sum.push_str("; ");
        sum.push_str(part);
    }
}

/// All processes watched the same server: its use is not doubled, and its blocks are everybody's.
#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn add_server(sum: &mut RunResult, part: Option<&ServerUse>) {
    let most = [sum.server.take(), part.cloned()]
        .into_iter()
        .flatten()
        .max_by(|one, other| one.cpu_seconds.total_cmp(&other.cpu_seconds));
    sum.server = most.map(|mut server| {
        server.cpu_ns_per_block = if sum.packets.blocks > 0 {
            server.cpu_seconds * 1e9 / sum.packets.blocks as f64
        } else {
            0.0
        };
        server
    });
}

#[cfg(test)]
mod tests;
