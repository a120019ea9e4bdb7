//! Sections of the page around the plots: the answer, the key figures, and what they rest on.
//! They never draw.

use std::collections::BTreeMap;

use super::tables::table;
use super::{Named, escaped};
use crate::report::text::{
    failures, generator_line, headline, plan_line, server_line, step_ends, step_times,
};
use crate::report::units::{bytes, count, nanos, rate, seconds, share};
use crate::result::{Boots, RunResult};

/// Title, warnings, and the answer with its key figures.
pub fn head(title: &str, results: &[Named<'_>]) -> String {
    let mut out = format!(
        "<header>\n<p class=\"brand\">bootstorm</p>\n<h1>{}</h1>\n",
        escaped(title)
    );
    if let [one] = results {
        if title != headline(one.result) {
            out += &format!(
                "<p class=\"headline\">{}</p>\n",
                escaped(&headline(one.result))
            );
        }
        for plan in &one.result.plans {
            out += &format!("<p class=\"plan\">{}</p>\n", escaped(&plan_line(plan)));
        }
    }
    out += "</header>\n";
    for named in results {
        out += &warnings(named, results.len() > 1);
    }
    if let [one] = results {
        out += &key_figures(one.result);
        out += &objectives(one.result);
        out += &list_of_failures(one.result);
    }
    out
}

fn warnings(named: &Named<'_>, several: bool) -> String {
    let whose = if several {
        format!("{}: ", escaped(named.name))
    } else {
        String::new()
    };
    let mut out = String::new();
    if let Some(why) = &named.result.generator.saturated {
        out += &format!(
            "<div class=\"alarm\" role=\"alert\"><strong>{whose}The generator, not the server, was the limit.</strong> \
             {} These figures say little about the server: use more cores or hosts, and merge.</div>\n",
            escaped(&sentence(why))
        );
    }
    if named.result.cut_short {
        out += &format!(
            "<div class=\"notice\">{whose}The run was cut short: the figures are of what there was until then.</div>\n"
        );
    }
    out
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!(
        "{}{}.",
        first.unwrap_or_default(),
        letters.as_str().trim_end_matches('.')
    )
}

fn key_figures(result: &RunResult) -> String {
    let mut figures: Vec<(&str, String, String)> = Vec::new();
    if let Some(boots) = &result.boots {
        figures.push((
            "machines up",
            count(boots.completed),
            format!("of {}", count(boots.begun)),
        ));
        if let Some((last, _)) = boots.curve.last() {
            figures.push(("last one up", seconds(*last), "after power-on".into()));
        }
        figures.push((
            "boot p99",
            nanos(result.latency.boot.p99),
            format!("p50 {}", nanos(result.latency.boot.p50)),
        ));
    } else {
        let transfers = &result.transfers;
        figures.push((
            "transfers",
            count(transfers.completed),
            format!("of {}", count(transfers.begun)),
        ));
        figures.push((
            "transfer p99",
            nanos(result.latency.transfer.p99),
            format!("p50 {}", nanos(result.latency.transfer.p50)),
        ));
        figures.push((
            "first byte p99",
            nanos(result.latency.first_byte.p99),
            format!("p50 {}", nanos(result.latency.first_byte.p50)),
        ));
    }
    let failed = result.failed();
    figures.push(("failed", count(failed), share(failed, result.begun())));
    figures.push((
        "throughput",
        rate(result.rate()),
        format!("{} in all", bytes(result.packets.bytes)),
    ));
    if let Some(server) = &result.server {
        figures.push((
            "server CPU",
            seconds(server.cpu_ns_per_block / 1e9),
            "for each block".into(),
        ));
    }
    let cards: String = figures
        .iter()
        .map(|(name, value, beside)| {
            let bad = if *name == "failed" && failed > 0 {
                " class=\"bad\""
            } else {
                ""
            };
            format!(
                "<div{bad}><dt>{name}</dt><dd><b>{}</b> <span>{}</span></dd></div>\n",
                escaped(value),
                escaped(beside)
            )
        })
        .collect();
    format!("<dl class=\"cards\">\n{cards}</dl>\n")
}

fn objectives(result: &RunResult) -> String {
    if result.objectives.is_empty() {
        return String::new();
    }
    let items: String = result
        .objectives
        .iter()
        .map(|objective| {
            let (class, word) = if objective.met { ("met", "met") } else { ("missed", "missed") };
            format!(
                "<li class=\"{class}\"><span class=\"badge\">{word}</span> <code>{}</code> measured {}</li>\n",
                escaped(&objective.text),
                escaped(&objective.measured)
            )
        })
        .collect();
    format!("<section><h2>Objectives</h2>\n<ul class=\"objectives\">\n{items}</ul></section>\n")
}

fn list_of_failures(result: &RunResult) -> String {
    let items: String = failures(result)
        .iter()
        .map(|line| format!("<li>{}</li>\n", escaped(line)))
        .collect();
    if items.is_empty() {
        return String::new();
    }
    format!("<section><h2>What failed</h2>\n<ul class=\"failures\">\n{items}</ul></section>\n")
}

/// Everything else that a result holds.
pub fn details(named: &Named<'_>, several: bool) -> String {
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
