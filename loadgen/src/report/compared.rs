//! A comparison as text. It never judges: the rows say what a difference is worth.

use super::table::{Align, Table};
use super::units::three_digits;
use crate::result::compare::{Change, Row};

/// The table, with a word on how far it can be trusted.
#[must_use]
pub fn text(rows: &[Row], runs_before: usize, runs_after: usize) -> String {
    let mut table = Table::new(&[
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Left,
    ]);
    table.row(["", "before", "after", "change", ""].map(String::from));
    for row in rows {
        let (change, word) = said(row);
        table.row([
            row.metric.name.to_owned(),
            row.metric.unit.text(row.before),
            row.metric.unit.text(row.after),
            change,
            word.to_owned(),
        ]);
    }
    let trust = if runs_before.max(runs_after) > 1 {
        format!(
            "means of {runs_before} and {runs_after} runs; noise: the runs of both sides overlap\n"
        )
    } else {
        "one run on each side: nothing is known about noise\n".to_owned()
    };
    table.text() + &trust
}

fn said(row: &Row) -> (String, &'static str) {
    let sign = if row.after > row.before { "+" } else { "−" };
    let text = |by: f64| {
        if by.is_infinite() {
            "from none".to_owned()
        } else {
            format!("{sign}{} %", three_digits(by * 100.0))
        }
    };
    match row.change {
        Change::Same => (String::new(), "same"),
        Change::Better(by) => (text(by), "better"),
        Change::Worse(by) => (text(by), "WORSE"),
        Change::Noise(by) => (text(by), "noise"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::compare::compare;
    use crate::result::sample::storm;

    #[test]
    fn the_table_says_which_way_is_better() {
        let before = storm(100, 0.0);
        let mut after = before.clone();
        after.packets.acks_repeated *= 2;
        after.wall_seconds /= 2.0;
        after.transfers.corrupt = 1;
        let text = text(&compare(&[before], &[after]), 1, 1);
        let line = |name: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .unwrap()
                .to_owned()
        };
        assert!(
            line("acknowledgements repeated").ends_with("+100 %  WORSE"),
            "{text}"
        );
        assert!(line("throughput").ends_with("+100 %  better"), "{text}");
        assert!(line("corrupt").ends_with("from none  WORSE"), "{text}");
        assert!(line("last boot").ends_with("same"), "{text}");
        assert!(text.contains("nothing is known about noise"));
    }
}
