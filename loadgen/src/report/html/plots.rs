//! Which plots a page has: who was up when, latencies by their nines, throughput and machines under
//! way over time. It never draws.

use super::axis::Axis;
use super::plot::{Join, Plot, Series, Size};
use super::{Named, tables};
use crate::report::text::headline;
use crate::report::units::{count, rate, seconds};
use crate::result::{Histogram, Interval, Latency, RunResult};

/// A distribution of a result.
type Of = fn(&Latency) -> &Histogram;

const DISTRIBUTIONS: [(&str, &str, Of); 4] = [
    ("boot", "Boot time", |latency| &latency.boot),
    ("transfer", "Transfer time", |latency| &latency.transfer),
    ("first-byte", "Time to the first byte", |latency| {
        &latency.first_byte
    }),
    ("block", "Round trip of a block", |latency| &latency.block),
];

pub fn all(results: &[Named<'_>]) -> String {
    let mut out = completion(results).unwrap_or_default();
    out += "<div class=\"pair\">\n";
    out += &throughput(results).unwrap_or_default();
    out += &active(results).unwrap_or_default();
    out += "</div>\n";
    if let [one] = results {
        return out + &percentiles_of_one(one.result).unwrap_or_default();
    }
    out += "<div class=\"pair\">\n";
    for (id, title, of) in DISTRIBUTIONS {
        out += &percentiles(results, id, title, of).unwrap_or_default();
    }
    out + "</div>\n"
}

/// The boot completion curve.
fn completion(results: &[Named<'_>]) -> Option<String> {
    let boots = || {
        results
            .iter()
            .filter_map(|named| Some((named, named.result.boots.as_ref()?)))
    };
    let machines = boots().map(|(_, boots)| boots.begun).max()?;
    let equal = boots().all(|(_, boots)| boots.begun == machines);
    let series = boots().map(|(named, boots)| {
        let mut points = vec![(0.0, 0.0)];
        points.extend(boots.curve.iter().map(|(at, up)| (*at, float(*up))));
        // The line goes on to where the run ended: who is missing is missing until then.
        points.push((named.result.wall_seconds, float(boots.completed)));
        Series {
            name: named.name.to_owned(),
            points,
        }
    });
    Some(
        Plot {
            id: "completion",
            title: "Machines that are up",
            size: Size::Full,
            description: results
                .iter()
                .map(|named| spoken(named, results.len() > 1))
                .collect::<Vec<_>>()
                .join(" "),
            x: Axis::linear("seconds after power-on", longest(results), plain),
            y: Axis::linear("machines", float(machines), |value| {
                count(value.round() as u64)
            }),
            join: Join::Steps,
            series: series.collect(),
            mark: equal.then(|| (float(machines), format!("all {}", count(machines)))),
            table: tables::completion(results),
        }
        .html(),
    )
}

fn spoken(named: &Named<'_>, several: bool) -> String {
    let line = headline(named.result);
    if several {
        format!("{}: {line}.", named.name)
    } else {
        format!("{line}.")
    }
}

fn percentiles(results: &[Named<'_>], id: &str, title: &str, of: Of) -> Option<String> {
    let series: Vec<Series> = results
        .iter()
        .filter_map(|named| quantiles(named.name, of(&named.result.latency)))
        .collect();
    percentile_plot(
        (id, title, Size::Half),
        series,
        tables::percentiles(results, of),
    )
}

fn percentiles_of_one(result: &RunResult) -> Option<String> {
    let series: Vec<Series> = DISTRIBUTIONS
        .iter()
        .filter_map(|(_, title, of)| quantiles(title, of(&result.latency)))
        .collect();
    let rows: Vec<(&str, &Histogram)> = DISTRIBUTIONS
        .iter()
        .map(|(_, title, of)| (*title, of(&result.latency)))
        .collect();
    percentile_plot(
        ("latency", "Latencies", Size::Full),
        series,
        tables::latencies(&rows),
    )
}

fn percentile_plot(
    (id, title, size): (&str, &str, Size),
    series: Vec<Series>,
    table: String,
) -> Option<String> {
    let values = || {
        series
            .iter()
            .flat_map(|series| &series.points)
            .map(|(_, value)| *value)
    };
    let most = values().fold(0.0, f64::max);
    let least = values().filter(|value| *value > 0.0).fold(most, f64::min);
    let nines = series
        .iter()
        .filter_map(|series| series.points.iter().rev().nth(1))
        .map(|(quantile, _)| -(1.0 - quantile).max(1e-9).log10())
        .fold(2.0, f64::max);
    (!series.is_empty()).then(|| {
        Plot {
            id,
            title,
            size,
            description:
                "From the intended start, by percentile. Each step to the right is ten times \
                          as rare; each step up is ten times as long."
                    .into(),
            x: Axis::nines("percentile", nines, size == Size::Half),
            y: Axis::log("time", least, most, seconds_short),
            join: Join::Line,
            series,
            mark: None,
            table,
        }
        .html()
    })
}

/// Points that are evenly spread over the nines, as far as there are values.
fn quantiles(name: &str, histogram: &Histogram) -> Option<Series> {
    let recorded = histogram.decode().ok()??;
    let nines = float(recorded.len()).log10().clamp(0.0, 6.0);
    let steps = (nines / 0.04).ceil().max(1.0);
    let mut points: Vec<(f64, f64)> = std::iter::successors(Some(0.0), |step| Some(step + 1.0))
        .take_while(|step| *step <= steps)
        .map(|step| 1.0 - 10_f64.powf(-nines * step / steps))
        .map(|quantile| (quantile, float(recorded.value_at_quantile(quantile)) / 1e9))
        .collect();
    points.push((1.0 - 10_f64.powf(-nines), float(recorded.max()) / 1e9));
    Some(Series {
        name: name.to_owned(),
        points,
    })
}

fn throughput(results: &[Named<'_>]) -> Option<String> {
    over_time(
        results,
        "throughput",
        "Throughput",
        "Bytes of files that arrived, averaged over each interval.",
        |interval| float(interval.bytes) / interval.seconds.max(1e-9),
        rate_short,
    )
}

fn active(results: &[Named<'_>]) -> Option<String> {
    over_time(
        results,
        "active",
        "Transfers under way",
        "Transfers that were open at the end of each interval.",
        |interval| float(interval.active),
        |value| count(value.round() as u64),
    )
}

fn over_time(
    results: &[Named<'_>],
    id: &str,
    title: &str,
    description: &str,
    value: fn(&Interval) -> f64,
    text: fn(f64) -> String,
) -> Option<String> {
    let series: Vec<Series> = results
        .iter()
        .filter(|named| !named.result.intervals.is_empty())
        .map(|named| Series {
            name: named.name.to_owned(),
            points: steps(&named.result.intervals, value),
        })
        .collect();
    let most = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|(_, y)| *y)
        .fold(0.0, f64::max);
    (most > 0.0).then(|| {
        Plot {
            id,
            title,
            size: Size::Half,
            description: description.to_owned(),
            x: Axis::linear("seconds after the start", longest(results), plain),
            y: Axis::linear("", most, text),
            join: Join::Line,
            table: tables::over_time(results, value, text),
            series,
            mark: None,
        }
        .html()
    })
}

/// Each stretch of time is as long as it was: a run of one interval has a line too.
fn steps(intervals: &[Interval], value: fn(&Interval) -> f64) -> Vec<(f64, f64)> {
    intervals
        .iter()
        .flat_map(|interval| {
            let value = value(interval);
            [
                (interval.start, value),
                (interval.start + interval.seconds, value),
            ]
        })
        .collect()
}

fn longest(results: &[Named<'_>]) -> f64 {
    results
        .iter()
        .map(|named| named.result.wall_seconds)
        .fold(0.0, f64::max)
}

fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// "10 ms" and not "10.0 ms": marks are round.
fn seconds_short(value: f64) -> String {
    seconds(value).replace(".00", "").replace(".0", "")
}

fn rate_short(value: f64) -> String {
    rate(value).replace(".00", "").replace(".0", "")
}

#[expect(clippy::cast_precision_loss, reason = "drawn with three digits")]
const fn float(value: u64) -> f64 {
    value as f64
}
