//! What a result says about a condition. It never judges on nothing: where nothing was measured the
//! condition is missed.

use super::{Condition, Count, Distribution, Relation, Statistic, What};
use crate::report::units;
use crate::result::{Histogram, Objective, RunResult};

pub fn judge(condition: &Condition, result: &RunResult) -> Objective {
    let (measured, met) = match measured(condition, result) {
        Some((value, text)) => (text, holds(condition.relation, value, condition.bound)),
        None => ("nothing was measured".to_owned(), false),
    };
    Objective {
        text: condition.text.clone(),
        measured,
        met,
    }
}

/// The value to compare and the text for people.
fn measured(condition: &Condition, result: &RunResult) -> Option<(f64, String)> {
    match condition.what {
        What::Latency(statistic, distribution) => {
            latency(statistic, histogram(distribution, result))
        }
        What::Count(count) => self::count(count, condition.share, result),
        What::Rate => {
            let rate = result.rate();
            Some((rate, units::rate(rate)))
        }
    }
}

const fn histogram(distribution: Distribution, result: &RunResult) -> &Histogram {
    match distribution {
        Distribution::FirstByte => &result.latency.first_byte,
        Distribution::Block => &result.latency.block,
        Distribution::Transfer => &result.latency.transfer,
        Distribution::Boot => &result.latency.boot,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a histogram is less exact")]
fn latency(statistic: Statistic, histogram: &Histogram) -> Option<(f64, String)> {
    if histogram.count == 0 {
        return None;
    }
    let nanos = match statistic {
        Statistic::Min => histogram.min as f64,
        Statistic::Mean => histogram.mean,
        Statistic::Max => histogram.max as f64,
        Statistic::Quantile(quantile) => histogram.at(quantile)? as f64,
    };
    Some((nanos, units::seconds(nanos / 1e9)))
}

#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
fn count(count: Count, share: bool, result: &RunResult) -> Option<(f64, String)> {
    let transfers = &result.transfers;
    let (part, whole) = match count {
        Count::Failed => (result.failed(), result.begun()),
        Count::TimedOut => (transfers.timed_out, transfers.begun),
        Count::Refused => (transfers.refused, transfers.begun),
        Count::Corrupt => (transfers.corrupt, transfers.begun),
        Count::WrongLength => (transfers.wrong_length, transfers.begun),
        Count::Violated => (transfers.violated, transfers.begun),
    };
    if whole == 0 {
        return None;
    }
    let text = format!(
        "{} of {} ({})",
        units::count(part),
        units::count(whole),
        units::share(part, whole)
    );
    let value = if share {
        part as f64 / whole as f64
    } else {
        part as f64
    };
    Some((value, text))
}

fn holds(relation: Relation, value: f64, bound: f64) -> bool {
    match relation {
        Relation::Below => value < bound,
        Relation::AtMost => value <= bound,
        Relation::Above => value > bound,
        Relation::AtLeast => value >= bound,
    }
}

#[cfg(test)]
mod tests {
    use crate::result::sample::{millis, storm};
    use crate::slo::Slo;

    /// Condition by condition against a storm of 200 machines of which 2 gave up.
    fn met(text: &str) -> Vec<(bool, String)> {
        let mut run = storm(200, 0.0);
        run.latency.block = millis([4; 100]);
        let slo: Slo = text.parse().unwrap();
        let judged = slo.judge(&run);
        judged
            .into_iter()
            .map(|one| (one.met, one.measured))
            .collect()
    }

    #[test]
    fn bounds_are_meant_as_they_are_written() {
        let verdicts =
            met("failed < 2, failed <= 2, failed > 2, failed >= 2, failed < 1%, failed <= 1%");
        let held: Vec<bool> = verdicts.iter().map(|(met, _)| *met).collect();
        assert_eq!(held, [false, true, false, true, false, true]);
        assert_eq!(verdicts[0].1, "2 of 200 (1.00 %)");
    }

    #[test]
    fn figures_are_those_of_the_distribution() {
        for (text, holds) in [
            ("max(block) < 5ms", true),
            ("max(block) < 3ms", false),
            ("mean(block) > 3.9ms", true),
            ("p99.9(block) < 4.1ms", true),
            ("min(block) > 4.1ms", false),
            ("rate > 160MB/s", true),
            ("rate > 180MB/s", false),
            ("timed_out <= 2", true),
            ("corrupt <= 0", true),
        ] {
            assert_eq!(met(text)[0].0, holds, "{text}: {}", met(text)[0].1);
        }
    }

    #[test]
    fn where_nothing_was_measured_nothing_is_met() {
        let mut run = storm(10, 0.0);
        run.latency.boot = millis([]);
        let slo: Slo = "p99(boot) < 90s".parse().unwrap();
        let [judged] = &slo.judge(&run)[..] else {
            panic!("one condition");
        };
        assert!(!judged.met);
        assert_eq!(judged.measured, "nothing was measured");
    }
}
