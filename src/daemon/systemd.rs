//! Tells the service manager how the server is: ready, reloading, stopping; and feeds its watchdog.
//! It never says that all is well on behalf of a shard that stands still.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::observe::health::{Frozen, Health};
use crate::transfer::Nanos;

/// The one who started us, if it wants to know.
#[derive(Debug)]
pub struct Manager {
    watchdog: Option<Watchdog>,
}

#[derive(Debug)]
struct Watchdog {
    /// The manager ends us after so long without a word.
    limit: Duration,
    fed: Nanos,
    /// The shard that keeps it hungry has been named.
    told: bool,
}

impl Manager {
    /// As the environment says (sd_notify(3), sd_watchdog_enabled(3)).
    #[must_use]
    pub fn from_environment() -> Self {
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Self {
            watchdog: limit.map(|limit| Watchdog {
                limit,
                fed: Nanos::ZERO,
                told: false,
            }),
        }
    }

    pub fn stopping(&self, status: &str) {
        say(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// How often [`feed`](Self::feed) wants to be called: four times within the manager's patience.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        let watchdog = self.watchdog.as_ref()?;
        Some((watchdog.limit / 4).max(Duration::from_millis(1)))
    }

    /// Feeds the watchdog if every shard has turned within half of the manager's patience.
    ///
    /// # Errors
    /// Names the shard that has not, once.
    pub fn feed(&mut self, health: &Health, now: Nanos) -> Result<(), Frozen> {
        let Some(watchdog) = &mut self.watchdog else {
            return Ok(());
        };
        // A shard with nothing to do turns once a second.
        let patience = (watchdog.limit / 2).max(SHORTEST_PATIENCE);
        match health.turned_within(patience.into(), now) {
            Ok(()) => {
                watchdog.told = false;
                let pause = Nanos::from(watchdog.limit / 4);
                if now - watchdog.fed >= pause {
                    watchdog.fed = now;
                    say(&[NotifyState::Watchdog]);
                }
                Ok(())
            }
            Err(frozen) if !watchdog.told => {
                watchdog.told = true;
                Err(frozen)
            }
            Err(_) => Ok(()),
        }
    }
}

/// A reload begins. To be followed by [`ready`], whether it succeeds or not.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        say(&[NotifyState::Reloading, now]);
    }
}

/// The start, or a reload, is over.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Twice a shard's heartbeat.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(2);

/// A manager that cannot be reached will notice by itself.
fn say(what: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(what);
}
