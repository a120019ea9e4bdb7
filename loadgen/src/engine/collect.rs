//! Gathers what the threads report: each interval as it closes, and the result at the end.
//! It never runs on a thread of the load.

mod document;
mod hlog;
mod limit;

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use self::hlog::IntervalLog;
use super::Error;
use super::plan::EnginePlan;
use super::shared::Shared;
use super::worker::Report;
use crate::machine::Nanos;
use crate::measure::process::{Usage, Watch};
use crate::measure::{Sample, Totals, clock};
use crate::result::{Histogram, Interval};

pub(super) use document::RunFacts;

/// How often Ctrl-C and the server's memory are looked at.
const TICK: Duration = Duration::from_millis(100);

/// What the last interval showed, and everything until then.
#[derive(Debug, Clone)]
pub struct Progress {
    pub interval: Interval,
    pub completed: u64,
    pub failed: u64,
    pub boots_up: u64,
    pub transfer_p50: u64,
}

/// An interval that not all threads have reported.
#[derive(Default)]
struct Open {
    sample: Sample,
    totals: BTreeMap<u32, Totals>,
}

pub(super) struct Collector<'a> {
    plan: &'a EnginePlan,
    shared: &'a Shared,
    reports: Receiver<Report>,
    spares: Vec<Sender<Box<Sample>>>,
    open: BTreeMap<u64, Open>,
    /// The last interval that each thread has reported.
    reported: Vec<Option<u64>>,
    latest: Vec<Totals>,
    before: Totals,
    overall: Sample,
    intervals: Vec<Interval>,
    log: Option<IntervalLog>,
    usage_before: Option<Usage>,
    usage_after: Usage,
    memory_peak: u64,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        plan: &'a EnginePlan,
        shared: &'a Shared,
        reports: Receiver<Report>,
        unix_zero: f64,
    ) -> Result<Self, Error> {
        let threads = shared.threads as usize;
        let start = unix_zero + seconds(shared.measure_from - shared.zero);
        let log = plan.hlog.as_deref();
        let log = log.map(|path| IntervalLog::create(path, start)).transpose();
        Ok(Self {
            plan,
            shared,
            reports,
            spares: Vec::new(),
            open: BTreeMap::new(),
            reported: vec![None; threads],
            latest: vec![Totals::default(); threads],
            before: Totals::default(),
            overall: Sample::default(),
            intervals: Vec::new(),
            log: log.map_err(|error| Error::System("--hlog", error))?,
            usage_before: None,
            usage_after: Usage::default(),
            memory_peak: 0,
        })
    }

    /// Where a thread gets its used samples back, empty.
    pub(super) fn spare_for(&mut self, _thread: u32) -> Receiver<Box<Sample>> {
        let (sender, receiver) = mpsc::channel();
        self.spares.push(sender);
        receiver
    }

    /// Until all threads are done.
    pub(super) fn collect(&mut self, progress: &mut dyn FnMut(&Progress)) {
        loop {
            self.watch_server();
            match self.reports.recv_timeout(TICK) {
                Ok(report) => self.take(report, progress),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.reported.fill(Some(u64::MAX));
        self.close_complete(progress);
        if let Some(watch) = &self.plan.watch {
            self.usage_after = watch.look();
        }
    }

    fn watch_server(&mut self) {
        let Some(watch) = &self.plan.watch else {
            return;
        };
        if self.usage_before.is_none() && !self.shared.begins_later() {
            self.usage_before = Some(watch.look());
        }
        self.memory_peak = self.memory_peak.max(memory(watch));
    }

    fn take(&mut self, mut report: Report, progress: &mut dyn FnMut(&Progress)) {
        let thread = report.thread as usize;
        let open = self.open.entry(report.interval).or_default();
        open.sample.add(&report.sample);
        open.totals.insert(report.thread, report.totals);
        if let Some(reported) = self.reported.get_mut(thread) {
            *reported = Some(report.interval);
        }
        report.sample.clear();
        if let Some(spare) = self.spares.get(thread) {
            // A thread that has ended needs none.
            let _ = spare.send(report.sample);
        }
        self.close_complete(progress);
    }

    /// Intervals of which nothing more can come.
    fn close_complete(&mut self, progress: &mut dyn FnMut(&Progress)) {
        let complete = self.reported.iter().min().copied().flatten();
        while let Some(entry) = self.open.first_entry()
            && complete.is_some_and(|complete| *entry.key() <= complete)
        {
            let (number, open) = entry.remove_entry();
            self.close(number, &open);
            self.tell(progress);
        }
    }

    fn close(&mut self, number: u64, open: &Open) {
        for (&thread, totals) in &open.totals {
            if let Some(latest) = self.latest.get_mut(thread as usize) {
                latest.clone_from(totals);
            }
        }
        let now = sum(&self.latest);
        let start = number * self.shared.interval;
        let since = clock::now().saturating_sub(self.shared.measure_from);
        let length = since.saturating_sub(start).min(self.shared.interval).max(1);
        let tally = |totals: &Totals| (totals.tally.blocks, totals.tally.bytes);
        let ((blocks, bytes), (blocks_before, bytes_before)) = (tally(&now), tally(&self.before));
        let interval = Interval {
            start: seconds(start),
            seconds: seconds(length),
            begun: now.begun - self.before.begun,
            completed: now.completed - self.before.completed,
            failed: now.failed - self.before.failed,
            blocks: blocks - blocks_before,
            bytes: bytes - bytes_before,
            active: now.active,
            first_byte_p99: p99(&open.sample.first_byte),
            block_p99: p99(&open.sample.block),
            first_byte: Histogram::of(&open.sample.first_byte),
            block: Histogram::of(&open.sample.block),
        };
        if let Some(log) = &mut self.log {
            log.write(&interval, &open.sample);
        }
        self.overall.add(&open.sample);
        self.before = now;
        self.intervals.push(interval);
    }

    fn tell(&self, progress: &mut dyn FnMut(&Progress)) {
        if let Some(interval) = self.intervals.last() {
            progress(&Progress {
                interval: interval.clone(),
                completed: self.before.completed,
                failed: self.before.failed,
                boots_up: self.overall.boot.len(),
                transfer_p50: self.overall.transfer.value_at_quantile(0.5),
            });
        }
    }
}

fn memory(watch: &Watch) -> u64 {
    let usage = watch.look();
    usage.memory.max(usage.memory_peak)
}

fn p99(histogram: &hdrhistogram::Histogram<u64>) -> u64 {
    if histogram.is_empty() {
        return 0;
    }
    histogram.value_at_quantile(0.99)
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / 1e9
}

fn sum(threads: &[Totals]) -> Totals {
    let mut all = Totals::default();
    for totals in threads {
        all.tally.add(&totals.tally);
        all.begun += totals.begun;
        all.completed += totals.completed;
        all.failed += totals.failed;
        all.active += totals.active;
    }
    all
}
