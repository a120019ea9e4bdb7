//! What one thread saw: histograms of the present interval, counts since the start.
//! It never locks: a full interval is sent away as a whole and comes back empty.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::histogram;
use crate::machine::{End, Granted, Nanos, Tally};
use crate::result::Transfers;

/// The histograms of one interval.
pub struct Sample {
    pub first_byte: Histogram<u64>,
    pub block: Histogram<u64>,
    pub transfer: Histogram<u64>,
    pub boot: Histogram<u64>,
    pub lateness: Histogram<u64>,
}

/// Counts since the start, or since the end of the warm-up.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub tally: Tally,
    pub begun: u64,
    pub completed: u64,
    pub failed: u64,
    /// Transfers under way.
    pub active: u64,
}

/// What became of one step's transfers.
#[derive(Debug, Clone)]
pub struct StepRecord {
    pub transfers: Transfers,
    pub time: Histogram<u64>,
}

/// All that one thread records.
pub struct Recorder {
    pub sample: Box<Sample>,
    pub totals: Totals,
    /// By number of the step over all scenarios.
    pub steps: Vec<StepRecord>,
    pub granted: BTreeMap<Granted, u64>,
    pub errors: BTreeMap<String, u64>,
    /// When each boot was complete.
    pub boots_up: Vec<Nanos>,
    pub boots_begun: u64,
    /// Starts that found every machine busy.
    pub without_machine: u64,
    /// Step and end with which machines gave up.
    pub gave_up: BTreeMap<(usize, End), u64>,
}

/// Different texts of errors that are kept; a server that writes the block number into its text
/// must not fill our memory.
const ERROR_TEXTS: usize = 200;

impl Default for Sample {
    fn default() -> Self {
        Self {
            first_byte: histogram::new(),
            block: histogram::new(),
            transfer: histogram::new(),
            boot: histogram::new(),
            lateness: histogram::new(),
        }
    }
}

impl Sample {
    pub fn clear(&mut self) {
        self.each(|histogram| histogram.reset());
    }

    /// Adds what another one holds.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.first_byte, &other.first_byte),
            (&mut self.block, &other.block),
            (&mut self.transfer, &other.transfer),
            (&mut self.boot, &other.boot),
            (&mut self.lateness, &other.lateness),
        ];
        for (ours, theirs) in pairs {
            // The bounds are the same, so nothing is lost.
            let _ = ours.add(theirs);
        }
    }

    fn each(&mut self, change: impl FnMut(&mut Histogram<u64>)) {
        [
            &mut self.first_byte,
            &mut self.block,
            &mut self.transfer,
            &mut self.boot,
            &mut self.lateness,
        ]
        .into_iter()
        .for_each(change);
    }
}

impl StepRecord {
    fn new() -> Self {
        Self {
            transfers: Transfers::default(),
            time: histogram::small(),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.transfers = sum(&self.transfers, &other.transfers);
        let _ = self.time.add(&other.time);
    }
}

impl Recorder {
    #[must_use]
    pub fn new(steps: usize) -> Self {
        Self {
            sample: Box::default(),
            totals: Totals::default(),
            steps: vec![StepRecord::new(); steps],
            granted: BTreeMap::new(),
            errors: BTreeMap::new(),
            boots_up: Vec::new(),
            boots_begun: 0,
            without_machine: 0,
            gave_up: BTreeMap::new(),
        }
    }

    /// The warm-up is over: everything starts from nothing, but what runs goes on running.
    pub fn restart(&mut self) {
        let active = self.totals.active;
        let steps = self.steps.len();
        *self = Self::new(steps);
        self.totals.active = active;
    }

    /// A transfer that counts has ended.
    pub fn ended(&mut self, step: usize, end: End, took: u64, granted: Granted) {
        if let Some(step) = self.steps.get_mut(step) {
            count(&mut step.transfers, end);
            if matches!(end, End::Completed | End::Stopped) {
                // It grows to hold any time.
                let _ = step.time.record(took);
            }
        }
        if end == End::Completed {
            self.sample.transfer.saturating_record(took);
            self.totals.completed += 1;
            *self.granted.entry(granted).or_default() += 1;
        }
        self.totals.failed += u64::from(end.is_failure());
    }

    /// Takes over another thread's, all but the latencies, which went the way of the intervals.
    pub fn absorb(&mut self, other: Self) {
        self.totals.tally.add(&other.totals.tally);
        for (ours, theirs) in self.steps.iter_mut().zip(&other.steps) {
            ours.add(theirs);
        }
        for (granted, count) in other.granted {
            *self.granted.entry(granted).or_default() += count;
        }
        for (text, count) in other.errors {
            *self.errors.entry(text).or_default() += count;
        }
        for (where_and_how, count) in other.gave_up {
            *self.gave_up.entry(where_and_how).or_default() += count;
        }
        self.boots_up.extend(other.boots_up);
        self.boots_begun += other.boots_begun;
        self.without_machine += other.without_machine;
    }

    /// The server's ERROR, as people read it.
    pub fn error(&mut self, code: u16, text: &[u8]) {
        let text: String = String::from_utf8_lossy(text)
            .chars()
            .filter(|c| !c.is_control())
            .take(80)
            .collect();
        let text = format!("{code} {text}");
        if let Some(count) = self.errors.get_mut(text.trim_end()) {
            *count += 1;
        } else if self.errors.len() < ERROR_TEXTS {
            self.errors.insert(text.trim_end().into(), 1);
        } else {
            *self.errors.entry("others".into()).or_default() += 1;
        }
    }
}

fn count(transfers: &mut Transfers, end: End) {
    transfers.begun += 1;
    let place = match end {
        End::Completed => &mut transfers.completed,
        End::Stopped => &mut transfers.stopped,
        End::Missing => &mut transfers.missing,
        End::Vanished => &mut transfers.vanished,
        End::Corrupt => &mut transfers.corrupt,
        End::WrongLength => &mut transfers.wrong_length,
        End::TimedOut => &mut transfers.timed_out,
        End::Refused(_) => &mut transfers.refused,
        End::Violated => &mut transfers.violated,
        End::Cut => &mut transfers.cut,
    };
    *place += 1;
}

/// Two threads' counts.
#[must_use]
pub fn sum(a: &Transfers, b: &Transfers) -> Transfers {
    Transfers {
        begun: a.begun + b.begun,
        completed: a.completed + b.completed,
        stopped: a.stopped + b.stopped,
        missing: a.missing + b.missing,
        vanished: a.vanished + b.vanished,
        corrupt: a.corrupt + b.corrupt,
        wrong_length: a.wrong_length + b.wrong_length,
        timed_out: a.timed_out + b.timed_out,
        refused: a.refused + b.refused,
        violated: a.violated + b.violated,
        cut: a.cut + b.cut,
    }
}
