//! Merging against results of which the sum is known.

use proptest::prelude::*;

use super::*;
use crate::result::sample::{millis, storm};

#[test]
fn one_result_merges_to_itself() {
    let one = storm(200, 1000.0);
    let merged = merge(std::slice::from_ref(&one)).unwrap();
    assert_eq!(merged.packets, one.packets);
    assert_eq!(merged.latency, one.latency);
    assert_eq!(merged.boots, one.boots);
    assert_eq!(merged.intervals, one.intervals);
}

#[test]
fn counts_add_up_and_clocks_are_aligned() {
    let (first, second) = (storm(200, 1000.0), storm(400, 1003.5));
    let both = merge(&[second.clone(), first.clone()]).unwrap();
    assert_eq!(both.started_at, 1000.0);
    assert_eq!(both.wall_seconds, 74.5);
    assert_eq!(both.plans.len(), 2);
    assert_eq!(
        both.transfers.begun,
        first.transfers.begun + second.transfers.begun
    );
    assert_eq!(both.packets, add_up(&first.packets, &second.packets));
    let boots = both.boots.as_ref().unwrap();
    assert_eq!((boots.begun, boots.completed), (600, 594));
    assert_eq!(boots.gave_up["kernel: timed out"], 6);
    assert_eq!(boots.steps.len(), 3);
    let (last, up) = *boots.curve.last().unwrap();
    let ends = [&first, &second].map(|run| run.boots.as_ref().unwrap().curve.last().unwrap().0);
    assert_eq!((last, up), (ends[0].max(ends[1] + 3.5), 594));
    assert_eq!(both.latency.boot.count, 594);
    let bytes = |run: &RunResult| run.intervals.iter().map(|part| part.bytes).sum::<u64>();
    assert_eq!(bytes(&both), bytes(&first) + bytes(&second));
}

fn add_up(one: &Packets, other: &Packets) -> Packets {
    let mut impaired = one.impaired.clone();
    for (name, count) in &other.impaired {
        *impaired.entry(name.clone()).or_default() += count;
    }
    Packets {
        sent: one.sent + other.sent,
        received: one.received + other.received,
        bytes: one.bytes + other.bytes,
        blocks: one.blocks + other.blocks,
        duplicates: one.duplicates + other.duplicates,
        out_of_order: one.out_of_order + other.out_of_order,
        requests_repeated: one.requests_repeated + other.requests_repeated,
        acks_repeated: one.acks_repeated + other.acks_repeated,
        strangers: one.strangers + other.strangers,
        impaired,
        impairment_trace: format!("{:016x}", (200 + 400) * 77),
    }
}

#[test]
fn objectives_are_judged_on_the_whole() {
    let (mut good, mut bad) = (storm(100, 0.0), storm(100, 0.0));
    good.latency.boot = millis([80_000; 99]);
    bad.latency.boot = millis([95_000; 99]);
    for run in [&mut good, &mut bad] {
        run.objectives = "p99(boot) < 90s, p50(boot) < 90s"
            .parse::<slo::Slo>()
            .unwrap()
            .judge(run);
    }
    let met = |run: &RunResult| run.objectives.iter().map(|o| o.met).collect::<Vec<_>>();
    assert_eq!(met(&good), [true, true]);
    assert_eq!(met(&bad), [false, false]);
    assert_eq!(met(&merge(&[good, bad]).unwrap()), [false, true]);
}

#[test]
fn one_server_seen_by_two_is_counted_once() {
    let both = merge(&[storm(100, 0.0), storm(300, 0.0)]).unwrap();
    let server = both.server.unwrap();
    assert_eq!(server.cpu_seconds, 40.0);
    assert_eq!(server.cpu_ns_per_block, 40.0 * 1e9 / (400.0 * 40_000.0));
}

#[test]
fn a_saturated_generator_is_named_by_its_host() {
    let mut late = storm(100, 0.0);
    late.generator.saturated = Some("late by 20 ms".into());
    let both = merge(&[storm(100, 0.0), late]).unwrap();
    assert_eq!(
        both.generator.saturated.as_deref(),
        Some("rack-1: late by 20 ms")
    );
}

#[test]
fn the_names_of_a_chain_are_one_step() {
    let boots = storm(100, 0.0).boots.unwrap();
    let mut steps = boots.steps.clone();
    steps.extend(boots.steps.iter().cloned());
    let gathered = gather(&steps).unwrap();
    assert_eq!(gathered.len(), 3);
    assert_eq!(gathered[1].label, "kernel");
    assert_eq!(gathered[1].transfers.begun, 200);
    assert_eq!(gathered[1].time.count, 198);
}

#[test]
fn other_schemas_are_refused() {
    let mut other = storm(10, 0.0);
    other.schema = SCHEMA + 1;
    let error = merge(&[storm(10, 0.0), other]).unwrap_err();
    assert!(error.contains("different schemas"), "{error}");
    assert!(merge(&[]).is_err());
}

proptest! {
    /// Two processes that share a load say the same as one that has it all.
    #[test]
    fn merged_parts_equal_the_whole(
        values in prop::collection::vec((1_u64..3_600_000, any::<bool>()), 1..200),
    ) {
        let part = |side: bool| {
            let mut run = storm(10, 0.0);
            let mine = values.iter().filter(|(_, left)| *left == side).map(|(value, _)| *value);
            run.latency.boot = millis(mine.clone());
            run.latency.block = millis(mine.map(|value| value / 7));
            run
        };
        let both = merge(&[part(true), part(false)]).unwrap();
        let all = values.iter().map(|(value, _)| *value);
        let (boot, block) = (millis(all.clone()), millis(all.map(|value| value / 7)));
        for (merged, whole) in [(&both.latency.boot, &boot), (&both.latency.block, &block)] {
            prop_assert_eq!(merged.decode().unwrap(), whole.decode().unwrap());
            prop_assert_eq!((merged.count, merged.max, merged.p99), (whole.count, whole.max, whole.p99));
        }
    }

    #[test]
    fn the_order_of_merging_changes_nothing(
        sizes in prop::collection::vec(1_u64..300, 2..5), starts in prop::collection::vec(0_u32..100, 5),
    ) {
        let runs: Vec<RunResult> = sizes.iter().zip(&starts)
            .map(|(size, start)| storm(*size, f64::from(*start) / 4.0)).collect();
        let forth = merge(&runs).unwrap();
        let back = merge(&runs.iter().rev().cloned().collect::<Vec<_>>()).unwrap();
        let in_pairs = merge(&[merge(&runs[..1]).unwrap(), merge(&runs[1..]).unwrap()]).unwrap();
        for other in [back, in_pairs] {
            prop_assert_eq!(&forth.transfers, &other.transfers);
            prop_assert_eq!(&forth.latency.boot.v2, &other.latency.boot.v2);
            prop_assert_eq!(forth.wall_seconds, other.wall_seconds);
            let curve = |run: &RunResult| run.boots.as_ref().unwrap().curve.last().copied();
            prop_assert_eq!(curve(&forth), curve(&other));
        }
    }
}
