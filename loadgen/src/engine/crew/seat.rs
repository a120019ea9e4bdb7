//! One machine's place: its job, its transfer, the one before.
//! It never decides; the crew does.

use std::net::SocketAddr;

use crate::engine::link::Lane;
use crate::impair::Weather;
use crate::machine::{Boot, Download, Nanos, Past};

/// Transfers that a machine remembers the ports of.
const RECENT: usize = 16;

pub(super) struct Seat {
    pub(super) download: Option<Download>,
    /// The socket of the present transfer.
    pub(super) lane: Lane,
    /// Socket and server's port of the last transfers.
    recent: [(u16, u16); RECENT],
    /// The transfer before, which may still have to acknowledge its last block.
    pub(super) past: Option<(Lane, Past)>,
    pub(super) weather: Weather,
    /// Which of the jobs, and how far it is.
    pub(super) job: usize,
    pub(super) boot: Boot,
    /// Intended start of the job and of the transfer.
    pub(super) job_from: Nanos,
    pub(super) transfer_from: Nanos,
    /// End of a pause before the next step.
    pub(super) step_at: Option<Nanos>,
    /// Jobs and transfers begun so far.
    pub(super) jobs: u32,
    pub(super) transfers: u32,
    /// It lost power once: what was under way then is not answered, by whomever it is now.
    pub(super) vanished: bool,
    /// The job began after the warm-up.
    pub(super) counted: bool,
    /// The earliest entry in the timers.
    pub(super) armed: Nanos,
}

impl Seat {
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            download: None,
            lane,
            recent: [(0, 0); RECENT],
            past: None,
            weather: Weather::default(),
            job: 0,
            boot: Boot::default(),
            job_from: 0,
            transfer_from: 0,
            step_at: None,
            jobs: 0,
            transfers: 0,
            vanished: false,
            counted: false,
            armed: Nanos::MAX,
        }
    }

    /// The present transfer is over; packets of it may still come.
    pub(super) fn remember(&mut self, peer: Option<SocketAddr>) {
        if let (Some(peer), Some(place)) =
            (peer, self.recent.get_mut(self.transfers as usize % RECENT))
        {
            *place = (self.lane as u16, peer.port());
        }
    }

    /// Whether an earlier transfer on the present socket was with this port of the server.
    pub(super) fn knows(&self, peer: SocketAddr) -> bool {
        self.recent.contains(&(self.lane as u16, peer.port()))
    }

    /// When the machine does something without being told.
    pub(super) fn due(&self) -> Nanos {
        match (&self.download, self.step_at) {
            (Some(download), _) => download.deadline(),
            (None, Some(at)) => at,
            (None, None) => Nanos::MAX,
        }
    }
}
