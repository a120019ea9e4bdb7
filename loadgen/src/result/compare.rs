//! Two results, or two sets of runs, side by side: what got better and what worse.
//! It never calls a difference real that the runs of one side have among themselves.

mod metrics;

pub use metrics::{METRICS, Metric, Unit};

use super::RunResult;

/// One measure of both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub metric: &'static Metric,
    /// Mean over the runs.
    pub before: f64,
    pub after: f64,
    pub change: Change,
}

/// What the difference is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    Same,
    /// By this share of the former value; infinite where that was zero.
    Better(f64),
    Worse(f64),
    /// The runs of the two sides overlap.
    Noise(f64),
}

/// Compares two sides, each of one or more runs. Measures that either side lacks are left out.
#[must_use]
pub fn compare(before: &[RunResult], after: &[RunResult]) -> Vec<Row> {
    METRICS
        .iter()
        .filter_map(|metric| {
            let before = values(metric, before)?;
            let after = values(metric, after)?;
            Some(Row {
                metric,
                before: mean(&before),
                after: mean(&after),
                change: change(metric, &before, &after),
            })
        })
        .collect()
}

/// Rows that got worse by more than a share, noise left out.
pub fn worse_than(rows: &[Row], share: f64) -> impl Iterator<Item = &Row> {
    rows.iter()
        .filter(move |row| matches!(row.change, Change::Worse(by) if by > share))
}

fn values(metric: &Metric, runs: &[RunResult]) -> Option<Vec<f64>> {
    let values: Vec<f64> = runs.iter().filter_map(metric.of).collect();
    (!values.is_empty() && values.len() == runs.len()).then_some(values)
}

fn change(metric: &Metric, before: &[f64], after: &[f64]) -> Change {
    let (old, new) = (mean(before), mean(after));
    if old == new {
        return Change::Same;
    }
    let by = if old == 0.0 {
        f64::INFINITY
    } else {
        (new - old).abs() / old.abs()
    };
    // Only a side with several runs knows how far apart its runs are.
    if before.len().max(after.len()) > 1 && overlap(before, after) {
        Change::Noise(by)
    } else if (new > old) == metric.more_is_better {
        Change::Better(by)
    } else {
        Change::Worse(by)
    }
}

fn overlap(one: &[f64], other: &[f64]) -> bool {
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    least(one) <= most(other) && least(other) <= most(one)
}

#[expect(clippy::cast_precision_loss, reason = "few runs")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
