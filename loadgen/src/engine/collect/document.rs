//! The result document, from what all threads saw.
//! It never measures.

use std::collections::BTreeMap;

use super::{Collector, limit, seconds};
use crate::engine::Error;
use crate::engine::worker::{Conduct, Finished};
use crate::impair::Impaired;
use crate::machine::Nanos;
use crate::measure::{Recorder, process, sum_transfers};
use crate::result::{
    Boots, Generator, Histogram, Latency, Packets, Plan, RunResult, SCHEMA, ServerUse, StepResult,
    Transfers, gather,
};

/// Points of a completion curve.
const CURVE: usize = 2_000;
/// A server thread that used so much of the time was at its own limit.
const SERVER_BUSY: f64 = 0.95;

/// What only the start knows.
pub(in crate::engine) struct RunFacts {
    pub(in crate::engine) io: String,
    pub(in crate::engine) threads: u32,
    pub(in crate::engine) unix_zero: f64,
}

impl Collector<'_> {
    pub(in crate::engine) fn result(
        self,
        finished: Vec<Finished>,
        facts: RunFacts,
    ) -> Result<RunResult, Error> {
        let ended_at = finished
            .iter()
            .map(|thread| thread.ended_at)
            .max()
            .unwrap_or(0);
        let cut_short = finished.iter().any(|thread| thread.cut);
        let conducts: Vec<Conduct> = finished.iter().map(|thread| thread.conduct).collect();
        let mut impaired = Impaired::default();
        let mut all = Recorder::new(self.shared.step_count());
        for thread in finished {
            if let Some(error) = thread.failure {
                return Err(Error::System("the network", error));
            }
            impaired.add(&thread.impaired);
            all.absorb(thread.recorder);
        }
        let wall = ended_at.saturating_sub(self.shared.measure_from);
        let packets = packets(&all, &impaired);
        let latency = Latency {
            first_byte: Histogram::of(&self.overall.first_byte),
            block: Histogram::of(&self.overall.block),
            transfer: Histogram::of(&self.overall.transfer),
            boot: Histogram::of(&self.overall.boot),
        };
        let measured_after = seconds(self.shared.measure_from - self.shared.zero);
        Ok(RunResult {
            schema: SCHEMA,
            tool: concat!("bootstorm ", env!("CARGO_PKG_VERSION")).into(),
            plans: vec![self.plan_facts()],
            started_at: facts.unix_zero + measured_after,
            wall_seconds: seconds(wall),
            cut_short,
            generator: self.generator(&conducts, &all, facts),
            transfers: transfers(&all),
            boots: self.shared.boots.then(|| self.boots(&all)),
            latency,
            granted: texts(all.granted.iter().map(|(granted, &n)| (granted.text(), n))),
            errors: all.errors,
            server: self.server_use(packets.blocks),
            packets,
            intervals: self.intervals,
            objectives: Vec::new(),
        })
    }

    fn plan_facts(&self) -> Plan {
        let plan = self.plan;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Plan {
            target: plan.server.to_string(),
            command: plan.load.command().into(),
            load: plan.load.to_string(),
            machines: plan.machines.into(),
            first_machine: plan.first_machine.into(),
            arrival: plan.arrival.to_string(),
            seed: plan.seed,
            impairment: plan.impairment.to_string(),
            sources: self.shared.sources.to_string(),
            host: host.trim().into(),
        }
    }

    fn generator(&self, conducts: &[Conduct], all: &Recorder, facts: RunFacts) -> Generator {
        let busiest = conducts.iter().copied();
        let busiest = busiest
            .max_by(|a, b| a.busy().total_cmp(&b.busy()))
            .unwrap_or_default();
        let cpu: Nanos = conducts.iter().map(|conduct| conduct.cpu).sum();
        Generator {
            threads: facts.threads,
            io: facts.io,
            lateness: Histogram::of(&self.overall.lateness),
            cpu_seconds: seconds(cpu),
            busiest_thread: busiest.busy(),
            peak_memory: process::own_peak_memory(),
            without_machine: all.without_machine,
            saturated: self.saturated(&busiest),
        }
    }

    fn saturated(&self, busiest: &Conduct) -> Option<String> {
        // Nobody could have driven it further.
        if self.server_at_limit(busiest.wall) {
            return None;
        }
        limit::reached(busiest, &self.overall.lateness, &self.overall.block)
    }

    /// A thread of the watched server had no rest.
    fn server_at_limit(&self, wall: Nanos) -> bool {
        let before = self.usage_before.as_ref();
        let used = before.map_or(0, |before| self.usage_after.busiest_thread_since(before));
        used as f64 > SERVER_BUSY * wall as f64
    }

    fn boots(&self, all: &Recorder) -> Boots {
        let mut steps = Vec::new();
        for job in &self.shared.jobs {
            for (recipe, record) in job.steps.iter().zip(all.steps.iter().skip(job.first_step)) {
                steps.push(StepResult {
                    scenario: job.name.clone(),
                    label: recipe.label.clone(),
                    transfers: record.transfers.clone(),
                    time: Histogram::of(&record.time),
                });
            }
        }
        let label = |number: usize| steps.get(number).map_or("", |step| step.label.as_str());
        let gave_up = all.gave_up.iter();
        let gave_up =
            gave_up.map(|(&(step, end), &n)| (format!("{}: {}", label(step), end.text()), n));
        Boots {
            begun: all.boots_begun,
            completed: all.boots_up.len() as u64,
            curve: curve(&all.boots_up, self.shared.measure_from),
            gave_up: texts(gave_up),
            // Its own histograms always fit together.
            steps: gather(&steps).unwrap_or(steps),
        }
    }

    fn server_use(&self, blocks: u64) -> Option<ServerUse> {
        let (watch, before) = (self.plan.watch.as_ref()?, self.usage_before.as_ref()?);
        let cpu = self.usage_after.cpu.saturating_sub(before.cpu);
        Some(ServerUse {
            pid: watch.pid.unwrap_or(0),
            cpu_seconds: seconds(cpu),
            cpu_ns_per_block: cpu as f64 / blocks.max(1) as f64,
            memory_before: before.memory,
            memory_peak: self.memory_peak.max(self.usage_after.memory),
            memory_after: self.usage_after.memory,
        })
    }
}

fn packets(all: &Recorder, impaired: &Impaired) -> Packets {
    let tally = all.totals.tally;
    Packets {
        sent: tally.sent,
        received: tally.received,
        bytes: tally.bytes,
        blocks: tally.blocks,
        duplicates: tally.duplicates,
        out_of_order: tally.out_of_order,
        requests_repeated: tally.requests_repeated,
        acks_repeated: tally.acks_repeated,
        strangers: tally.strangers,
        impaired: impaired.by_name(),
        impairment_trace: format!("{:016x}", impaired.trace),
    }
}

fn transfers(all: &Recorder) -> Transfers {
    let none = Transfers::default();
    let steps = all.steps.iter();
    steps.fold(none, |sum, step| sum_transfers(&sum, &step.transfers))
}

/// Different things may have the same text.
fn texts(pairs: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (text, count) in pairs {
        *all.entry(text).or_default() += count;
    }
    all
}

/// How many boots were complete when.
fn curve(up: &[Nanos], from: Nanos) -> Vec<(f64, u64)> {
    let mut moments = up.to_vec();
    moments.sort_unstable();
    let point = |index: usize| {
        let at = moments.get(index).copied().unwrap_or(from);
        (seconds(at.saturating_sub(from)), index as u64 + 1)
    };
    let last = moments.len().saturating_sub(1);
    let step = moments.len().div_ceil(CURVE).max(1);
    let mut points: Vec<_> = (0..moments.len()).step_by(step).map(point).collect();
    if !moments.is_empty() && !last.is_multiple_of(step) {
        // The last one is what everybody looks for.
        points.truncate(CURVE - 1);
        points.push(point(last));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_thinned_and_keeps_its_end() {
        let up: Vec<Nanos> = (1..=5_001).map(|n| n * 1_000_000_000).rev().collect();
        let points = curve(&up, 0);
        assert!(points.len() <= CURVE);
        assert_eq!(points.first(), Some(&(1.0, 1)));
        assert_eq!(points.last(), Some(&(5_001.0, 5_001)));
        assert!(curve(&[], 0).is_empty());
    }
}
