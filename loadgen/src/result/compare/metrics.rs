//! What is compared, and which way is better. It never decides how much a difference matters.

use crate::report::units;
use crate::result::{Histogram, RunResult};

/// One measure of a result.
pub struct Metric {
    pub name: &'static str,
    pub unit: Unit,
    pub more_is_better: bool,
    /// None where the result has no such measure.
    pub of: fn(&RunResult) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Nanos,
    Bytes,
    Rate,
    Count,
    /// 0 to 1.
    Share,
}

impl Unit {
    /// For people.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are positive and whole"
    )]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Nanos => units::seconds(value / 1e9),
            Self::Bytes => units::bytes(value as u64),
            Self::Rate => units::rate(value),
            // Means of several runs have fractions.
            Self::Count if value.fract() == 0.0 => units::count(value as u64),
            Self::Count => units::three_digits(value),
            Self::Share => format!("{} %", units::three_digits(value * 100.0)),
        }
    }
}

impl std::fmt::Debug for Metric {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn less(name: &'static str, unit: Unit, of: fn(&RunResult) -> Option<f64>) -> Metric {
    Metric {
        name,
        unit,
        more_is_better: false,
        of,
    }
}

const fn more(name: &'static str, unit: Unit, of: fn(&RunResult) -> Option<f64>) -> Metric {
    Metric {
        name,
        unit,
        more_is_better: true,
        of,
    }
}

/// In the order in which an operator asks.
pub static METRICS: [Metric; 19] = [
    less("failed", Unit::Share, |run| part(run.failed(), run.begun())),
    less("corrupt or wrong length", Unit::Count, |run| {
        Some(float(run.transfers.corrupt + run.transfers.wrong_length))
    }),
    less("last boot", Unit::Nanos, |run| {
        of(&run.latency.boot, |h| h.max)
    }),
    less("boot p99", Unit::Nanos, |run| {
        of(&run.latency.boot, |h| h.p99)
    }),
    less("boot p50", Unit::Nanos, |run| {
        of(&run.latency.boot, |h| h.p50)
    }),
    less("transfer p99", Unit::Nanos, |run| {
        of(&run.latency.transfer, |h| h.p99)
    }),
    less("transfer p50", Unit::Nanos, |run| {
        of(&run.latency.transfer, |h| h.p50)
    }),
    less("first byte p99", Unit::Nanos, |run| {
        of(&run.latency.first_byte, |h| h.p99)
    }),
    less("first byte p50", Unit::Nanos, |run| {
        of(&run.latency.first_byte, |h| h.p50)
    }),
    less("block p99.9", Unit::Nanos, |run| {
        of(&run.latency.block, |h| h.p999)
    }),
    less("block p99", Unit::Nanos, |run| {
        of(&run.latency.block, |h| h.p99)
    }),
    less("block p50", Unit::Nanos, |run| {
        of(&run.latency.block, |h| h.p50)
    }),
    more("throughput", Unit::Rate, |run| {
        (run.packets.bytes > 0).then(|| run.rate())
    }),
    less("requests repeated", Unit::Count, |run| {
        Some(float(run.packets.requests_repeated))
    }),
    less("acknowledgements repeated", Unit::Count, |run| {
        Some(float(run.packets.acks_repeated))
    }),
    less("duplicate blocks", Unit::Share, |run| {
        part(run.packets.duplicates, run.packets.blocks)
    }),
    less("server CPU for each block", Unit::Nanos, |run| {
        run.server
            .as_ref()
            .map(|server| server.cpu_ns_per_block)
            .filter(|cost| *cost > 0.0)
    }),
    less("server CPU", Unit::Nanos, |run| {
        run.server.as_ref().map(|server| server.cpu_seconds * 1e9)
    }),
    less("server memory at its peak", Unit::Bytes, |run| {
        run.server.as_ref().map(|server| float(server.memory_peak))
    }),
];

fn of(histogram: &Histogram, figure: fn(&Histogram) -> u64) -> Option<f64> {
    (histogram.count > 0).then(|| float(figure(histogram)))
}

fn part(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
const fn float(value: u64) -> f64 {
    value as f64
}
