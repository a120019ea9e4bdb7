//! Reads objectives, and says what is wrong with them in terms of what would be right.
//! It never guesses a unit: a time without one is refused.

use super::{Condition, Count, Distribution, Relation, Slo, Statistic, What};
use crate::nearest::nearest;

const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("boot", Distribution::Boot),
    ("first_byte", Distribution::FirstByte),
    ("block", Distribution::Block),
    ("transfer", Distribution::Transfer),
];
const COUNTS: [(&str, Count); 6] = [
    ("failed", Count::Failed),
    ("timed_out", Count::TimedOut),
    ("refused", Count::Refused),
    ("corrupt", Count::Corrupt),
    ("wrong_length", Count::WrongLength),
    ("violated", Count::Violated),
];
const TIMES: [(&str, f64); 5] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("min", 60e9),
];
const RATES: [(&str, f64); 7] = [
    ("B/s", 1.0),
    ("kB/s", 1e3),
    ("MB/s", 1e6),
    ("GB/s", 1e9),
    ("kbit/s", 125.0),
    ("Mbit/s", 125e3),
    ("Gbit/s", 125e6),
];

pub fn slo(text: &str) -> Result<Slo, String> {
    text.split(',')
        .map(condition)
        .collect::<Result<_, _>>()
        .map(Slo)
}

fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(
            "an objective is empty; wanted such as \"p99(boot) < 90s, failed < 0.1%\"".into(),
        );
    }
    let at = text
        .find(['<', '>'])
        .ok_or_else(|| format!("\"{text}\" compares nothing: <, <=, > or >= is missing"))?;
    let (left, right) = text.split_at(at);
    let (relation, bound) = relation(right);
    let what = what(left.trim())?;
    let (bound, share) = self::bound(what, bound.trim())?;
    Ok(Condition {
        text: text.to_owned(),
        what,
        relation,
        bound,
        share,
    })
}

/// `text` begins with < or >.
fn relation(text: &str) -> (Relation, &str) {
    for (sign, relation) in [
        ("<=", Relation::AtMost),
        (">=", Relation::AtLeast),
        ("<", Relation::Below),
    ] {
        if let Some(rest) = text.strip_prefix(sign) {
            return (relation, rest);
        }
    }
    (Relation::Above, text.strip_prefix('>').unwrap_or(text))
}

fn what(text: &str) -> Result<What, String> {
    if let Some((statistic, rest)) = text.split_once('(') {
        let of = rest
            .strip_suffix(')')
            .ok_or_else(|| format!("\"{text}\" has no closing parenthesis"))?;
        let of = word("distribution", of.trim(), &DISTRIBUTIONS)?;
        return Ok(What::Latency(self::statistic(statistic.trim())?, of));
    }
    if text == "rate" {
        return Ok(What::Rate);
    }
    if DISTRIBUTIONS.iter().any(|(name, _)| *name == text) {
        return Err(format!(
            "\"{text}\" is a distribution: say which figure of it, p99({text}) or max({text})"
        ));
    }
    word("measure", text, &COUNTS).map(What::Count)
}

fn statistic(text: &str) -> Result<Statistic, String> {
    match text {
        "min" => return Ok(Statistic::Min),
        "mean" => return Ok(Statistic::Mean),
        "max" => return Ok(Statistic::Max),
        // As it is often written; p99.9 is the same.
        "p999" => return Ok(Statistic::Quantile(0.999)),
        "p9999" => return Ok(Statistic::Quantile(0.9999)),
        _ => {}
    }
    text.strip_prefix('p')
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| Statistic::Quantile(percent / 100.0))
        .ok_or_else(|| {
            format!(
                "\"{text}\" is no figure of a distribution; known: min, mean, max, p50, p99, p99.9"
            )
        })
}

fn bound(what: What, text: &str) -> Result<(f64, bool), String> {
    match what {
        What::Latency(..) => measured(text, &TIMES, "90s").map(|bound| (bound, false)),
        What::Rate => measured(text, &RATES, "500MB/s").map(|bound| (bound, false)),
        What::Count(_) => match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| (percent / 100.0, true)),
            None => number(text).map(|count| (count, false)),
        },
    }
}

fn measured(text: &str, units: &[(&str, f64)], example: &str) -> Result<f64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_alphabetic() || letter == '/');
    let unit = text[digits.len()..].replace('µ', "u");
    if unit.is_empty() {
        return Err(format!("\"{text}\" has no unit; wanted such as {example}"));
    }
    let factor = word("unit", &unit, units)?;
    Ok(number(digits)? * factor)
}

fn number(text: &str) -> Result<f64, String> {
    text.trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| format!("\"{}\" is no number", text.trim()))
}

fn word<T: Copy>(kind: &str, text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names = || known.iter().map(|(name, _)| *name);
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    Err(match nearest(text, names()) {
        Some(meant) => format!("unknown {kind} \"{text}\"; did you mean \"{meant}\"?"),
        None => format!(
            "unknown {kind} \"{text}\"; known: {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_mean_what_they_say() {
        let Slo(all) = slo("p99(boot) < 90s, failed < 0.1%, max(first_byte)<=200ms,mean( block ) < 1ms, rate > 500MB/s, corrupt <= 0").unwrap();
        let read: Vec<_> = all
            .iter()
            .map(|one| (one.what, one.relation, one.bound, one.share))
            .collect();
        assert_eq!(
            read,
            [
                (
                    What::Latency(Statistic::Quantile(0.99), Distribution::Boot),
                    Relation::Below,
                    90e9,
                    false
                ),
                (What::Count(Count::Failed), Relation::Below, 0.001, true),
                (
                    What::Latency(Statistic::Max, Distribution::FirstByte),
                    Relation::AtMost,
                    200e6,
                    false
                ),
                (
                    What::Latency(Statistic::Mean, Distribution::Block),
                    Relation::Below,
                    1e6,
                    false
                ),
                (What::Rate, Relation::Above, 500e6, false),
                (What::Count(Count::Corrupt), Relation::AtMost, 0.0, false),
            ]
        );
        assert_eq!(all[2].text, "max(first_byte)<=200ms");
    }

    #[test]
    fn mistakes_are_told_with_what_would_be_right() {
        for (text, say) in [
            ("", "is empty"),
            ("p99(boot) < 90s,", "is empty"),
            ("p99(boot)", "compares nothing"),
            ("p99(boot < 90s", "no closing parenthesis"),
            ("p99(bot) < 90s", "did you mean \"boot\""),
            ("p101(boot) < 90s", "no figure of a distribution"),
            ("boot < 90s", "p99(boot)"),
            ("p99(boot) < 90", "no unit"),
            ("p99(boot) < 90sec", "unknown unit"),
            ("p99(boot) < s", "no number"),
            ("faild < 1%", "did you mean \"failed\""),
            ("failed < much", "no number"),
            ("rate > 500", "no unit"),
            ("rate > 500Mb/s", "did you mean"),
            ("failed < -1", "no number"),
        ] {
            let message = slo(text).unwrap_err();
            assert!(message.contains(say), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9()<>=,.% µ/_A-Z-]{0,40}") {
            let _ = slo(&text);
        }

        #[test]
        fn what_is_written_is_what_is_read(
            percent in 0_u32..=1000, seconds in 0_u32..10_000, below: bool,
        ) {
            let tenth = f64::from(percent) / 10.0;
            let sign = if below { "<" } else { ">=" };
            let Slo(all) = slo(&format!("p{tenth}(block) {sign} {seconds}ms")).unwrap();
            let relation = if below { Relation::Below } else { Relation::AtLeast };
            prop_assert_eq!(all[0].relation, relation);
            prop_assert_eq!(all[0].bound, f64::from(seconds) * 1e6);
            prop_assert_eq!(
                all[0].what,
                What::Latency(Statistic::Quantile(tenth / 100.0), Distribution::Block)
            );
        }
    }
}
