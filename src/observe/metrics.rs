//! The metrics page: what all shards have counted, summed up when somebody asks.
//! It never makes a shard do anything: it reads what they have published.

mod classic;
mod write;

use core::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

pub use classic::classic;

use super::health::Health;
use super::reloads::Reloads;
use super::stats::{Count, DURATIONS, FIRST_DATA, Figures, Sums, place};
use crate::clock;
use crate::endpoint::Outcome;
use write::Page;

/// A shard's way to the kernel.
#[derive(Debug, Clone)]
pub struct BackendInfo {
    pub name: &'static str,
    /// Why it is not io_uring where that was wanted; else empty.
    pub why: String,
}

/// Where the figures are.
#[derive(Debug)]
pub struct Sources {
    pub health: Arc<Health>,
    /// One for each shard.
    pub backends: Vec<BackendInfo>,
    pub reloads: Arc<Reloads>,
    pub frames: Arc<dyn Frames>,
    /// The measures of the sandbox, and how far each came.
    pub sandbox: [(&'static str, String); 5],
}

/// The memory for files laid out in frames, as those who lay them out see it.
pub trait Frames: fmt::Debug + Send + Sync {
    /// Bytes in use.
    fn bytes(&self) -> u64;
    /// Bytes that there may be.
    fn limit(&self) -> u64;
    /// How often a file found no room.
    fn refused(&self) -> u64;
}

/// Writes the page.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

const OPERATIONS: [&str; 2] = ["read", "write"];

impl Metrics {
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(sources));
        Self { registry }
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::with_capacity(16 << 10);
        // It fails only where the writer does, and a string does not.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

impl Collector for Sources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.requests(&mut page)?;
        self.transfers(&mut page)?;
        self.blocks(&mut page)?;
        self.losses(&mut page)?;
        self.detours(&mut page)?;
        self.frames(&mut page)?;
        self.shards(&mut page)?;
        self.server(&mut page)
    }
}

impl Sources {
    /// One figure of all shards together.
    fn sum(&self, figure: impl Fn(&Figures) -> &Count) -> u64 {
        let shards = self.health.shards().iter();
        shards.map(|shard| figure(shard).get()).sum()
    }

    /// The same of a figure that is kept by operation.
    fn of(&self, write: usize, figure: impl Fn(&Figures) -> &[Count; 2]) -> u64 {
        let count = |shard: &Figures| figure(shard).get(write).map_or(0, Count::get);
        self.health.shards().iter().map(|shard| count(shard)).sum()
    }

    fn outcome(&self, write: usize, outcome: Outcome) -> u64 {
        let count = |shard: &Figures| {
            let ended = shard.ended.get(write)?;
            Some(ended.get(place(outcome))?.get())
        };
        let shards = self.health.shards().iter();
        shards.filter_map(|shard| count(shard)).sum()
    }

    fn requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        for (write, op) in OPERATIONS.into_iter().enumerate() {
            let limited = self.of(write, |shard| &shard.limited_requests);
            rows.extend([
                (
                    [("op", op), ("result", "accepted")],
                    self.of(write, |shard| &shard.accepted),
                ),
                (
                    [("op", op), ("result", "repeated")],
                    self.of(write, |shard| &shard.repeated),
                ),
                (
                    [("op", op), ("result", "missing")],
                    self.outcome(write, Outcome::Missing),
                ),
                (
                    [("op", op), ("result", "refused")],
                    self.outcome(write, Outcome::Refused),
                ),
                (
                    [("op", op), ("result", "shed")],
                    self.outcome(write, Outcome::Shed),
                ),
                ([("op", op), ("result", "limited")], limited),
            ]);
        }
        page.counters(
            "tftp_requests",
            "Requests by what became of them: accepted ones became transfers, repeated ones had \
             their first answer again, limited ones were more than their network may make",
            &rows,
        )?;
        let rows = [
            (
                [("limit", "requests")],
                self.of(0, |shard| &shard.limited_requests)
                    + self.of(1, |shard| &shard.limited_requests),
            ),
            (
                [("limit", "errors")],
                self.sum(|shard| &shard.limited_errors),
            ),
            ([("limit", "transfers")], self.sum(|shard| &shard.queued)),
        ];
        page.counters(
            "tftp_limited",
            "What a limit held up: requests and errors beyond their network's rate, and requests \
             that waited because there were as many transfers as there may be",
            &rows,
        )
    }

    fn transfers(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut rows = Vec::new();
        for (write, op) in OPERATIONS.into_iter().enumerate() {
            for (name, outcomes) in ENDINGS {
                let ended = outcomes.iter().map(|outcome| self.outcome(write, *outcome));
                rows.push(([("op", op), ("outcome", *name)], ended.sum::<u64>()));
            }
        }
        page.counters(
            "tftp_transfers",
            "Transfers that have ended, by outcome; missing files count as refused, and clients \
             that only asked for a file's size as probe",
            &rows,
        )?;
        let uploads: Vec<_> = ENDINGS
            .iter()
            .map(|(name, outcomes)| {
                let ended = outcomes.iter().map(|outcome| self.outcome(1, *outcome));
                ([("outcome", *name)], ended.sum::<u64>())
            })
            .collect();
        page.counters(
            "tftp_uploads",
            "Uploads that have ended, by outcome",
            &uploads,
        )?;
        page.gauge(
            "tftp_transfers_active",
            "Transfers under way, those that wait for their file or their turn included",
            self.sum(|shard| &shard.active),
        )?;
        let sums = OPERATIONS.into_iter().enumerate().map(|(write, op)| {
            let mut sums = Sums::default();
            for shard in self.health.shards() {
                if let Some(durations) = shard.durations.get(write) {
                    durations.read(&DURATIONS, &mut sums);
                }
            }
            ([("op", op)], sums)
        });
        page.histograms(
            "tftp_transfer_duration_seconds",
            "Completed transfers, from the request to the last acknowledgement",
            &sums.collect::<Vec<_>>(),
        )?;
        let mut sums = Sums::default();
        for shard in self.health.shards() {
            shard.first_data.read(&FIRST_DATA, &mut sums);
        }
        page.histogram(
            "tftp_first_data_seconds",
            "From a read request to its first DATA block; with options, the client's answer to \
             the OACK lies between",
            &sums,
        )
    }

    fn blocks(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(
            "tftp_sent_bytes",
            "Bytes of files sent, blocks that were sent again included",
            self.sum(|shard| &shard.sent_bytes),
        )?;
        page.counter(
            "tftp_received_bytes",
            "Bytes of files received and kept",
            self.sum(|shard| &shard.received_bytes),
        )?;
        page.counter(
            "tftp_retransmitted_blocks",
            "Blocks (of uploads: acknowledgements) sent more than once; counted when their transfer ends",
            self.sum(|shard| &shard.resends),
        )?;
        page.counter(
            "tftp_sent_datagrams",
            "Datagrams that the kernel took, each block of a train counted",
            self.sum(|shard| &shard.datagrams_sent),
        )?;
        page.counter(
            "tftp_received_datagrams",
            "Datagrams received",
            self.sum(|shard| &shard.datagrams_received),
        )?;
        page.counter(
            "tftp_file_changed_during_transfer",
            "Transfers that ended because their file changed",
            self.sum(|shard| &shard.file_changed),
        )
    }

    fn losses(&self, page: &mut Page<'_>) -> fmt::Result {
        let rows = [
            (
                [("reason", "malformed")],
                self.sum(|shard| &shard.malformed),
            ),
            (
                [("reason", "unknown_tid")],
                self.sum(|shard| &shard.unknown_tid),
            ),
            (
                [("reason", "truncated")],
                self.sum(|shard| &shard.truncated),
            ),
            (
                [("reason", "send_queue_full")],
                self.sum(|shard| &shard.send_lost),
            ),
            (
                [("reason", "send_error")],
                self.sum(|shard| &shard.send_errors),
            ),
        ];
        page.counters(
            "tftp_dropped_datagrams",
            "Datagrams that led to nothing: no TFTP or none for a server, of no transfer that we \
             know, longer than any request; and messages that could not be sent",
            &rows,
        )?;
        page.counter(
            "tftp_socket_receive_drops",
            "Datagrams that the kernel dropped because a receive buffer was full",
            self.sum(|shard| &shard.kernel_drops),
        )?;
        page.counter(
            "tftp_ring_overflows",
            "Times that an io_uring's completion queue was full",
            self.sum(|shard| &shard.ring_overflows),
        )
    }

    /// What was not lost, but took a longer way.
    fn detours(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(
            "tftp_parked",
            "Times that a transfer began to wait for a part of its file, or for word of it, from a \
             storage",
            self.sum(|shard| &shard.parked),
        )?;
        page.counter(
            "tftp_congested",
            "Messages that met a full send buffer and waited for room",
            self.sum(|shard| &shard.congested),
        )?;
        page.counter(
            "tftp_gso_fallbacks",
            "Trains sent block by block, because the kernel did not cut them",
            self.sum(|shard| &shard.gso_fallbacks),
        )?;
        page.counter(
            "tftp_buffers_exhausted",
            "Times that datagrams waited because all buffers of an io_uring were in use",
            self.sum(|shard| &shard.buffers_exhausted),
        )
    }

    fn frames(&self, page: &mut Page<'_>) -> fmt::Result {
        let rows = [
            (
                [("result", "spared")],
                self.sum(|shard| &shard.zero_copy_spared),
            ),
            (
                [("result", "copied")],
                self.sum(|shard| &shard.zero_copy_copied),
            ),
        ];
        page.counters(
            "tftp_zero_copy_trains",
            "Trains that were to go out without a copy: those that did, and those that the kernel \
             copied after all",
            &rows,
        )?;
        page.gauge(
            "tftp_frame_memory_bytes",
            "Memory in use for files laid out as they are sent",
            self.frames.bytes(),
        )?;
        page.gauge(
            "tftp_frame_memory_limit_bytes",
            "What that memory may be at most (frame-memory)",
            self.frames.limit(),
        )?;
        page.counter(
            "tftp_frames_refused",
            "Times that a file found no room in that memory and was served from the page cache as \
             before",
            self.frames.refused(),
        )
    }

    fn shards(&self, page: &mut Page<'_>) -> fmt::Result {
        let names: Vec<String> = (0..self.health.shards().len())
            .map(|shard| shard.to_string())
            .collect();
        let shards = || names.iter().map(String::as_str).zip(self.health.shards());
        let busy = |shard: &Figures| {
            let cpu = clock::thread_cpu(shard.thread()).unwrap_or_default();
            cpu.to_duration().as_secs_f64()
        };
        let rows: Vec<_> = shards()
            .map(|(name, shard)| ([("shard", name)], busy(shard)))
            .collect();
        page.counters(
            "tftp_shard_busy_seconds",
            "CPU time of a shard's thread",
            &rows,
        )?;
        let rows: Vec<_> = shards()
            .map(|(name, shard)| ([("shard", name)], shard.turns.get()))
            .collect();
        page.counters("tftp_shard_turns", "Turns of a shard's loop", &rows)?;
        let rows: Vec<_> = shards()
            .zip(&self.backends)
            .map(|((name, _), backend)| {
                let labels = [
                    ("shard", name),
                    ("backend", backend.name),
                    ("why", backend.why.as_str()),
                ];
                (labels, 1)
            })
            .collect();
        page.gauges(
            "tftp_backend_info",
            "How a shard's packets reach the kernel, and why not by io_uring where that was wanted",
            &rows,
        )
    }

    fn server(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge(
            "tftp_config_last_reload_successful",
            "Whether the last reading of the configuration succeeded",
            u64::from(self.reloads.successful()),
        )?;
        page.gauge(
            "tftp_config_last_reload_success_timestamp_seconds",
            "When the configuration was last read with success",
            self.reloads.succeeded_at(),
        )?;
        page.gauge(
            "tftp_ready",
            "Whether requests are taken: 0 while the server drains",
            u64::from(!self.health.is_draining()),
        )?;
        page.gauges(
            "tftp_sandbox_info",
            "What the process has given up",
            &[(self.sandbox.clone(), 1)],
        )?;
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauges("tftp_build_info", "The program", &[(labels, 1)])
    }
}

/// The outcomes of metrics, and those of the log that each stands for.
const ENDINGS: &[(&str, &[Outcome])] = &[
    ("completed", &[Outcome::Completed]),
    ("timed_out", &[Outcome::TimedOut]),
    ("peer_error", &[Outcome::PeerError]),
    ("peer_gone", &[Outcome::PeerGone]),
    ("refused", &[Outcome::Refused, Outcome::Missing]),
    ("shed", &[Outcome::Shed]),
    ("aborted", &[Outcome::Aborted]),
    ("probe", &[Outcome::Probe]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::stats::{OUTCOMES, Stats};

    #[derive(Debug)]
    struct NoFrames;

    impl Frames for NoFrames {
        fn bytes(&self) -> u64 {
            0
        }

        fn limit(&self) -> u64 {
            512
        }

        fn refused(&self) -> u64 {
            0
        }
    }

    #[test]
    fn every_outcome_is_counted_once() {
        for outcome in OUTCOMES {
            let named = ENDINGS.iter().filter(|(_, of)| of.contains(&outcome));
            assert_eq!(named.count(), 1, "{outcome:?}");
        }
    }

    #[test]
    fn a_new_server_shows_every_metric_at_zero() {
        let sources = Sources {
            health: Arc::new(Health::new(vec![Arc::default(), Arc::default()])),
            backends: vec![
                BackendInfo {
                    name: "epoll",
                    why: "the \"ring\"\nis refused".into(),
                };
                2
            ],
            reloads: Arc::default(),
            frames: Arc::new(NoFrames),
            sandbox: Default::default(),
        };
        let page = Metrics::new(sources).page();
        for line in [
            "tftp_requests_total{op=\"write\",result=\"limited\"} 0",
            "tftp_transfers_total{op=\"read\",outcome=\"completed\"} 0",
            "tftp_transfer_duration_seconds_bucket{le=\"+Inf\",op=\"write\"} 0",
            "tftp_first_data_seconds_count 0",
            "tftp_frame_memory_limit_bytes 512",
            "tftp_frames_refused_total 0",
            "tftp_shard_busy_seconds_total{shard=\"1\"} 0.0",
            r#"tftp_backend_info{shard="0",backend="epoll",why="the \"ring\"\nis refused"} 1"#,
            "# EOF",
        ] {
            assert!(page.lines().any(|other| other == line), "{line}\n{page}");
        }
    }

    #[test]
    fn what_no_client_can_cause_is_summed_over_the_shards() {
        let shards: Vec<Arc<Stats>> = vec![Arc::default(), Arc::default()];
        for (shard, stats) in (1..).zip(&shards) {
            stats.ring_overflows.set(shard);
            stats.kernel_drops.set(10 * shard);
            stats.send_lost.set(100 * shard);
            stats.send_errors.set(1_000 * shard);
            stats.buffers_exhausted.set(10_000 * shard);
            stats.congested.set(100_000 * shard);
            stats.gso_fallbacks.set(1_000_000 * shard);
            stats.zero_copy_spared.set(10_000_000 * shard);
        }
        let sources = Sources {
            health: Arc::new(Health::new(shards)),
            backends: Vec::new(),
            reloads: Arc::default(),
            frames: Arc::new(NoFrames),
            sandbox: Default::default(),
        };
        let page = Metrics::new(sources).page();
        for line in [
            "tftp_ring_overflows_total 3",
            "tftp_socket_receive_drops_total 30",
            "tftp_dropped_datagrams_total{reason=\"send_queue_full\"} 300",
            "tftp_dropped_datagrams_total{reason=\"send_error\"} 3000",
            "tftp_buffers_exhausted_total 30000",
            "tftp_congested_total 300000",
            "tftp_gso_fallbacks_total 3000000",
            "tftp_zero_copy_trains_total{result=\"spared\"} 30000000",
            "tftp_zero_copy_trains_total{result=\"copied\"} 0",
        ] {
            assert!(page.lines().any(|other| other == line), "{line}\n{page}");
        }
    }
}
