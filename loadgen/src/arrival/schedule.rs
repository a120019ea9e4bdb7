//! The moments of an arrival model, one after the other.
//! It never allocates for a start.

use super::Arrival;
use crate::impair::{Chance, Purpose};
use crate::machine::Nanos;

/// One start: when, after the run's zero, and what in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub number: u64,
    pub at: Nanos,
    /// Line of the captured list.
    pub line: Option<usize>,
}

/// All starts of a run, in order.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrival: Arrival,
    seed: u64,
    machines: u64,
    /// Starts at most.
    count: u64,
    /// No start at or after this.
    until: Nanos,
    next: u64,
    /// Seconds of the last start, for sums.
    clock: f64,
}

impl Schedule {
    /// `count` and `until` bound it where the model itself has no end.
    #[must_use]
    pub fn new(
        arrival: &Arrival,
        seed: u64,
        machines: u32,
        count: Option<u64>,
        until: Option<Nanos>,
    ) -> Self {
        let machines = u64::from(machines);
        let own_end = match arrival {
            // Later starts follow from ends.
            Arrival::Closed => machines,
            Arrival::Replay(list) => list.len() as u64,
            _ => u64::MAX,
        };
        let unbounded = count.is_none() && until.is_none();
        let count = count.unwrap_or(if unbounded { machines } else { u64::MAX });
        // Together they start once, whatever the run's length.
        let count = match arrival {
            Arrival::AllAtOnce | Arrival::Over(_) if count == u64::MAX => machines,
            Arrival::Replay(list) if unbounded => list.len() as u64,
            _ => count,
        };
        Self {
            arrival: arrival.clone(),
            seed,
            machines,
            count: count.min(own_end),
            until: until.unwrap_or(Nanos::MAX),
            next: 0,
            clock: 0.0,
        }
    }

    /// How many starts there will be, where that is known.
    #[must_use]
    pub const fn known_count(&self) -> Option<u64> {
        if self.count == u64::MAX {
            None
        } else {
            Some(self.count)
        }
    }

    fn seconds(&mut self, number: u64) -> f64 {
        let n = number as f64;
        match &self.arrival {
            Arrival::Closed | Arrival::AllAtOnce => 0.0,
            Arrival::Rate(rate) => n / rate,
            Arrival::Poisson(rate) => {
                let chance = Chance::new(self.seed, u32::MAX, 0).of_packet(false, number as u32);
                let share = 1.0 - chance.unit(Purpose::Arrival);
                self.clock -= share.ln() / rate;
                self.clock
            }
            &Arrival::Ramp { from, to, seconds } => ramp(n, from, to, seconds),
            &Arrival::Racks { size, seconds } => (number / size) as f64 * seconds,
            Arrival::Over(seconds) => {
                let last = self
                    .count
                    .min(self.machines.max(self.count))
                    .saturating_sub(1);
                seconds * n / (last.max(1)) as f64
            }
            Arrival::Replay(list) => {
                let line = usize::try_from(number).ok().and_then(|line| list.get(line));
                line.map_or(0.0, |line| line.seconds)
            }
        }
    }
}

/// When the n-th start comes: the rate's integral, turned around.
fn ramp(n: f64, from: f64, to: f64, seconds: f64) -> f64 {
    let in_ramp = (from + to) / 2.0 * seconds;
    if n >= in_ramp {
        return seconds + (n - in_ramp) / to;
    }
    let slope = (to - from) / seconds;
    if slope.abs() < 1e-12 {
        return n / from;
    }
    ((from * from + 2.0 * slope * n).sqrt() - from) / slope
}

impl Iterator for Schedule {
    type Item = Start;

    fn next(&mut self) -> Option<Start> {
        if self.next >= self.count {
            return None;
        }
        let number = self.next;
        let at = (self.seconds(number) * 1e9) as Nanos;
        if at >= self.until {
            return None;
        }
        self.next += 1;
        let replay = matches!(self.arrival, Arrival::Replay(_));
        Some(Start {
            number,
            at,
            line: usize::try_from(number).ok().filter(|_| replay),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn times(text: &str, machines: u32, count: Option<u64>, until: Option<Nanos>) -> Vec<Nanos> {
        let arrival = text.parse().expect("an arrival");
        let schedule = Schedule::new(&arrival, 1, machines, count, until);
        schedule.map(|start| start.at / 1_000_000).collect()
    }

    #[test]
    fn each_model_has_its_moments() {
        assert_eq!(times("all-at-once", 3, None, None), [0, 0, 0]);
        assert_eq!(times("closed", 2, Some(10), None), [0, 0]);
        assert_eq!(times("rate:4", 100, None, Some(SECOND)), [0, 250, 500, 750]);
        assert_eq!(
            times("racks:2/1.5", 5, None, None),
            [0, 0, 1500, 1500, 3000]
        );
        assert_eq!(times("over:1s", 5, None, None), [0, 250, 500, 750, 1000]);
        assert_eq!(times("over:1", 5, None, Some(60 * SECOND)).len(), 5);
    }

    #[test]
    fn a_ramp_grows() {
        let times = times("ramp:0-10/10", 1000, None, Some(20 * SECOND));
        // 50 within the ramp, then 10 in each second.
        let within = times.iter().filter(|&&at| at < 10_000).count();
        assert_eq!((within, times.len()), (50, 150));
        let early = times.iter().filter(|&&at| at < 5_000).count();
        assert_eq!(early, 13);
    }

    #[test]
    fn poisson_has_its_rate_and_is_repeated_by_its_seed() {
        let once = times("poisson:1000", 1, None, Some(10 * SECOND));
        assert!((9_600..10_400).contains(&once.len()), "{}", once.len());
        assert_eq!(once, times("poisson:1000", 1, None, Some(10 * SECOND)));
        let gaps = once.windows(2).filter(|two| two[1] - two[0] == 0).count();
        assert!(gaps > once.len() / 4, "many fall into the same millisecond");
    }

    #[test]
    fn wrong_models_are_refused() {
        for wrong in [
            "",
            "rate:",
            "rate:0",
            "ramp:1-2",
            "racks:0/1",
            "over:-1",
            "closed:1",
        ] {
            assert!(wrong.parse::<Arrival>().is_err(), "{wrong}");
        }
    }
}
