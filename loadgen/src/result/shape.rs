//! The document's shape; its JSON schema is made from these types. Times are seconds unless the
//! name says otherwise, sizes are bytes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the shape. Raised when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// One run, or several merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    pub schema: u32,
    /// Name and version of the program that measured.
    pub tool: String,
    /// One for each process that took part.
    pub plans: Vec<Plan>,
    /// Unix time of the first intended start.
    pub started_at: f64,
    pub wall_seconds: f64,
    /// Ctrl-C or a time limit ended the run before the plan did.
    pub cut_short: bool,
    pub generator: Generator,
    pub transfers: Transfers,
    /// Whole boots; absent in a run of single files.
    pub boots: Option<Boots>,
    pub packets: Packets,
    pub latency: Latency,
    /// Options as the server granted them ("blksize=1468 windowsize=16"), with the transfers that got them.
    pub granted: BTreeMap<String, u64>,
    /// ERROR packets of the server, "1 File not found", with their number.
    pub errors: BTreeMap<String, u64>,
    pub intervals: Vec<Interval>,
    pub server: Option<ServerUse>,
    /// Objectives that were asked for, and whether they were met.
    pub objectives: Vec<Objective>,
}

/// What was to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Address and port of the server.
    pub target: String,
    /// "run" or "boot".
    pub command: String,
    /// Name of the scenario, or the files with their weights.
    pub load: String,
    pub machines: u64,
    /// Number of the first of them in the farm.
    #[serde(default)]
    pub first_machine: u64,
    /// "closed", "all at once", "poisson 200/s", and so on.
    pub arrival: String,
    /// The impairment's seed; with it a run's impairments can be repeated.
    pub seed: u64,
    /// "loss 1% in, 1% out", empty when there is none.
    pub impairment: String,
    /// Where the machines' addresses come from.
    pub sources: String,
    pub host: String,
}

/// The generator's own conduct: whether its figures can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    pub threads: u32,
    /// "io_uring" or "epoll", with the reason where it fell back.
    pub io: String,
    /// From when a packet or start was due to when it left: our own lateness, never the server's.
    pub lateness: Histogram,
    /// CPU time of all threads.
    pub cpu_seconds: f64,
    /// Share of the wall time in which the busiest thread had nothing to wait for, 0 to 1.
    pub busiest_thread: f64,
    pub peak_memory: u64,
    /// Starts of an open load that found every machine busy and waited for one. The wait counts as
    /// latency, not as lateness: with more machines the rate would have been kept.
    #[serde(default)]
    pub without_machine: u64,
    /// Why the generator was the limit; then its figures say little about the server.
    pub saturated: Option<String>,
}

/// Counts of transfers; `begun` is the sum of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfers {
    pub begun: u64,
    pub completed: u64,
    /// Ended by the client as its habit is: a size probe, or a header that was all it needed.
    pub stopped: u64,
    /// Answered with ERROR 1 where that was expected.
    pub missing: u64,
    /// Left without a word on purpose.
    pub vanished: u64,
    /// Complete, but not the bytes that the file has.
    pub corrupt: u64,
    /// Complete, but shorter or longer than the file.
    pub wrong_length: u64,
    /// The server fell silent.
    pub timed_out: u64,
    /// The server answered with an ERROR that was not expected.
    pub refused: u64,
    /// The server broke the protocol: options not asked, blocks too long.
    pub violated: u64,
    /// Still under way when the run was cut short.
    pub cut: u64,
}

/// Whole boots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boots {
    pub begun: u64,
    pub completed: u64,
    /// Seconds after the run's start at which a boot was complete, in order; thinned to at most
    /// 2,000 points: (seconds, boots complete by then).
    pub curve: Vec<(f64, u64)>,
    /// "kernel: timed out" and the machines that ended there.
    pub gave_up: BTreeMap<String, u64>,
    /// By step: what its transfers took.
    pub steps: Vec<StepResult>,
}

/// One step of a scenario over all machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepResult {
    pub scenario: String,
    pub label: String,
    pub transfers: Transfers,
    pub time: Histogram,
}

/// Datagrams, as seen by the clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    pub sent: u64,
    pub received: u64,
    /// Bytes of files that arrived in order and new.
    pub bytes: u64,
    /// DATA that arrived in order and new.
    pub blocks: u64,
    /// DATA that a client had already.
    pub duplicates: u64,
    /// DATA that came with a gap before it.
    pub out_of_order: u64,
    pub requests_repeated: u64,
    pub acks_repeated: u64,
    /// From a port that the client does not talk to.
    pub strangers: u64,
    /// Taken away, doubled, held back or put out of order on purpose; "repeats" are of packets that
    /// were sent before, and of ERRORs.
    pub impaired: BTreeMap<String, u64>,
    /// Sum of hashes over what was decided about each packet that was new in its transfer: equal
    /// seeds give equal sums for equal transfers, however often a timer made somebody repeat
    /// himself, and those of a farm's parts add up to the whole's.
    pub impairment_trace: String,
}

/// From the intended start where there is one, so that a late generator or a server that stops
/// answering is not flattered (no coordinated omission).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// From the intended start to the first DATA.
    pub first_byte: Histogram,
    /// From an ACK to the DATA that answers it.
    pub block: Histogram,
    /// From the intended start to the last block.
    pub transfer: Histogram,
    /// From the intended power-on to the end of the last step.
    pub boot: Histogram,
}

/// A latency distribution in nanoseconds: the usual figures, and the whole of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    pub count: u64,
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    /// HdrHistogram V2, compressed (as in its interval logs), in base64; empty when nothing was
    /// recorded.
    pub v2: String,
}

/// What happened in one stretch of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Seconds after the run's start.
    pub start: f64,
    pub seconds: f64,
    pub begun: u64,
    pub completed: u64,
    pub failed: u64,
    pub blocks: u64,
    pub bytes: u64,
    pub active: u64,
    pub first_byte_p99: u64,
    pub block_p99: u64,
    /// The distributions behind these percentiles, so that merged intervals are exact.
    #[serde(default)]
    pub first_byte: Histogram,
    #[serde(default)]
    pub block: Histogram,
}

/// The server's process, where `--server-pid` named it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerUse {
    pub pid: u32,
    /// Its CPU time during the run, children that were waited for included.
    pub cpu_seconds: f64,
    pub cpu_ns_per_block: f64,
    pub memory_before: u64,
    pub memory_peak: u64,
    pub memory_after: u64,
}

/// One objective, "p99(boot) < 90s".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    pub text: String,
    pub measured: String,
    pub met: bool,
}
