//! What the answer rests on: steps, counts, options, errors and the conditions of the run.
//! It never draws.

use std::collections::BTreeMap;

use super::sections::objectives;
use super::tables::table;
use super::{Named, escaped};
use crate::report::text::{
    generator_line, headline, plan_line, server_line, step_ends, step_times,
};
use crate::report::units::count;
use crate::result::{Boots, RunResult};

/// Everything else that a result holds.
pub fn all(named: &Named<'_>, several: bool) -> String {
    let result = named.result;
    let mut out = String::from("<section class=\"details\">\n");
    if several {
        out += &format!(
            "<h2>{}</h2>\n<p class=\"headline\">{}</p>\n",
            escaped(named.name),
            escaped(&headline(result))
        );
        out += &objectives(result);
    }
    if let Some(boots) = &result.boots {
        out += &steps(boots, several);
    }
    out += "<div class=\"columns\">\n";
    out += &transfers(result);
    out += &packets(result);
    out += &counts("Options granted", "transfers", &result.granted);
    out += &counts("Errors from the server", "packets", &result.errors);
    out += &counts("Impaired on purpose", "packets", &result.packets.impaired);
    out += "</div>\n";
    out += &conditions(result);
    out + "</section>\n"
}

fn steps(boots: &Boots, several: bool) -> String {
    if boots.steps.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = boots
        .steps
        .iter()
        .map(|step| {
            let mut row = vec![
                step.label.clone(),
                step.scenario.clone(),
                count(step.transfers.begun),
            ];
            row.extend(step_times(&step.time));
            row.push(step_ends(&step.transfers));
            row
        })
        .collect();
    let heading = if several { "h3" } else { "h2" };
    format!(
        "<{heading}>Steps of the boot</{heading}>\n<div class=\"scroll steps\">{}</div>\n",
        table(
            "",
            &[
                "step",
                "scenario",
                "transfers",
                "p50",
                "p99",
                "max",
                "how they ended"
            ],
            &rows
        )
    )
}

fn transfers(result: &RunResult) -> String {
    let mut rows = vec![vec!["begun".to_owned(), count(result.transfers.begun)]];
    for (name, number) in result.transfers.named() {
        if number > 0 {
            rows.push(vec![name.to_owned(), count(number)]);
        }
    }
    card("Transfers", &["", "number"], &rows)
}

fn packets(result: &RunResult) -> String {
    let packets = &result.packets;
    let rows: Vec<Vec<String>> = [
        ("sent", packets.sent),
        ("received", packets.received),
        ("blocks, new and in order", packets.blocks),
        ("blocks that came twice", packets.duplicates),
        ("blocks after a gap", packets.out_of_order),
        ("requests repeated", packets.requests_repeated),
        ("ACKs repeated", packets.acks_repeated),
        ("from strangers", packets.strangers),
    ]
    .into_iter()
    .map(|(name, number)| vec![name.to_owned(), count(number)])
    .collect();
    card("Packets", &["", "number"], &rows)
}

fn counts(title: &str, unit: &str, counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
    let rows: Vec<Vec<String>> = sorted
        .into_iter()
        .map(|(what, number)| {
            let what = if what.is_empty() { "none" } else { what };
            vec![what.to_owned(), count(*number)]
        })
        .collect();
    card(title, &["", unit], &rows)
}

fn card(title: &str, heading: &[&str], rows: &[Vec<String>]) -> String {
    format!(
        "<div class=\"card\"><h3>{}</h3>\n<div class=\"scroll\">{}</div></div>\n",
        escaped(title),
        table("", heading, rows)
    )
}

/// What the figures rest on, and how to repeat them.
fn conditions(result: &RunResult) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for plan in &result.plans {
        rows.push(("plan".into(), plan_line(plan)));
        if !plan.impairment.is_empty() {
            rows.push((
                "impairment".into(),
                format!("{}; --seed {} repeats it", plan.impairment, plan.seed),
            ));
        }
    }
    if let Some(server) = &result.server {
        rows.push(("server".into(), server_line(server)));
    }
    rows.push(("generator".into(), generator_line(result)));
    rows.push(("written by".into(), result.tool.clone()));
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value)))
        .collect();
    format!("<h3>Conditions</h3>\n<dl class=\"conditions\">\n{rows}</dl>\n")
}
