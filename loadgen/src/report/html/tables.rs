//! Tables of the page. They never leave out a row because it looks bad.

use super::{Named, escaped};
use crate::report::units::{count, nanos, seconds};
use crate::result::compare::{METRICS, Metric};
use crate::result::{Histogram, Interval, Latency};

/// A table from its heading and rows; the first column names the row.
pub fn table(caption: &str, heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: String = heading
        .iter()
        .map(|cell| format!("<th scope=\"col\">{}</th>", escaped(cell)))
        .collect();
    let rows: String = rows
        .iter()
        .map(|row| {
            let mut cells = row.iter();
            let name = cells.next().map(|name| escaped(name)).unwrap_or_default();
            let cells: String = cells
                .map(|cell| format!("<td>{}</td>", escaped(cell)))
                .collect();
            format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>\n")
        })
        .collect();
    let caption = if caption.is_empty() {
        String::new()
    } else {
        format!("<caption>{}</caption>", escaped(caption))
    };
    format!("<table>{caption}<thead><tr>{heading}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n")
}

/// All results, measure by measure; the best of each row is marked by more than colour.
pub fn side_by_side(results: &[Named<'_>]) -> String {
    let rows: String = METRICS
        .iter()
        .filter_map(|metric| row(metric, results))
        .collect();
    let names: String = results
        .iter()
        .map(|named| format!("<th scope=\"col\">{}</th>", escaped(named.name)))
        .collect();
    format!(
        "<section><h2>Side by side</h2>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">measure</th>{names}\
         </tr></thead>\n<tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

/// None where no result has the measure.
fn row(metric: &Metric, results: &[Named<'_>]) -> Option<String> {
    let best = best(metric, results);
    let cells: Vec<(bool, String)> = results
        .iter()
        .map(|named| match (metric.of)(named.result) {
            None => (false, "<td>not measured</td>".to_owned()),
            Some(value) => {
                let text = escaped(&metric.unit.text(value));
                let cell = if best == Some(value) && may_be_best(named) {
                    format!("<td class=\"best\"><strong>{text}</strong> <span>best</span></td>")
                } else {
                    format!("<td>{text}</td>")
                };
                (true, cell)
            }
        })
        .collect();
    let any = cells.iter().any(|(known, _)| *known);
    let cells: String = cells.into_iter().map(|(_, cell)| cell).collect();
    any.then(|| {
        format!(
            "<tr><th scope=\"row\">{}</th>{cells}</tr>\n",
            escaped(metric.name)
        )
    })
}

/// The best value; none where all are equal.
fn best(metric: &Metric, results: &[Named<'_>]) -> Option<f64> {
    let better = if metric.more_is_better {
        f64::max
    } else {
        f64::min
    };
    let known = || {
        results
            .iter()
            .filter_map(|named| Some((named, (metric.of)(named.result)?)))
    };
    let best = known()
        .filter(|(named, _)| may_be_best(named))
        .map(|(_, value)| value)
        .reduce(better);
    best.filter(|best| known().any(|(_, value)| value != *best))
}

/// Who served nobody is best at nothing, however few packets that took.
fn may_be_best(named: &Named<'_>) -> bool {
    named.result.failed() < named.result.begun()
}

/// When each tenth of the machines was up.
pub fn completion(results: &[Named<'_>]) -> String {
    let mut heading = vec!["machines up"];
    heading.extend(results.iter().map(|named| named.name));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for tenths in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
        let mut row = vec![format!("{} %", tenths * 10)];
        row.extend(results.iter().map(|named| {
            let Some(boots) = &named.result.boots else {
                return String::new();
            };
            let wanted = (boots.begun * tenths).div_ceil(10);
            boots
                .curve
                .iter()
                .find(|(_, up)| *up >= wanted)
                .map_or("never".into(), |(at, _)| seconds(*at))
        }));
        rows.push(row);
    }
    table("", &heading, &rows)
}

const FIGURES: [&str; 8] = ["", "count", "mean", "p50", "p90", "p99", "p99.9", "max"];

/// One row for each distribution.
pub fn latencies(rows: &[(&str, &Histogram)]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .filter(|(_, histogram)| histogram.count > 0)
        .map(|(name, histogram)| {
            vec![
                (*name).to_owned(),
                count(histogram.count),
                seconds(histogram.mean / 1e9),
                nanos(histogram.p50),
                nanos(histogram.p90),
                nanos(histogram.p99),
                nanos(histogram.p999),
                nanos(histogram.max),
            ]
        })
        .collect();
    table("", &FIGURES, &rows)
}

/// One row for each result.
pub fn percentiles(results: &[Named<'_>], of: fn(&Latency) -> &Histogram) -> String {
    let rows: Vec<(&str, &Histogram)> = results
        .iter()
        .map(|named| (named.name, of(&named.result.latency)))
        .collect();
    latencies(&rows)
}

/// At most so many rows: the plot shows the rest.
const ROWS: usize = 60;

/// Stretches of time of several results, which may have been cut in different ways.
pub fn over_time(
    results: &[Named<'_>],
    value: fn(&Interval) -> f64,
    text: fn(f64) -> String,
) -> String {
    let intervals = |named: &Named<'_>| named.result.intervals.clone();
    let longest = results
        .iter()
        .map(intervals)
        .max_by_key(Vec::len)
        .unwrap_or_default();
    let every = longest.len().div_ceil(ROWS).max(1);
    let mut heading = vec!["from second"];
    heading.extend(results.iter().map(|named| named.name));
    let rows: Vec<Vec<String>> = longest
        .iter()
        .step_by(every)
        .map(|row| {
            let mut cells = vec![format!("{:.1}", row.start)];
            cells.extend(results.iter().map(|named| {
                let mut theirs = named.result.intervals.iter();
                theirs
                    .find(|other| {
                        (other.start - 1e-6..other.start + other.seconds - 1e-6)
                            .contains(&row.start)
                    })
                    .map_or(String::new(), |interval| text(value(interval)))
            }));
            cells
        })
        .collect();
    table("", &heading, &rows)
}
