//! Comparing against results that differ in known ways.

use proptest::prelude::*;

use super::*;
use crate::result::sample::{millis, storm};

fn changed(change: impl Fn(&mut RunResult)) -> RunResult {
    let mut run = storm(100, 0.0);
    change(&mut run);
    run
}

fn row(rows: &[Row], name: &str) -> Change {
    rows.iter()
        .find(|row| row.metric.name == name)
        .unwrap_or_else(|| panic!("{name}"))
        .change
}

#[test]
fn equal_results_have_no_difference() {
    let rows = compare(&[storm(100, 0.0)], &[storm(100, 5.0)]);
    assert!(
        rows.iter().all(|row| row.change == Change::Same),
        "{rows:?}"
    );
    assert_eq!(worse_than(&rows, 0.0).count(), 0);
}

#[test]
fn each_measure_knows_which_way_is_better() {
    let before = [storm(100, 0.0)];
    let after = [changed(|run| {
        run.wall_seconds /= 2.0;
        run.latency.boot = millis([10; 99]);
        run.packets.acks_repeated *= 2;
    })];
    let rows = compare(&before, &after);
    assert_eq!(row(&rows, "throughput"), Change::Better(1.0));
    assert!(matches!(row(&rows, "last boot"), Change::Better(_)));
    assert_eq!(row(&rows, "acknowledgements repeated"), Change::Worse(1.0));
    let worse: Vec<&str> = worse_than(&rows, 0.05).map(|row| row.metric.name).collect();
    assert_eq!(worse, ["acknowledgements repeated"]);
    assert_eq!(worse_than(&rows, 1.0).count(), 0);
}

#[test]
fn something_out_of_nothing_is_worse_without_bound() {
    let after = [changed(|run| run.transfers.corrupt = 1)];
    let rows = compare(&[storm(100, 0.0)], &after);
    assert_eq!(
        row(&rows, "corrupt or wrong length"),
        Change::Worse(f64::INFINITY)
    );
    assert_eq!(worse_than(&rows, 100.0).count(), 1);
}

#[test]
fn what_the_runs_of_one_side_differ_in_is_noise() {
    let run = |acks| changed(|run| run.packets.acks_repeated = acks);
    let name = "acknowledgements repeated";
    let rows = compare(&[run(100), run(130)], &[run(120), run(140)]);
    assert!(matches!(row(&rows, name), Change::Noise(_)));
    assert_eq!(worse_than(&rows, 0.0).count(), 0);
    let rows = compare(&[run(100), run(110)], &[run(120), run(140)]);
    assert!(matches!(row(&rows, name), Change::Worse(_)));
}

#[test]
fn what_one_side_lacks_is_left_out() {
    let after = [changed(|run| {
        run.server = None;
        run.boots = None;
        run.latency.boot = millis([]);
    })];
    let rows = compare(&[storm(100, 0.0)], &after);
    assert!(
        rows.iter()
            .all(|row| !row.metric.name.contains("boot") && !row.metric.name.contains("server"))
    );
}

proptest! {
    #[test]
    fn turning_the_sides_around_turns_the_judgement_around(
        one in 1_u64..1_000_000, other in 1_u64..1_000_000, wall in 1_u32..100,
    ) {
        let run = |acks, wall| changed(|run| {
            run.packets.acks_repeated = acks;
            run.wall_seconds = wall;
        });
        let (left, right) = ([run(one, f64::from(wall))], [run(other, 50.0)]);
        for (there, back) in compare(&left, &right).iter().zip(&compare(&right, &left)) {
            let turned = matches!(
                (there.change, back.change),
                (Change::Same, Change::Same)
                    | (Change::Better(_), Change::Worse(_))
                    | (Change::Worse(_), Change::Better(_))
            );
            prop_assert!(turned, "{:?} {:?}", there, back);
        }
    }
}
