//! What a run found, as one JSON line for scripts and a table for people.
//! Never judges: thresholds belong to the caller.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::client::{Failure, Tally};

pub struct Report {
    pub tally: Tally,
    pub wall: Duration,
    pub own_cpu_ns: u64,
    pub server_cpu_ns: Option<u64>,
    pub requests_repeated: u64,
    pub acks_after_silence: u64,
    /// Packets for no client or from another host.
    pub strangers: u64,
    ok: u64,
    failures: BTreeMap<String, u64>,
    first_byte: Histogram<u64>,
    transfer: Histogram<u64>,
}

impl Report {
    pub fn new() -> Report {
        // Up to an hour in nanoseconds; what is longer counts as an hour.
        let histogram = || {
            Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("constant and valid bounds")
        };
        Report {
            tally: Tally::default(),
            wall: Duration::ZERO,
            own_cpu_ns: 0,
            server_cpu_ns: None,
            requests_repeated: 0,
            acks_after_silence: 0,
            strangers: 0,
            ok: 0,
            failures: BTreeMap::new(),
            first_byte: histogram(),
            transfer: histogram(),
        }
    }

    pub fn ok(&mut self, took: Duration) {
        self.ok += 1;
        self.transfer.saturating_record(took.as_nanos() as u64);
    }

    pub fn first_byte(&mut self, took: Duration) {
        self.first_byte.saturating_record(took.as_nanos() as u64);
    }

    pub fn failed(&mut self, failure: Failure) {
        let reason = match failure {
            Failure::Refused(code) => format!("error_{code}"),
            Failure::BadOack => "bad_oack".into(),
            Failure::WrongSize => "wrong_size".into(),
            Failure::WrongContent => "wrong_content".into(),
            Failure::Silence => "silence".into(),
            Failure::CutOff => "cut_off".into(),
        };
        *self.failures.entry(reason).or_default() += 1;
    }

    pub fn all_ok(&self) -> bool {
        self.failures.is_empty()
    }

    fn server_ns_per_block(&self) -> Option<f64> {
        Some(self.server_cpu_ns? as f64 / self.tally.blocks.max(1) as f64)
    }

    /// Times are in microseconds, CPU in seconds.
    pub fn json(&self) -> String {
        let mut out = String::from("{");
        let mut put = |name: &str, value: String| {
            let comma = if out.len() > 1 { "," } else { "" };
            let _ = write!(out, "{comma}\"{name}\":{value}");
        };
        let failed: u64 = self.failures.values().sum();
        let reasons: Vec<String> = self
            .failures
            .iter()
            .map(|(name, n)| format!("\"{name}\":{n}"))
            .collect();
        let seconds = self.wall.as_secs_f64();
        put("ok", self.ok.to_string());
        put("failed", failed.to_string());
        put("failures", format!("{{{}}}", reasons.join(",")));
        put("blksize", self.tally.blksize.to_string());
        put("windowsize", self.tally.windowsize.to_string());
        put("wall_s", format!("{seconds:.6}"));
        put("bytes", self.tally.bytes.to_string());
        put("blocks", self.tally.blocks.to_string());
        put(
            "blocks_per_s",
            format!("{:.0}", self.tally.blocks as f64 / seconds.max(1e-9)),
        );
        put("data_packets", self.tally.data.to_string());
        put("duplicates", self.tally.duplicates.to_string());
        put("ahead_of_gap", self.tally.ahead.to_string());
        put("foreign_port", self.tally.foreign.to_string());
        put("strangers", self.strangers.to_string());
        put("requests_repeated", self.requests_repeated.to_string());
        put("acks_after_silence", self.acks_after_silence.to_string());
        put("acks_for_duplicates", self.tally.repeated_acks.to_string());
        for (name, histogram) in [
            ("ttfb_us", &self.first_byte),
            ("transfer_us", &self.transfer),
        ] {
            let at = |q| micros(histogram.value_at_quantile(q));
            put(
                name,
                format!(
                    "{{\"p50\":{:.1},\"p90\":{:.1},\"p99\":{:.1},\"max\":{:.1}}}",
                    at(0.5),
                    at(0.9),
                    at(0.99),
                    micros(histogram.max())
                ),
            );
        }
        put(
            "generator_cpu_s",
            format!("{:.6}", self.own_cpu_ns as f64 / 1e9),
        );
        put(
            "generator_ns_per_block",
            format!(
                "{:.1}",
                self.own_cpu_ns as f64 / self.tally.blocks.max(1) as f64
            ),
        );
        let null = || "null".to_string();
        put(
            "server_cpu_s",
            self.server_cpu_ns
                .map_or_else(null, |ns| format!("{:.6}", ns as f64 / 1e9)),
        );
        put(
            "server_ns_per_block",
            self.server_ns_per_block()
                .map_or_else(null, |ns| format!("{ns:.1}")),
        );
        out.push('}');
        out
    }

    pub fn table(&self) -> String {
        let mut out = String::new();
        let seconds = self.wall.as_secs_f64().max(1e-9);
        let mut row = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<22}{value}");
        };
        let reasons: Vec<String> = self
            .failures
            .iter()
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        let reasons = if reasons.is_empty() {
            "none".into()
        } else {
            reasons.join(", ")
        };
        row("transfers", format!("{} ok, failures: {reasons}", self.ok));
        row(
            "agreed",
            format!(
                "blksize {}, windowsize {}",
                self.tally.blksize, self.tally.windowsize
            ),
        );
        row("wall time", format!("{seconds:.3} s"));
        row(
            "content",
            format!(
                "{} bytes, {:.1} MB/s",
                self.tally.bytes,
                self.tally.bytes as f64 / seconds / 1e6
            ),
        );
        row(
            "DATA packets",
            format!(
                "{} received, {} delivered ({:.0}/s), {} duplicates, {} after a gap",
                self.tally.data,
                self.tally.blocks,
                self.tally.blocks as f64 / seconds,
                self.tally.duplicates,
                self.tally.ahead
            ),
        );
        row(
            "client repeats",
            format!(
                "{} requests, {} ACKs after silence",
                self.requests_repeated, self.acks_after_silence
            ),
        );
        let times = |h: &Histogram<u64>| {
            let at = |q| micros(h.value_at_quantile(q)) / 1e3;
            let max = micros(h.max()) / 1e3;
            format!(
                "p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms, max {max:.3} ms",
                at(0.5),
                at(0.9),
                at(0.99)
            )
        };
        row("time to first byte", times(&self.first_byte));
        row("transfer time", times(&self.transfer));
        let per_block = |ns: u64| ns as f64 / self.tally.blocks.max(1) as f64;
        row(
            "generator CPU",
            format!(
                "{:.3} s, {:.0} ns for each block",
                self.own_cpu_ns as f64 / 1e9,
                per_block(self.own_cpu_ns)
            ),
        );
        if let Some(ns) = self.server_cpu_ns {
            row(
                "server CPU",
                format!(
                    "{:.3} s, {:.0} ns for each block",
                    ns as f64 / 1e9,
                    per_block(ns)
                ),
            );
            row(
                "",
                "(on loopback the sender's CPU also carries a packet into the receiver's queue)"
                    .into(),
            );
        }
        out
    }
}

impl Default for Report {
    fn default() -> Report {
        Report::new()
    }
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}
