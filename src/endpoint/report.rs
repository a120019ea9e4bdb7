//! How a transfer ended, as the log line and the metrics will tell it.
//! It never decides the outcome.

use super::route::Route;
use crate::transfer::Nanos;
use crate::wire::{ErrorCode, Mode};

/// The ways in which a request can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The last block was acknowledged; of an upload by us, once the file was durable.
    Completed,
    /// The client only wanted the size: it asked for tsize and stopped right after the answer.
    Probe,
    /// No such file.
    Missing,
    /// Answered with an ERROR: not allowed, not a regular file, a mode that we do not speak.
    Refused,
    /// The client sent an ERROR.
    PeerError,
    /// Nothing heard, or too little progress.
    TimedOut,
    /// ICMP says that nobody listens there any more.
    PeerGone,
    /// We stopped it: the file changed, could not be read, the client asked anew, or shutdown.
    Aborted,
    /// Not started, for lack of room.
    Shed,
}

impl Outcome {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Probe => "probe",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::PeerError => "peer_error",
            Self::TimedOut => "timed_out",
            Self::PeerGone => "peer_gone",
            Self::Aborted => "aborted",
            Self::Shed => "shed",
        }
    }
}

/// How and why a transfer ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    pub outcome: Outcome,
    /// In words for the operator; empty where the outcome says it all.
    pub reason: &'a str,
    /// The client's own ERROR, where it sent one.
    pub peer_error: Option<(ErrorCode, &'a [u8])>,
}

impl<'a> Ending<'a> {
    pub const fn new(outcome: Outcome, reason: &'a str) -> Self {
        Self {
            outcome,
            reason,
            peer_error: None,
        }
    }
}

/// One ended request.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub route: &'a Route,
    /// The client's name for the file, as it came.
    pub name: &'a [u8],
    pub mode: Mode,
    /// A write request.
    pub write: bool,
    pub outcome: Outcome,
    /// Why, in words for the operator; empty where the outcome says it all.
    pub reason: &'a str,
    /// The client's own ERROR, where it sent one.
    pub peer_error: Option<(ErrorCode, &'a [u8])>,
    /// Bytes of the file that were acknowledged; of an upload: that came.
    pub bytes: u64,
    /// Bytes that the client would have received in all; of an upload: the client's tsize, or 0.
    pub size: u64,
    /// From the request to the end.
    pub duration: Nanos,
    pub blksize: u16,
    pub windowsize: u16,
    /// Blocks sent more than once; of an upload: ACKs.
    pub resends: u32,
    /// Smoothed round trip; zero when never measured.
    pub round_trip: Nanos,
}
