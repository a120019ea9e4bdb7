//! The log: text for people, JSON for collectors, one line for each finished transfer.
//! It never logs a packet, and never passes a client's control characters on.

use std::io::{self, IsTerminal, Write};
use std::thread;

use crossbeam::channel::bounded;
use tracing_subscriber::EnvFilter;

use super::record::{Entry, Record, RecordReceiver};
use crate::limits::{LOG_LAST_WORDS, LOG_PAUSE};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// Directs the log to standard error. `RUST_LOG` narrows it.
pub fn init(format: Format) {
    let terminal = io::stderr().is_terminal();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A log that nobody reads any more must not end the server.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    let json = match format {
        Format::Auto => !terminal,
        Format::Text => false,
        Format::Json => true,
    };
    if json {
        builder.json().flatten_event(true).init();
    } else {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colour).init();
    }
}

/// Writes what is queued until everybody has hung up.
pub fn write_records(records: &RecordReceiver) {
    while let Some(entry) = records.next() {
        write_entry(&entry);
        while let Some(entry) = records.try_next() {
            write_entry(&entry);
        }
        let lost = records.lost();
        if lost > 0 {
            tracing::warn!("{lost} transfers are missing from this log: its reader is too slow");
        }
        // A shard may share its core with this thread: one switch for many lines.
        thread::sleep(LOG_PAUSE.to_duration());
    }
}

/// Writes the line that says why the server ends. A log that nobody reads holds every writer up,
/// but not us for long.
pub fn last_words(line: &str) {
    let text = line.to_owned();
    let (writing, written) = bounded::<()>(0);
    let writer = thread::Builder::new().spawn(move || {
        let _ = writeln!(io::stderr(), "{text}");
        drop(writing);
    });
    match writer {
        Ok(_) => _ = written.recv_timeout(LOG_LAST_WORDS.to_duration()),
        // The lack of threads may be the very news.
        Err(_) => _ = writeln!(io::stderr(), "{line}"),
    }
}

fn write_entry(entry: &Entry) {
    match entry {
        Entry::Transfer(record) => write_record(record),
        Entry::Notice(text) => tracing::info!("{text}"),
    }
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
