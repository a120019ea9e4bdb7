//! The files of one boot in their order.
//! It never holds more than a fixed number of them.

use super::stage::Stage;
use super::view::FileEvent;
use super::words::{explain, is_served};
use crate::endpoint::Outcome;
use crate::limits::{BOOT_GAP, FARM_FILES, NAME_SHOWN};
use crate::observe::record::Record;
use crate::transfer::Nanos;

/// One boot of one machine.
#[derive(Debug)]
pub struct Boot {
    pub began: Nanos,
    pub files: Vec<Ended>,
    /// Those that had to go.
    pub left_out: u32,
    pub completed: u16,
    pub misses: u16,
    pub resends: u32,
    loader: bool,
    system: bool,
}

/// A file that was fetched, or not.
#[derive(Debug)]
pub struct Ended {
    name: Box<[u8]>,
    pub stage: Stage,
    write: bool,
    began: Nanos,
    ended: Nanos,
    outcome: Outcome,
    reason: Box<str>,
    pub bytes: u64,
    pub size: u64,
    resends: u32,
    pub round_trip: Nanos,
    times: u32,
}

impl Boot {
    pub const fn new(began: Nanos) -> Self {
        Self {
            began,
            files: Vec::new(),
            left_out: 0,
            completed: 0,
            misses: 0,
            resends: 0,
            loader: false,
            system: false,
        }
    }

    /// Whether a request at `at`, after so long a silence, belongs to another boot.
    pub fn is_over(&self, at: Nanos, quiet: Nanos, stage: Stage) -> bool {
        if at < self.began || self.files.is_empty() {
            return false;
        }
        // Firmware asks for a loader; what already has a kernel does not.
        quiet >= BOOT_GAP || self.system && stage == Stage::Loader
    }

    pub fn add(&mut self, record: &Record, stage: Stage, began: Nanos, now: Nanos) {
        let completed = is_served(record.outcome, &record.reason);
        self.completed = self.completed.saturating_add(completed.into());
        let missing = record.outcome == Outcome::Missing;
        self.misses = self.misses.saturating_add(missing.into());
        self.resends = self.resends.saturating_add(record.resends);
        self.loader |= completed && stage == Stage::Loader;
        self.system |= completed && stage.is_system();
        let from = record.file.len().saturating_sub(NAME_SHOWN);
        let name = record.file.get(from..).unwrap_or_default();
        if let Some(last) = self.files.last_mut()
            && (&*last.name, last.outcome, last.write) == (name, record.outcome, record.write)
        {
            last.times += 1;
            last.ended = now;
            last.bytes = record.bytes;
            return;
        }
        self.make_room();
        self.files.push(Ended {
            name: name.into(),
            stage,
            write: record.write,
            began,
            ended: now,
            outcome: record.outcome,
            reason: record.reason.clone(),
            bytes: record.bytes,
            size: record.size,
            resends: record.resends,
            round_trip: record.round_trip,
            times: 1,
        });
    }

    /// The first miss goes, else the oldest file that is neither the first nor among the last.
    fn make_room(&mut self) {
        if self.files.len() < FARM_FILES {
            return;
        }
        let misses = |file: &Ended| file.outcome == Outcome::Missing;
        let goes = self.files.iter().position(misses);
        self.files.remove(goes.unwrap_or(FARM_FILES / 4));
        self.left_out += 1;
    }

    pub const fn has_loader(&self) -> bool {
        self.loader
    }

    /// A kernel or what belongs to one.
    pub const fn has_system(&self) -> bool {
        self.system
    }
}

impl Ended {
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    pub fn event(&self, millis: impl Fn(Nanos) -> u64) -> FileEvent {
        let words = explain(self.outcome, &self.reason, self.write);
        FileEvent {
            name: self.name(),
            stage: self.stage,
            write: self.write,
            began: millis(self.began),
            ended: Some(millis(self.ended)),
            outcome: self.outcome.as_str().to_owned(),
            plain: words.plain,
            advice: words.advice.to_owned(),
            bytes: self.bytes,
            size: self.size,
            resends: self.resends,
            times: self.times,
        }
    }
}
