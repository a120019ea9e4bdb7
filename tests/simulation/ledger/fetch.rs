//! One client's attempt at one file, and what may be expected of it.
//! It never looks at packets.

use ringboot::transfer::Nanos;

use crate::client::End;
use crate::client::habits::{Habits, OnOld};
use crate::scenario::Scenario;

/// What a network and a server allow to expect.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Nothing is lost: everybody must finish.
    lossless: bool,
    /// Little is lost: patient clients must finish.
    bearable: bool,
    /// No datagram suffers any harm, and the socket always has room.
    pub perfect: bool,
    /// A round trip and the server's own lateness.
    round_trip: Nanos,
}

#[derive(Debug)]
pub struct Fetch {
    pub began: Nanos,
    pub client: u32,
    pub model: &'static str,
    /// Repeats everything that may have been lost.
    patient: bool,
    /// Its round trip stays below every retransmission interval.
    pub swift: bool,
    /// Server resends that one lost ACK may cost.
    pub resends_per_harm: u32,
    /// The file does not change, can be read, and there is room for the request.
    pub reliable: bool,
    /// Damaged or outdated datagrams reached it: its bytes prove nothing.
    pub tainted: bool,
    pub end: Option<End>,
}

impl Circumstances {
    pub fn of(scenario: &Scenario) -> Self {
        let (weather, server) = (scenario.weather, scenario.server);
        let roomy = server.congestion == 0;
        Self {
            lossless: weather.is_lossless() && roomy,
            bearable: weather.is_bearable(),
            perfect: weather.is_perfect() && roomy,
            round_trip: weather.round_trip_max() + server.lateness,
        }
    }
}

impl Fetch {
    pub fn new(
        began: Nanos,
        client: u32,
        habits: &Habits,
        reliable: bool,
        circumstances: &Circumstances,
    ) -> Self {
        // Both directions of a window at 12 us for each frame.
        let window_time = Nanos::from_micros(24).times(u64::from(habits.windowsize()));
        let round_trip = circumstances.round_trip + habits.think + window_time;
        // Who ignores blocks that it has already is only cured by its own timer.
        let waits = matches!(habits.on_old, OnOld::Ignore | OnOld::AckOnce);
        Self {
            began,
            client,
            model: habits.name,
            patient: habits.is_patient(),
            swift: round_trip < Nanos::from_millis(7) && habits.stall == Nanos::ZERO,
            resends_per_harm: if waits { 16 } else { 1 },
            reliable,
            tainted: false,
            end: None,
        }
    }

    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    pub fn is_complete(&self) -> bool {
        self.end == Some(End::Completed { whole: true })
    }

    /// What is wrong with the way it ended.
    pub fn verdict(&self, end: End, circumstances: &Circumstances) -> Result<(), String> {
        if self.tainted {
            return Ok(());
        }
        let possible = circumstances.lossless || circumstances.bearable && self.patient;
        let must_finish = possible && self.reliable;
        match end {
            End::Completed { whole: false } => {
                Err("the client completed with wrong bytes".to_owned())
            }
            End::TimedOut if must_finish => Err("a client was not served".to_owned()),
            // A missing or forbidden file.
            End::Refused(1 | 2) => Ok(()),
            End::Refused(code) if must_finish => {
                Err(format!("a client was refused with ERROR {code}"))
            }
            _ => Ok(()),
        }
    }
}
