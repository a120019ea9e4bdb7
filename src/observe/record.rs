//! An owned copy of a transfer's report, and the queue on which it goes from a shard to the log.
//! It never formats anything, and never makes a shard wait.

use core::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::endpoint::{Outcome, Report};
use crate::limits::{FARM_QUEUE, LOG_QUEUE};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// One ended request.
#[derive(Debug, Clone)]
pub struct Record {
    pub client: SocketAddr,
    /// The client's name for the file.
    pub file: Box<[u8]>,
    pub mode: Mode,
    /// An upload.
    pub write: bool,
    pub outcome: Outcome,
    /// Why, or empty.
    pub reason: Box<str>,
    pub bytes: u64,
    pub size: u64,
    pub duration: Nanos,
    pub blksize: u16,
    pub windowsize: u16,
    pub resends: u32,
    pub round_trip: Nanos,
}

/// What the log has to write.
#[derive(Debug, Clone)]
pub enum Entry {
    Transfer(Record),
    /// The daemon's own words while it runs.
    Notice(Box<str>),
    /// The same, where somebody should look after it.
    Warning(Box<str>),
}

/// What came of waiting for an entry.
#[derive(Debug)]
pub enum Next {
    Entry(Entry),
    /// The time is over.
    Nothing,
    /// Everybody has hung up.
    End,
}

/// The end of the queue that shards and the daemon have.
#[derive(Debug, Clone)]
pub struct RecordSender {
    entries: Sender<Entry>,
    lost: Arc<AtomicU64>,
    /// Where somebody watches the farm.
    farm: Option<Sender<Record>>,
}

/// The log's end of the queue.
#[derive(Debug)]
pub struct RecordReceiver {
    entries: Receiver<Entry>,
    lost: Arc<AtomicU64>,
}

/// A queue of bounded length.
#[must_use]
pub fn record_queue() -> (RecordSender, RecordReceiver) {
    let (sender, receiver) = bounded(LOG_QUEUE);
    let lost = Arc::<AtomicU64>::default();
    let sender = RecordSender {
        entries: sender,
        lost: Arc::clone(&lost),
        farm: None,
    };
    let receiver = RecordReceiver {
        entries: receiver,
        lost,
    };
    (sender, receiver)
}

impl RecordSender {
    /// Sends every record to one more reader as well, which may be slower and miss some.
    #[must_use]
    pub fn also_to_farm(self) -> (Self, Receiver<Record>) {
        let (farm, ended) = bounded(FARM_QUEUE);
        let farm = Some(farm);
        (Self { farm, ..self }, ended)
    }

    /// Queues a record; where there is no room it is counted.
    pub fn send(&self, record: Record) {
        if let Some(farm) = &self.farm {
            let _ = farm.try_send(record.clone());
        }
        if self.entries.try_send(Entry::Transfer(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Queues a notice; where there is no room nobody would read it.
    pub fn notice(&self, text: &str) {
        let _ = self.entries.try_send(Entry::Notice(text.into()));
    }

    /// Queues a warning, as a notice.
    pub fn warn(&self, text: &str) {
        let _ = self.entries.try_send(Entry::Warning(text.into()));
    }
}

impl RecordReceiver {
    /// The next entry; waits for it, if need be only so long.
    #[must_use]
    pub fn next(&self, limit: Option<Nanos>) -> Next {
        let Some(limit) = limit else {
            return self.entries.recv().map_or(Next::End, Next::Entry);
        };
        match self.entries.recv_timeout(limit.to_duration()) {
            Ok(entry) => Next::Entry(entry),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }

    /// An entry that waits already.
    #[must_use]
    pub fn try_next(&self) -> Option<Entry> {
        self.entries.try_recv().ok()
    }

    /// Records that found no room since the last call.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

impl From<&Report<'_>> for Record {
    fn from(report: &Report<'_>) -> Self {
        Self {
            client: report.route.peer.to_addr(),
            file: report.name.into(),
            mode: report.mode,
            write: report.write,
            outcome: report.outcome,
            reason: reason(report),
            bytes: report.bytes,
            size: report.size,
            duration: report.duration,
            blksize: report.blksize,
            windowsize: report.windowsize,
            resends: report.resends,
            round_trip: report.round_trip,
        }
    }
}

/// Our own words, and after them the client's.
fn reason(report: &Report<'_>) -> Box<str> {
    let Some((code, text)) = report.peer_error else {
        return report.reason.into();
    };
    let text = String::from_utf8_lossy(text);
    let theirs = match text.trim() {
        "" => format!("the client sent ERROR {}", code.0),
        text => format!("the client sent ERROR {}: {text}", code.0),
    };
    if report.reason.is_empty() {
        theirs.into()
    } else {
        format!("{}; {theirs}", report.reason).into()
    }
}
