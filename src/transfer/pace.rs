//! How much of a window leaves at once, and when the rest follows: what the path has shown to take.
//! It never sends and never asks the time; it answers in blocks and spans.

use super::time::Nanos;
use crate::limits::{BLOCK_TIME_GUESS, BURST_MIN, PACE_GAP, PACE_WORTH};

const SWALLOWED: u8 = 2;

/// What one path takes, as far as a transfer can see; 12 bytes.
///
/// RFC 7440 has no congestion control, and its clients acknowledge whole windows or gaps and
/// nothing else. So a window cannot be made smaller than what was negotiated: it can only leave in
/// bursts, the later ones on a timer. A window that was never lost leaves at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Nanoseconds from one block to the next on the narrowest link; 0 before it is known.
    block_time: u32,
    /// Blocks that may leave at once.
    burst: u16,
    /// The largest burst that has lately arrived whole.
    passed: u16,
    /// Windows since the last loss.
    calm: u8,
    /// How often in a row the end of a window was swallowed, so that no gap was seen and a timer had
    /// to find out. Twice is no chance: waiting for a tick is cheaper than that.
    swallowed: u8,
}

impl Pace {
    /// Nothing is known: a window leaves at once.
    pub const fn new(windowsize: u16) -> Self {
        Self {
            block_time: 0,
            burst: windowsize,
            passed: 0,
            calm: 0,
            swallowed: 0,
        }
    }

    /// Windows are of another size from now on.
    pub const fn resize(&mut self, old: u16, new: u16) {
        if self.is_free(old) {
            self.burst = new;
        }
    }

    /// Whether a window leaves at once because no loss has shown that it should not.
    pub const fn is_free(&self, windowsize: u16) -> bool {
        self.burst >= windowsize
    }

    /// Blocks that may leave now at the start of a flight of at most `windowsize`. `round_trip` is
    /// the shortest that was seen.
    ///
    /// Where both a round trip and the time that a burst takes on the path are shorter than a
    /// timer's tick, waiting for one would cost more than a resend does.
    pub fn first(&self, windowsize: u16, round_trip: Nanos) -> u16 {
        if self.is_free(windowsize) {
            return windowsize;
        }
        let slow = round_trip >= PACE_WORTH || self.span(self.burst) >= PACE_WORTH;
        let worth = slow || self.swallowed >= SWALLOWED;
        if worth { self.burst } else { windowsize }
    }

    /// Blocks that may follow `elapsed` after those before: what has left the queue meanwhile.
    pub fn next(&self, elapsed: Nanos) -> u16 {
        let Some(block_time) = core::num::NonZeroU64::new(self.block_time.into()) else {
            return self.burst;
        };
        u16::try_from(elapsed.0 / block_time)
            .unwrap_or(u16::MAX)
            .clamp(1, self.burst)
    }

    /// How long to wait for that.
    pub fn gap(&self) -> Nanos {
        PACE_GAP.max(self.span(1))
    }

    /// A window arrived whole, `queued` later than a round trip after its last burst: the bursts
    /// grow again, the faster the longer it lasts, and follow faster where no queue was left.
    pub fn whole(&mut self, queued: Nanos, windowsize: u16) {
        self.calm = self.calm.saturating_add(1);
        if self.burst < windowsize {
            if queued < self.span(self.burst / 2) {
                self.block_time -= self.block_time / 4;
            }
            self.passed = self.passed.max(self.burst);
            self.grow(windowsize);
        }
    }

    /// Only a timer found out that of a flight no more than `run` blocks had arrived.
    pub fn swallowed_after(&mut self, run: u16, windowsize: u16) {
        if run < windowsize - windowsize / 4 {
            self.swallowed = (self.swallowed + 1).min(SWALLOWED);
        }
        self.shorten(run, windowsize);
    }

    /// Of a flight `run` blocks arrived and the next did not; it took `elapsed` to hear of it.
    pub fn gap_after(&mut self, run: u16, elapsed: Nanos, round_trip: Nanos, windowsize: u16) {
        self.measure(run, elapsed, round_trip);
        if self.swallowed < SWALLOWED {
            self.swallowed = 0;
        }
        self.shorten(run, windowsize);
    }

    fn shorten(&mut self, run: u16, windowsize: u16) {
        if self.calm > 0 {
            self.passed = self.passed.max(self.burst);
            self.calm = 0;
        }
        if run >= self.burst {
            // A burst arrived whole and the loss came later.
            self.passed = self.passed.max(self.burst);
            self.grow(windowsize);
        } else if run < self.passed - self.passed / 4 {
            // Larger bursts have passed: the path loses at random, or others fill its queue.
            self.passed -= self.passed / 4;
        } else {
            // A queue overflowed. Some distance to its end, or the next window would meet it again.
            self.passed = run;
            self.burst = (self.burst / 2).max(run - run / 4).max(BURST_MIN);
        }
    }

    /// Nothing was heard of a flight for `waited`: its end was lost, or the client is gone. When
    /// this happens `again` to the same window, it may be wider than a queue whose every overflow
    /// swallows the end, so that no gap is ever seen: then it spreads over that time.
    pub fn silent(&mut self, again: bool, waited: Nanos, windowsize: u16) {
        self.calm = 0;
        self.burst = (self.burst - self.burst / 4).max(BURST_MIN.min(self.burst));
        if again {
            let spread = waited.0 / u64::from(windowsize.max(1));
            let spread = Nanos(spread).min(BLOCK_TIME_GUESS);
            let spread = u32::try_from(spread.0).unwrap_or(u32::MAX);
            self.block_time = self.block_time.max(spread);
        }
    }

    fn grow(&mut self, windowsize: u16) {
        let step = 1 + u16::from(self.calm / 4);
        self.burst = self.burst.saturating_add(step).min(windowsize);
        if self.burst == windowsize {
            self.swallowed = 0;
        }
    }

    /// The blocks that arrived left the narrowest link one behind the other; so did the one behind
    /// the gap.
    fn measure(&mut self, run: u16, elapsed: Nanos, round_trip: Nanos) {
        if run < BURST_MIN {
            return;
        }
        let sample = (elapsed - round_trip).0 / (u64::from(run) + 1);
        let sample = u32::try_from(sample).unwrap_or(u32::MAX);
        self.block_time = if self.block_time == 0 || sample < self.block_time {
            sample
        } else {
            self.block_time / 2 + sample / 2
        };
    }

    fn span(&self, blocks: u16) -> Nanos {
        Nanos(self.block_time.into()).times(blocks.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Nanos = Nanos::from_millis(5);
    const SHORT: Nanos = Nanos::from_micros(200);

    #[test]
    fn bursts_halve_at_most_and_never_below_the_least() {
        let mut pace = Pace::new(64);
        pace.gap_after(20, LONG, LONG, 64);
        assert_eq!(pace.first(64, LONG), 32);
        pace.gap_after(20, LONG, LONG, 64);
        assert_eq!(pace.first(64, LONG), 16);
        for _ in 0..50 {
            pace.gap_after(0, LONG, LONG, 64);
            pace.silent(true, LONG, 64);
        }
        assert_eq!(pace.first(64, LONG), BURST_MIN);
    }

    /// Where larger bursts have passed, a loss says nothing of the queue.
    #[test]
    fn a_loss_at_random_leaves_the_bursts_as_they_are() {
        let mut pace = Pace::new(64);
        pace.whole(Nanos::ZERO, 64);
        pace.gap_after(7, LONG, LONG, 64);
        assert_eq!(pace.first(64, LONG), 64);
    }

    #[test]
    fn bursts_follow_as_fast_as_the_narrowest_link() {
        let mut pace = Pace::new(64);
        // 24 blocks passed a link that takes 120 us for each.
        pace.gap_after(24, LONG + Nanos::from_micros(25 * 120), LONG, 64);
        assert_eq!(pace.next(Nanos::from_millis(1)), 8);
        assert_eq!(pace.next(Nanos::ZERO), 1);
        assert_eq!(pace.next(Nanos::from_secs(1)), 32, "no more than a burst");
    }

    /// Without a gap nothing is measured, and short round trips are not worth a wait, until the
    /// timer had to find out twice.
    #[test]
    fn a_swallowed_end_is_found_out_the_second_time() {
        let mut pace = Pace::new(64);
        for expected in [64, 64, 12] {
            assert_eq!(pace.first(64, SHORT), expected);
            pace.silent(false, SHORT, 64);
            pace.swallowed_after(16, 64);
        }
    }

    #[test]
    fn a_window_that_stays_silent_is_spread() {
        let mut pace = Pace::new(64);
        pace.silent(false, Nanos::from_millis(8), 64);
        assert_eq!(pace.first(64, SHORT), 64);
        pace.silent(true, Nanos::from_millis(16), 64);
        assert_eq!(pace.first(64, SHORT), 36);
        assert_eq!(pace.next(Nanos::from_millis(1)), 4);
    }
}
