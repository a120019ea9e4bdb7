//! What follows from the counts: how many failed, how fast it was, whether the run passed.
//! It never looks at latencies.

use super::{Boots, RunResult, Transfers};
use crate::commands::Verdict;

impl Transfers {
    /// Ended as nobody wanted.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.corrupt + self.wrong_length + self.timed_out + self.refused + self.violated + self.cut
    }

    /// The counts with the words for them.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("completed", self.completed),
            ("stopped by the client", self.stopped),
            ("missing, as expected", self.missing),
            ("vanished on purpose", self.vanished),
            ("corrupt", self.corrupt),
            ("wrong length", self.wrong_length),
            ("timed out", self.timed_out),
            ("refused", self.refused),
            ("broke the protocol", self.violated),
            ("cut short", self.cut),
        ]
    }

    /// Adds another's counts.
    pub const fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.completed += other.completed;
        self.stopped += other.stopped;
        self.missing += other.missing;
        self.vanished += other.vanished;
        self.corrupt += other.corrupt;
        self.wrong_length += other.wrong_length;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.violated += other.violated;
        self.cut += other.cut;
    }
}

impl Boots {
    /// Machines that gave up, by all reasons.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.gave_up.values().sum()
    }
}

impl RunResult {
    /// Machines that did not come up, or transfers that failed where no machine boots; machines that
    /// vanished on purpose are not among them.
    #[must_use]
    pub fn failed(&self) -> u64 {
        match &self.boots {
            Some(boots) => boots
                .begun
                .saturating_sub(boots.completed + self.transfers.vanished),
            None => self.transfers.failed(),
        }
    }

    /// What `failed` is a part of.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.boots
            .as_ref()
            .map_or(self.transfers.begun, |boots| boots.begun)
    }

    /// Bytes of files in a second.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub fn rate(&self) -> f64 {
        if self.wall_seconds > 0.0 {
            self.packets.bytes as f64 / self.wall_seconds
        } else {
            0.0
        }
    }

    /// How a script should take it. Wrong bytes always fail: no lateness of ours makes them. Else
    /// objectives decide where there are any, if the figures say something about the server.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.transfers.corrupt + self.transfers.wrong_length > 0 {
            return Verdict::Missed;
        }
        if self.generator.saturated.is_some() {
            return Verdict::Saturated;
        }
        let missed = if self.objectives.is_empty() {
            self.failed() > 0 || self.transfers.failed() > 0
        } else {
            self.objectives.iter().any(|objective| !objective.met)
        };
        if missed {
            Verdict::Missed
        } else {
            Verdict::Passed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::storm;

    fn run(change: impl Fn(&mut RunResult)) -> Verdict {
        let mut run = storm(50, 0.0);
        change(&mut run);
        run.verdict()
    }

    #[test]
    fn the_verdict_follows_the_objectives_where_there_are_any() {
        assert_eq!(run(|_| ()), Verdict::Passed);
        assert_eq!(run(|run| run.objectives[0].met = false), Verdict::Missed);
        assert_eq!(run(|run| run.transfers.timed_out = 1), Verdict::Passed);
        let without = |run: &mut RunResult| {
            run.objectives.clear();
            run.transfers.timed_out = 1;
        };
        assert_eq!(run(without), Verdict::Missed);
    }

    #[test]
    fn wrong_bytes_fail_whatever_the_objectives_say() {
        assert_eq!(run(|run| run.transfers.corrupt = 1), Verdict::Missed);
        assert_eq!(run(|run| run.transfers.wrong_length = 1), Verdict::Missed);
    }

    #[test]
    fn a_saturated_generator_excuses_a_missed_objective_and_no_wrong_bytes() {
        let saturated = |corrupt| {
            run(|run| {
                run.generator.saturated = Some("late".into());
                run.objectives[0].met = false;
                run.transfers.corrupt = corrupt;
            })
        };
        assert_eq!(saturated(0), Verdict::Saturated);
        assert_eq!(saturated(1), Verdict::Missed);
    }

    #[test]
    fn machines_that_vanished_on_purpose_did_not_fail() {
        let mut result = storm(200, 0.0);
        assert_eq!(result.failed(), 2);
        result.transfers.vanished = 1;
        assert_eq!(result.failed(), 1);
        result.boots = None;
        assert_eq!(result.failed(), result.transfers.timed_out);
    }
}
