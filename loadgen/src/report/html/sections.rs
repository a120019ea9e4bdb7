//! The top of the page: warnings, the answer, its key figures, objectives and failures.
//! They never draw.

use super::{Named, escaped};
use crate::report::text::{failures, headline, plan_line};
use crate::report::units::{bytes, count, nanos, rate, seconds, share};
use crate::result::RunResult;

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

pub fn objectives(result: &RunResult) -> String {
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
