//! What a search found, as text: every run, then the answer. It never rounds the answer up.

use super::table::{Align, Table};
use super::units::counted;
use crate::slo::search::{Found, Tried};

/// One line while the search goes on.
#[must_use]
pub fn line(tried: &Tried) -> String {
    format!(
        "{}: {}; {}",
        counted(tried.machines, "machine", "machines"),
        verdict(tried),
        measured(tried)
    )
}

/// The table of all runs and the answer below it.
#[must_use]
pub fn text(found: &Found) -> String {
    let mut table = Table::new(&[Align::Right, Align::Left, Align::Left]);
    table.row(["machines", "", "measured"].map(String::from));
    for tried in &found.tried {
        table.row([
            super::units::count(tried.machines),
            verdict(tried).to_owned(),
            measured(tried),
        ]);
    }
    format!("{}\n{}\n", table.text(), answer(found))
}

fn answer(found: &Found) -> String {
    let machines = |number| counted(number, "machine", "machines");
    match (found.largest, found.smallest_failed, found.saturated_at) {
        (None, _, Some(at)) => format!(
            "No answer: the generator was the limit with {} already.",
            machines(at)
        ),
        (None, _, None) => "No farm passes, not even the smallest that was tried.".to_owned(),
        (Some(largest), _, Some(at)) => format!(
            "The largest farm that passes has at least {}; with {at} the generator was the limit, not the server.",
            machines(largest)
        ),
        (Some(largest), Some(failed), None) => format!(
            "The largest farm that passes has {}; {failed} fail.",
            machines(largest)
        ),
        (Some(largest), None, None) => format!(
            "The largest farm that passes has at least {}, where the search ended (--to).",
            machines(largest)
        ),
    }
}

fn verdict(tried: &Tried) -> &'static str {
    if tried.saturated.is_some() {
        "GENERATOR SATURATED"
    } else if tried.passed() {
        "passed"
    } else {
        "failed"
    }
}

fn measured(tried: &Tried) -> String {
    if let Some(why) = &tried.saturated {
        return why.clone();
    }
    let objectives: Vec<String> = tried
        .objectives
        .iter()
        .map(|objective| {
            let sign = if objective.met { "" } else { "MISSED " };
            format!("{sign}{}: {}", objective.text, objective.measured)
        })
        .collect();
    objectives.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Objective;
    use crate::slo::search::{Bounds, search};

    fn found(border: u64, to: u64, saturated_above: u64) -> String {
        let bounds = Bounds {
            from: 10,
            to,
            confirm: 1,
            precision: 20,
        };
        let found = search(bounds, |machines| {
            Ok(Tried {
                machines,
                objectives: vec![Objective {
                    text: "failed < 1%".into(),
                    measured: "0 of 10 (0 %)".into(),
                    met: machines <= border,
                }],
                saturated: (machines > saturated_above).then(|| "late by 30 ms".into()),
            })
        });
        text(&found.unwrap())
    }

    #[test]
    fn the_answer_stands_below_all_runs() {
        let text = found(30, 100, 1000);
        assert!(
            text.ends_with("\nThe largest farm that passes has 30 machines; 31 fail.\n"),
            "{text}"
        );
        assert!(
            text.contains("\n      40  failed  MISSED failed < 1%: 0 of 10 (0 %)\n"),
            "{text}"
        );
        assert!(text.contains("\n      10  passed  failed < 1%"), "{text}");
    }

    #[test]
    fn an_open_end_is_no_answer() {
        assert!(found(1000, 100, 1000).contains("at least 100 machines, where the search ended"));
        assert!(
            found(1000, 100, 20)
                .contains("at least 20 machines; with 21 the generator was the limit")
        );
        assert!(found(0, 100, 1000).contains("No farm passes"));
        assert!(found(1000, 100, 0).contains("the generator was the limit with 1 machine already"));
    }
}
