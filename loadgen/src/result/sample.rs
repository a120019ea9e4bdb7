//! Results made up for tests: a small storm with a few failures. They never reach a user.

use std::collections::BTreeMap;

use hdrhistogram::Histogram as Hdr;

use super::{
    Boots, Generator, Histogram, Interval, Latency, Objective, Packets, Plan, RunResult, SCHEMA,
    ServerUse, StepResult, Transfers,
};

/// A histogram of these milliseconds.
#[must_use]
pub fn millis(values: impl IntoIterator<Item = u64>) -> Histogram {
    let mut hdr = Hdr::new_with_bounds(1, 3_600_000_000_000, 3).expect("valid bounds");
    for value in values {
        hdr.saturating_record(value * 1_000_000);
    }
    Histogram::of(&hdr)
}

/// Machines that boot one after the other; every hundredth gives up.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn storm(machines: u64, started_at: f64) -> RunResult {
    let lost = machines / 100;
    let up = machines - lost;
    let took = |machine: u64| 20_000 + machine * machine * 50_000 / (machines * machines).max(1);
    let mut gave_up = BTreeMap::new();
    if lost > 0 {
        gave_up.insert("kernel: timed out".to_owned(), lost);
    }
    let transfers = Transfers {
        begun: machines * 12 - lost,
        completed: machines * 3 - lost * 2,
        stopped: machines,
        missing: machines * 8,
        timed_out: lost,
        ..Transfers::default()
    };
    let step = |label: &str, scale: u64, timed_out: u64| StepResult {
        scenario: "pxelinux".into(),
        label: label.into(),
        transfers: Transfers {
            begun: machines,
            completed: machines - timed_out,
            timed_out,
            ..Transfers::default()
        },
        time: millis((0..machines - timed_out).map(|machine| took(machine) / scale)),
    };
    RunResult {
        schema: SCHEMA,
        tool: "bootstorm test".into(),
        plans: vec![Plan {
            target: "192.0.2.1:69".into(),
            command: "boot".into(),
            load: "pxelinux".into(),
            machines,
            first_machine: 0,
            arrival: "all at once".into(),
            seed: 7,
            impairment: "loss 1% in, 1% out".into(),
            sources: "127.0.0.0/8".into(),
            host: "rack-1".into(),
        }],
        started_at,
        wall_seconds: 71.0,
        cut_short: false,
        generator: Generator {
            threads: 2,
            io: "io_uring".into(),
            lateness: millis([0, 0, 0, 1]),
            cpu_seconds: 12.5,
            busiest_thread: 0.31,
            peak_memory: 64_000_000,
            without_machine: 0,
            saturated: None,
        },
        transfers,
        boots: Some(Boots {
            begun: machines,
            completed: up,
            curve: (0..up)
                .map(|machine| (took(machine) as f64 / 1000.0, machine + 1))
                .collect(),
            gave_up,
            steps: vec![
                step("boot loader", 100, 0),
                step("kernel", 4, lost),
                step("initrd", 2, 0),
            ],
        }),
        packets: Packets {
            sent: machines * 40_000,
            received: machines * 41_000,
            bytes: machines * 60_000_000,
            blocks: machines * 40_000,
            duplicates: machines * 400,
            out_of_order: machines * 31,
            requests_repeated: machines / 10,
            acks_repeated: machines * 90,
            impaired: BTreeMap::from([("lost".into(), machines * 800)]),
            impairment_trace: format!("{:016x}", machines * 77),
            ..Packets::default()
        },
        latency: Latency {
            first_byte: millis((0..machines * 3).map(|n| 1 + n % 40)),
            block: millis((0..machines * 20).map(|n| n % 7)),
            transfer: millis((0..machines * 3).map(|n| 200 + n * 9)),
            boot: millis((0..up).map(took)),
        },
        granted: BTreeMap::from([("blksize=1408 tsize".into(), machines * 4)]),
        errors: BTreeMap::from([("1 File not found".into(), machines * 8)]),
        intervals: (0..71)
            .map(|second| Interval {
                start: f64::from(second),
                seconds: 1.0,
                begun: machines / 6,
                completed: machines / 7,
                blocks: machines * 560,
                bytes: machines * 845_000 * u64::from(75 - second as u32) / 40,
                active: machines * u64::from(71 - second as u32) / 71,
                ..Interval::default()
            })
            .collect(),
        server: Some(ServerUse {
            pid: 4242,
            cpu_seconds: 40.0,
            cpu_ns_per_block: 1000.0,
            memory_before: 9_000_000,
            memory_peak: 40_000_000,
            memory_after: 12_000_000,
        }),
        objectives: vec![Objective {
            text: "p99(boot) < 90s".into(),
            measured: "68.0 s".into(),
            met: true,
        }],
    }
}

/// The results in `tests/results`, on which the commands and the schema are tested. After a change of
/// the shape: `cargo test -p bootstorm write_examples -- --ignored`.
#[test]
#[ignore = "writes tests/results"]
fn write_examples() {
    let at = |name| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/results")
            .join(name)
    };
    let boot = storm(200, 1000.0);
    super::write(&at("boot.json"), &boot).expect("written");
    let mut run = storm(60, 1002.0);
    run.boots = None;
    run.server = None;
    run.latency.boot = Histogram::default();
    run.objectives.clear();
    run.transfers.timed_out = 0;
    run.plans[0].command = "run".into();
    super::write(&at("run.json"), &run).expect("written");
}
