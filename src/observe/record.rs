//! An owned copy of a transfer's report, on its way from a shard to the log.
//! It never formats anything.

use core::net::SocketAddr;

use crate::endpoint::{Outcome, Report};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// One ended request.
#[derive(Debug, Clone)]
pub struct Record {
    pub client: SocketAddr,
    /// The client's name for the file.
    pub file: Box<[u8]>,
    pub mode: Mode,
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

impl From<&Report<'_>> for Record {
    fn from(report: &Report<'_>) -> Self {
        Self {
            client: report.route.peer.to_addr(),
            file: report.name.into(),
            mode: report.mode,
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
