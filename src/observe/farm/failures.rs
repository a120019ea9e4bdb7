//! The last requests that failed, those that failed alike taken together.
//! It never holds more than a fixed number of them.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::words::explain;
use crate::endpoint::Outcome;
use crate::limits::{FARM_FAILURES, NAME_SHOWN};
use crate::observe::record::Record;
use crate::transfer::Nanos;

/// The newest first.
#[derive(Debug, Default)]
pub struct Failures {
    pub list: VecDeque<Failed>,
    /// Since it was last told.
    pub changed: bool,
}

#[derive(Debug)]
pub struct Failed {
    pub at: Nanos,
    pub id: u32,
    pub ip: IpAddr,
    pub file: Box<[u8]>,
    pub outcome: Outcome,
    pub plain: String,
    pub advice: &'static str,
    pub times: u32,
}

impl Failures {
    pub fn add(&mut self, id: u32, record: &Record, now: Nanos) {
        self.changed = true;
        let from = record.file.len().saturating_sub(NAME_SHOWN);
        let file = record.file.get(from..).unwrap_or_default();
        let alike = |failed: &Failed| {
            failed.id == id && failed.outcome == record.outcome && *failed.file == *file
        };
        if let Some(place) = self.list.iter().position(alike)
            && let Some(mut failed) = self.list.remove(place)
        {
            failed.times = failed.times.saturating_add(1);
            failed.at = now;
            self.list.push_front(failed);
            return;
        }
        self.list.truncate(FARM_FAILURES - 1);
        let words = explain(record.outcome, &record.reason, record.write);
        self.list.push_front(Failed {
            at: now,
            id,
            ip: record.client.ip(),
            file: file.into(),
            outcome: record.outcome,
            plain: words.plain,
            advice: words.advice,
            times: 1,
        });
    }
}
