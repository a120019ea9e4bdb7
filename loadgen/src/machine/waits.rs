//! A client's patience, counted down: how long the present wait is and how many are left.
//! It never decides what is repeated.

use crate::machine::Nanos;
use crate::scenario::Patience;

/// One stretch of waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    pub(super) deadline: Nanos,
    wait: u64,
    tries: u32,
}

impl Waits {
    pub(super) fn begin(now: Nanos, patience: &Patience) -> Self {
        let wait = nanos(patience.first);
        Self {
            deadline: now + wait,
            wait,
            tries: 0,
        }
    }

    /// The server said something new: everything starts over.
    pub(super) fn restart(&mut self, now: Nanos, patience: &Patience) {
        *self = Self::begin(now, patience);
    }

    /// The client repeated itself for a reason other than this clock.
    pub(super) const fn postpone(&mut self, now: Nanos) {
        self.deadline = now + self.wait;
    }

    /// The wait is over: another one, or none is left.
    pub(super) fn another(&mut self, now: Nanos, patience: &Patience) -> bool {
        if self.tries >= patience.tries {
            return false;
        }
        self.tries += 1;
        let grown = self.wait.saturating_mul(patience.grow_percent.into()) / 100;
        let longest = nanos(patience.most).max(nanos(patience.first));
        self.wait = (grown + nanos(patience.add)).min(longest);
        self.deadline = now + self.wait;
        true
    }
}

pub(super) fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn waits_grow_to_their_bound_and_end() {
        let patience = Patience {
            first: Duration::from_millis(100),
            grow_percent: 150,
            add: Duration::from_millis(10),
            most: Duration::from_millis(200),
            tries: 3,
        };
        let mut waits = Waits::begin(0, &patience);
        let mut lengths = vec![waits.deadline / 1_000_000];
        let mut now = waits.deadline;
        while waits.another(now, &patience) {
            lengths.push((waits.deadline - now) / 1_000_000);
            now = waits.deadline;
        }
        assert_eq!(lengths, [100, 160, 200, 200]);
    }

    #[test]
    fn without_tries_the_first_wait_is_the_last() {
        let patience = Patience::fixed(Duration::from_secs(1), 0);
        assert!(!Waits::begin(0, &patience).another(1_000_000_000, &patience));
    }
}
