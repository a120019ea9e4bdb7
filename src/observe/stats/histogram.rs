//! Times sorted into fixed classes, written by one thread.
//! It never allocates, and never knows its bounds: they are constants of whoever uses it.

use super::Count;
use crate::transfer::Nanos;

/// Upper bounds in seconds for whole transfers: a boot file on a fast network takes milliseconds, a
/// client is given up after 30 s of silence.
pub const DURATIONS: [f64; 15] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// Upper bounds in seconds for first blocks: a file that is open takes microseconds, firmware asks
/// again after a quarter of a second and more.
pub const FIRST_DATA: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// `N` classes with bounds, and one for what is beyond.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    classes: [Count; N],
    beyond: Count,
    nanos: Count,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            classes: core::array::from_fn(|_| Count::default()),
            beyond: Count::default(),
            nanos: Count::default(),
        }
    }
}

/// A histogram as it stood at one moment, in the exposition's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sums {
    pub seconds: f64,
    pub count: u64,
    /// Upper bounds, the last one infinite, with the number in each class alone.
    pub classes: Vec<(f64, u64)>,
}

impl<const N: usize> Histogram<N> {
    /// Sorts a time in.
    pub fn add(&self, bounds: &[f64; N], time: Nanos) {
        let seconds = time.to_duration().as_secs_f64();
        let class = bounds.iter().position(|bound| seconds <= *bound);
        let count = class.and_then(|class| self.classes.get(class));
        count.unwrap_or(&self.beyond).add(1);
        self.nanos.add(time.0);
    }

    /// Adds what is here to `sums`.
    pub fn read(&self, bounds: &[f64; N], sums: &mut Sums) {
        if sums.classes.is_empty() {
            sums.classes = bounds.iter().map(|bound| (*bound, 0)).collect();
            sums.classes.push((f64::INFINITY, 0));
        }
        let counts = self.classes.iter().chain([&self.beyond]).map(Count::get);
        for ((_, sum), count) in sums.classes.iter_mut().zip(counts) {
            *sum += count;
            sums.count += count;
        }
        sums.seconds += Nanos(self.nanos.get()).to_duration().as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_meet_their_class() {
        let histogram = Histogram::<15>::default();
        histogram.add(&DURATIONS, Nanos::from_millis(5));
        histogram.add(&DURATIONS, Nanos::from_millis(6));
        histogram.add(&DURATIONS, Nanos::from_secs(1_000));
        let mut sums = Sums::default();
        histogram.read(&DURATIONS, &mut sums);
        histogram.read(&DURATIONS, &mut sums);
        assert_eq!(sums.classes.first(), Some(&(0.005, 2)));
        assert_eq!(sums.classes.get(1), Some(&(0.01, 2)));
        assert_eq!(sums.classes.last(), Some(&(f64::INFINITY, 2)));
        assert_eq!(sums.count, 6);
        assert!((sums.seconds - 2_000.022).abs() < 1e-6);
    }
}
