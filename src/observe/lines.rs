//! Writes what the shards and the daemon have queued for the log: a line for each finished transfer.
//! It never runs on a shard's thread.

use std::thread;

use tracing::Level;

use super::record::{Entry, Next, Record, RecordReceiver};
use super::refusals::{More, Refusals};
use crate::clock;
use crate::limits::{LOG_PAUSE, REFUSALS_WINDOW};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// Writes what is queued until everybody has hung up.
pub fn write_records(records: &RecordReceiver) {
    let mut refusals = Refusals::default();
    loop {
        let wait = refusals.any_left_out().then_some(REFUSALS_WINDOW);
        match records.next(wait) {
            Next::Entry(entry) => write_entry(&entry, &mut refusals),
            Next::Nothing => {}
            Next::End => break,
        }
        while let Some(entry) = records.try_next() {
            write_entry(&entry, &mut refusals);
        }
        refusals.turn(clock::now()).iter().for_each(write_more);
        let lost = records.lost();
        if lost > 0 {
            tracing::warn!("{lost} transfers are missing from this log: its reader is too slow");
        }
        // A shard may share its core with this thread: one switch for many lines.
        thread::sleep(LOG_PAUSE.to_duration());
    }
    refusals.end().iter().for_each(write_more);
}

fn write_entry(entry: &Entry, refusals: &mut Refusals) {
    match entry {
        Entry::Transfer(record) => {
            refusals.turn(clock::now()).iter().for_each(write_more);
            if tracing::enabled!(Level::DEBUG) || refusals.shows(record) {
                write_record(record);
            }
        }
        Entry::Notice(text) => tracing::info!("{text}"),
        Entry::Warning(text) => tracing::warn!("{text}"),
    }
}

/// The refusals that have no line of their own.
fn write_more(more: &More) {
    tracing::warn!(
        outcome = more.outcome.as_str(),
        reason = more.reason.as_ref(),
        more = more.count,
        "{} more requests came to nothing for the same reason; the log level debug shows each",
        more.count
    );
}

/// Strings go through `tracing` as strings: its text form quotes and escapes them like Rust, its
/// JSON form like JSON, so a name cannot forge a line or steer a terminal.
fn write_record(record: &Record) {
    tracing::info!(
        client = %record.client,
        file = String::from_utf8_lossy(&record.file).as_ref(),
        outcome = record.outcome.as_str(),
        bytes = record.bytes,
        size = record.size,
        duration_ms = millis(record.duration),
        blksize = record.blksize,
        windowsize = record.windowsize,
        resends = record.resends,
        round_trip_ms = millis(record.round_trip),
        operation = if record.write { "write" } else { "read" },
        mode = mode_name(record.mode),
        reason = (!record.reason.is_empty()).then_some(record.reason.as_ref()),
        "transfer"
    );
}

/// Milliseconds with the precision of microseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a span of centuries would be needed to notice"
)]
fn millis(span: Nanos) -> f64 {
    (span.0 / 1_000) as f64 / 1_000.0
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Octet => "octet",
        Mode::Netascii => "netascii",
        Mode::Mail => "mail",
        Mode::Unknown => "unknown",
    }
}
