//! When to send again: a round-trip estimate (RFC 6298, Karn's rule) and exponential backoff.
//! It never sends; it answers how long to wait.

use super::time::Nanos;
use crate::limits::{
    LATE_IN_A_ROW, LATE_SHARE, PAUSE_MARGIN, PAUSE_TIMER, RESENDS_BEFORE_PAUSE, RETRY_CEILING,
    RETRY_CEILING_MIN, RETRY_FLOOR, RETRY_FLOOR_MAX, RETRY_INITIAL,
};

/// Round-trip estimate of one transfer, in microseconds; 24 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Smoothed round trip; 0 before the first sample.
    smoothed: u32,
    variation: u32,
    /// The shortest round trip seen: nothing that comes sooner can be an answer.
    shortest: u32,
    ceiling: u32,
    floor: u32,
    /// Doublings of the interval.
    backoff: u8,
    /// Answers in a row that came only after a resend.
    late: u8,
}

impl Retry {
    /// `timeout` is the negotiated interval: we never wait longer than the client would, unless that
    /// is so short that a client which vanished would be flooded.
    pub fn new(timeout: Option<Nanos>) -> Self {
        let ceiling = timeout.map_or(RETRY_CEILING, |timeout| timeout.max(RETRY_CEILING_MIN));
        Self {
            smoothed: 0,
            variation: 0,
            shortest: 0,
            ceiling: to_micros(ceiling),
            floor: to_micros(RETRY_FLOOR),
            backoff: 0,
            late: 0,
        }
    }

    /// Takes the time from a flight to its answer. Only for flights that were sent once (Karn).
    pub fn sample(&mut self, round_trip: Nanos) {
        let sample = to_micros(round_trip).max(1);
        if self.smoothed == 0 {
            self.smoothed = sample;
            self.variation = sample / 2;
            self.shortest = sample;
            return;
        }
        // RFC 6298, section 2.3: beta 1/4, alpha 1/8.
        let error = self.smoothed.abs_diff(sample);
        self.variation = self.variation - self.variation / 4 + error / 4;
        self.smoothed = self.smoothed - self.smoothed / 8 + sample / 8;
        self.smoothed = self.smoothed.max(1);
        self.shortest = self.shortest.min(sample);
    }

    /// How long to wait for an answer to what is sent now.
    pub fn interval(&self) -> Nanos {
        let base = if self.smoothed == 0 {
            RETRY_INITIAL
        } else {
            // However even round trips are, a crowded machine is some milliseconds late now and then, and where
            // they are long because of the crowd, one that is late waits behind all of it.
            let late = (self.floor / 2).max(self.smoothed / LATE_SHARE);
            let margin = self.variation.saturating_mul(4).max(late);
            let micros = self.smoothed.saturating_add(margin);
            Nanos::from_micros(u64::from(micros.max(self.floor)))
        };
        base.times(1 << self.backoff.min(16))
            .min(Nanos::from_micros(u64::from(self.ceiling)))
    }

    /// The same in lock-step, after `tries` resends in a row: now and then there is a pause in which
    /// the client's own timer, `timeout` where it was negotiated, can repeat what we did not hear.
    pub fn wait(&self, tries: u8, timeout: Option<Nanos>) -> Nanos {
        let timer = timeout.unwrap_or(PAUSE_TIMER);
        if pauses_after(tries) && timer <= PAUSE_TIMER {
            return self.interval().max(timer + PAUSE_MARGIN);
        }
        self.interval()
    }

    /// Whether an acknowledgement that came `elapsed` after a flight is too early to answer it.
    pub fn too_early(&self, elapsed: Nanos) -> bool {
        elapsed < Nanos::from_micros(u64::from(self.shortest / 2))
    }

    /// An answer came `elapsed` after a resend. Where that is too early to answer it, the resend was
    /// for nothing, because the answer to the first sending was under way: wait longer from now on.
    /// Otherwise it was needed, and the caution of before wears off.
    pub fn resend_answered(&mut self, elapsed: Nanos) {
        self.floor = if self.too_early(elapsed) {
            (self.floor * 2).min(to_micros(RETRY_FLOOR_MAX))
        } else {
            (self.floor - self.floor / 4).max(to_micros(RETRY_FLOOR))
        };
    }

    pub const fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// The peer got on, `in_time` when nothing had to be sent again for it. Where that fails several
    /// times in a row it is hardly loss: round trips have become longer than the interval, so that no
    /// first sending is ever answered and none can be measured. Then the longer interval stays until
    /// something is answered in time (RFC 6298, section 5; Karn's algorithm). Without this every block
    /// of a crowd would be sent twice, which keeps the crowd's round trips long.
    pub const fn progressed(&mut self, in_time: bool) {
        self.late = if in_time {
            0
        } else {
            self.late.saturating_add(1)
        };
        if self.late < LATE_IN_A_ROW {
            self.backoff = 0;
        }
    }

    /// The shortest round trip; zero before the first sample.
    pub const fn shortest(&self) -> Nanos {
        Nanos::from_micros(self.shortest as u64)
    }

    /// The smoothed round trip; zero before the first sample.
    pub const fn round_trip(&self) -> Nanos {
        Nanos::from_micros(self.smoothed as u64)
    }
}

/// Whether so many resends in a row are followed by a pause.
pub const fn pauses_after(tries: u8) -> bool {
    tries > 0 && tries.is_multiple_of(RESENDS_BEFORE_PAUSE)
}

fn to_micros(span: Nanos) -> u32 {
    u32::try_from(span.0 / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapts_to_the_measured_round_trip() {
        let mut retry = Retry::new(None);
        assert_eq!(retry.interval(), RETRY_INITIAL);
        for _ in 0..50 {
            retry.sample(Nanos::from_micros(60));
        }
        assert_eq!(retry.interval(), RETRY_FLOOR);
        for _ in 0..100 {
            retry.sample(Nanos::from_millis(50));
        }
        let interval = retry.interval();
        assert!(interval >= Nanos::from_millis(49) && interval < Nanos::from_millis(80));
        for _ in 0..200 {
            retry.sample(Nanos::from_millis(640));
        }
        let margin = retry.interval() - retry.round_trip();
        assert!(margin >= Nanos::from_millis(39) && margin < Nanos::from_millis(60));
    }

    #[test]
    fn resends_for_nothing_make_patient_and_needed_ones_wear_that_off() {
        let mut retry = Retry::new(None);
        for _ in 0..50 {
            retry.sample(Nanos::from_millis(1));
        }
        assert_eq!(retry.interval(), RETRY_FLOOR);
        for _ in 0..20 {
            retry.resend_answered(Nanos::from_micros(100));
        }
        assert_eq!(retry.interval(), RETRY_FLOOR_MAX);
        for _ in 0..20 {
            retry.resend_answered(Nanos::from_millis(1));
        }
        assert_eq!(retry.interval(), RETRY_FLOOR);
    }

    #[test]
    fn backs_off_up_to_the_negotiated_timeout() {
        let mut retry = Retry::new(Some(Nanos::from_secs(1)));
        retry.sample(Nanos::from_millis(100));
        let first = retry.interval();
        retry.back_off();
        assert_eq!(retry.interval(), first.times(2));
        for _ in 0..200 {
            retry.back_off();
        }
        assert_eq!(retry.interval(), Nanos::from_secs(1));
        retry.progressed(true);
        assert_eq!(retry.interval(), first);
    }

    #[test]
    fn pauses_are_longer_than_the_clients_timer() {
        let second = Nanos::from_secs(1);
        let cases = [(None, PAUSE_TIMER), (Some(second), second)];
        for (timeout, timer) in cases {
            let retry = Retry::new(timeout);
            let longer = |tries| retry.wait(tries, timeout) > timer;
            let pauses: Vec<u8> = (0..12).filter(|&tries| longer(tries)).collect();
            assert_eq!(pauses, [5, 10]);
        }
        let minute = Some(Nanos::from_secs(60));
        let retry = Retry::new(minute);
        assert_eq!(retry.wait(RESENDS_BEFORE_PAUSE, minute), RETRY_INITIAL);
    }
}
