//! A farm in two processes is the farm in one: started by the clock, merged from their documents.

use std::process::{Child, Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bootstorm::result::{self, Histogram, RunResult};
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

mod support;

use support::fake::{Fake, Fault};
use support::server::bytes;

/// 5 blocks; a client needs 4 ms for each, so 16 ms for a file.
const FILE: usize = 512 * 4 + 100;

struct Place {
    folder: tempfile::TempDir,
    target: String,
}

impl Place {
    /// Machines `first` to `first + machines`, each three times, with duplicates both ways.
    fn spawn(&self, name: &str, first: u32, machines: u32, start_at: f64) -> Child {
        let path = self.path(name);
        Command::new(env!("CARGO_BIN_EXE_bootstorm"))
            .args([
                "run",
                &self.target,
                "--file",
                "f",
                "--quiet",
                "--threads",
                "1",
            ])
            .args([
                "--first-machine",
                &first.to_string(),
                "--machines",
                &machines.to_string(),
            ])
            .args([
                "--count",
                &(machines * 3).to_string(),
                "--start-at",
                &start_at.to_string(),
            ])
            // Losses would bring timers in, and what they send depends on the time.
            .args([
                "--duplicate",
                "20%",
                "--slow",
                "4",
                "--wait",
                "20",
                "--interval",
                "0.05",
            ])
            .args(["--seed", "7", "--json", &path])
            .args(["--hlog", &self.path(&format!("{name}.hlog"))])
            .stdin(Stdio::null())
            .spawn()
            .expect("the program runs")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> RunResult {
        result::read(self.path(name).as_ref()).expect("a result")
    }
}

fn soon() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    (now.expect("after 1970").as_secs_f64() * 10.0).ceil() / 10.0 + 0.5
}

#[test]
fn two_processes_merged_are_one_process_with_both_loads() {
    let fake = Fake::start(bytes(FILE), Fault::None);
    let place = Place {
        folder: tempfile::tempdir().expect("a directory"),
        target: fake.addr.to_string(),
    };
    let at = soon();
    let parts = [place.spawn("a", 0, 12, at), place.spawn("b", 12, 8, at)];
    for mut part in parts {
        assert!(part.wait().expect("it ends").success());
    }
    let whole = place.spawn("whole", 0, 20, soon()).wait();
    assert!(whole.expect("it ends").success());
    let merging = Command::new(env!("CARGO_BIN_EXE_bootstorm"))
        .args([
            "merge",
            &place.path("a"),
            &place.path("b"),
            "-o",
            &place.path("both"),
        ])
        .output();
    assert!(merging.expect("the program runs").status.success());
    let [a, b, both, whole] = ["a", "b", "both", "whole"].map(|name| place.read(name));

    for part in [&a, &b] {
        assert!(
            (part.started_at - at).abs() < 0.001,
            "{} for {at}",
            part.started_at
        );
    }
    // Each machine is who it is in the whole: the same decisions, so the same packets.
    assert_eq!(both.transfers, whole.transfers);
    assert_eq!(both.transfers.completed, 60);
    assert_eq!(both.packets, whole.packets);
    assert_eq!(both.granted, whole.granted);
    assert!(
        both.packets.impaired["doubled in"] > 20,
        "{:?}",
        both.packets.impaired
    );
    check_log(&place.path("a.hlog"), &a);
    check_latencies(&[a, b], &both, &whole);
}

/// The interval log holds what the result holds.
fn check_log(path: &str, run: &RunResult) {
    let log = std::fs::read(path).expect("a log");
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for entry in IntervalLogIterator::new(&log) {
        match entry.expect("HdrHistogram's format") {
            LogEntry::Interval(interval) => {
                let tag = interval.tag().expect("a tag").as_str().to_owned();
                let bytes = STANDARD
                    .decode(interval.encoded_histogram())
                    .expect("base64");
                let values = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice());
                *counts.entry(tag).or_default() += values.expect("V2").len();
            }
            LogEntry::BaseTime(at) | LogEntry::StartTime(at) => {
                assert!((at.as_secs_f64() - run.started_at).abs() < 0.01, "{at:?}");
            }
        }
    }
    assert_eq!(counts["transfer"], run.latency.transfer.count);
    assert_eq!(counts["first_byte"], run.latency.first_byte.count);
    assert_eq!(counts["block"], run.latency.block.count);
}

fn check_latencies(parts: &[RunResult; 2], both: &RunResult, whole: &RunResult) {
    let kinds: [fn(&RunResult) -> &Histogram; 3] = [
        |run| &run.latency.transfer,
        |run| &run.latency.first_byte,
        |run| &run.latency.block,
    ];
    for kind in kinds {
        // Nothing is lost: the merged distribution is the union of what the parts recorded.
        let mut union = kind(&parts[0]).decode().expect("readable").expect("values");
        union.auto(true);
        union
            .add(kind(&parts[1]).decode().expect("readable").expect("values"))
            .expect("alike");
        let merged = kind(both).decode().expect("readable").expect("values");
        assert_eq!(merged, union);
        assert_eq!(kind(both).p99, union.value_at_quantile(0.99));
        assert_eq!(kind(both).count, kind(whole).count);
    }
    // The client's own time is in both, whatever else the machine has to do.
    for run in [both, whole] {
        assert!(
            run.latency.transfer.min > 15_000_000,
            "{:?}",
            run.latency.transfer
        );
    }
    let in_intervals = |of: fn(&result::Interval) -> &Histogram| -> u64 {
        both.intervals
            .iter()
            .map(|interval| of(interval).count)
            .sum()
    };
    assert_eq!(
        in_intervals(|interval| &interval.block),
        both.latency.block.count
    );
    assert_eq!(
        in_intervals(|interval| &interval.first_byte),
        both.latency.first_byte.count
    );
    for interval in &both.intervals {
        assert_eq!(interval.block_p99, interval.block.p99);
    }
}

#[test]
fn a_start_that_is_over_is_refused() {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_bootstorm"))
        .args([
            "run",
            "127.0.0.1:9",
            "-m",
            "1",
            "--file",
            "f",
            "--start-at",
            "1000000000",
        ])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("--start-at") && told.contains("ago"),
        "{told}"
    );
}
