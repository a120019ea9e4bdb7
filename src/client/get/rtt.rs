//! How long to wait before sending again: the estimate of RFC 6298, with exponential backoff.
//! It never reads the clock.

use crate::transfer::Nanos;

/// Before anything was measured (RFC 6298, 2.1).
const FIRST_WAIT: Nanos = Nanos::from_secs(1);

/// The server has a timer too, and it knows better: it should usually be the first. A read from a
/// cold disk must not look like a loss either.
const WAIT_MIN: Nanos = Nanos::from_millis(100);

#[derive(Debug)]
pub struct Rtt {
    /// Smoothed round trip and its variation, once measured.
    measured: Option<(Nanos, Nanos)>,
    doublings: u32,
    longest: Nanos,
}

impl Rtt {
    pub const fn new(longest: Nanos) -> Self {
        Self {
            measured: None,
            doublings: 0,
            longest,
        }
    }

    /// Takes a round trip of a packet that was sent once (Karn's rule is the caller's).
    pub fn sample(&mut self, rtt: Nanos) {
        self.measured = Some(match self.measured {
            None => (rtt, Nanos(rtt.0 / 2)),
            Some((smooth, vary)) => {
                let off = Nanos(smooth.0.abs_diff(rtt.0));
                (
                    Nanos(smooth.0 / 8 * 7) + Nanos(rtt.0 / 8),
                    Nanos(vary.0 / 4 * 3) + Nanos(off.0 / 4),
                )
            }
        });
    }

    /// The next wait is twice as long.
    pub const fn back_off(&mut self) {
        self.doublings += 1;
    }

    /// Something new came: the path works.
    pub const fn progress(&mut self) {
        self.doublings = 0;
    }

    pub fn wait(&self) -> Nanos {
        let base = self.spread().map_or(FIRST_WAIT, |w| w.max(WAIT_MIN));
        base.times(1 << self.doublings.min(16)).min(self.longest)
    }

    /// The time within which nearly every answer comes, without a lower bound.
    pub fn spread(&self) -> Option<Nanos> {
        self.measured.map(|(smooth, vary)| smooth + vary.times(4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_round_trip_between_their_bounds() {
        let mut rtt = Rtt::new(Nanos::from_secs(5));
        assert_eq!(rtt.wait(), FIRST_WAIT);
        rtt.sample(Nanos::from_micros(300));
        assert_eq!(rtt.wait(), WAIT_MIN);
        for _ in 0..100 {
            rtt.sample(Nanos::from_millis(400));
        }
        let wait = rtt.wait();
        assert!(wait > Nanos::from_millis(390) && wait < Nanos::from_millis(450));
    }

    #[test]
    fn silence_doubles_the_wait_up_to_the_bound() {
        let mut rtt = Rtt::new(Nanos::from_secs(5));
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(rtt.wait().0 / 1_000_000_000);
            rtt.back_off();
        }
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        rtt.progress();
        assert_eq!(rtt.wait(), FIRST_WAIT);
    }
}
