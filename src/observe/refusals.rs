//! Which of the requests that came to nothing have a line in the log: the first few of a second for
//! each reason. It never forgets one: the others are counted, and the counts are logged.

use core::mem;

use super::record::Record;
use crate::endpoint::Outcome;
use crate::limits::{REFUSALS_REASONS, REFUSALS_SHOWN, REFUSALS_WINDOW};
use crate::transfer::Nanos;

/// The counts of the running second.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    began: Nanos,
    reasons: Vec<Reason>,
}

#[derive(Debug)]
struct Reason {
    outcome: Outcome,
    reason: Box<str>,
    count: u64,
}

/// Requests that have no line of their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct More {
    pub(super) outcome: Outcome,
    pub(super) reason: Box<str>,
    pub(super) count: u64,
}

impl Refusals {
    /// Counts a record. Says whether it has a line; what is no refusal always has one.
    pub(super) fn shows(&mut self, record: &Record) -> bool {
        let refusal = matches!(
            record.outcome,
            Outcome::Missing | Outcome::Refused | Outcome::Shed
        );
        if !refusal {
            return true;
        }
        let reason = self.reason(record);
        reason.count += 1;
        reason.count <= REFUSALS_SHOWN
    }

    /// Where there are too many reasons, the last is for all others: reasons have words of clients
    /// in them.
    fn reason(&mut self, record: &Record) -> &mut Reason {
        let same = |one: &Reason| one.outcome == record.outcome && one.reason == record.reason;
        let place = match self.reasons.iter().position(same) {
            Some(place) => place,
            None if self.reasons.len() < REFUSALS_REASONS => {
                let last = self.reasons.len() + 1 == REFUSALS_REASONS;
                self.reasons.push(Reason {
                    outcome: record.outcome,
                    reason: if last {
                        "several".into()
                    } else {
                        record.reason.clone()
                    },
                    count: 0,
                });
                self.reasons.len() - 1
            }
            None => REFUSALS_REASONS - 1,
        };
        &mut self.reasons[place]
    }

    /// Whether [`turn`](Self::turn) will have something to tell.
    pub(super) fn any_left_out(&self) -> bool {
        self.reasons.iter().any(|one| one.count > REFUSALS_SHOWN)
    }

    /// What was left out, once the second is over; then the next one begins.
    pub(super) fn turn(&mut self, now: Nanos) -> Vec<More> {
        if now - self.began < REFUSALS_WINDOW {
            return Vec::new();
        }
        self.began = now;
        self.end()
    }

    /// What was left out.
    pub(super) fn end(&mut self) -> Vec<More> {
        let more = |one: Reason| {
            let count = one.count.checked_sub(REFUSALS_SHOWN)?;
            (count > 0).then_some(More {
                outcome: one.outcome,
                reason: one.reason,
                count,
            })
        };
        let reasons = mem::take(&mut self.reasons);
        reasons.into_iter().filter_map(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Mode;

    fn record(outcome: Outcome, reason: &str) -> Record {
        Record {
            client: "192.0.2.1:2000".parse().expect("an address"),
            file: Box::default(),
            mode: Mode::Octet,
            write: false,
            outcome,
            reason: reason.into(),
            bytes: 0,
            size: 0,
            duration: Nanos::ZERO,
            blksize: 0,
            windowsize: 0,
            resends: 0,
            round_trip: Nanos::ZERO,
        }
    }

    #[test]
    fn the_first_few_of_a_second_are_shown_and_the_others_counted() {
        let mut refusals = Refusals::default();
        let shown = |refusals: &mut Refusals, outcome, reason: &str| {
            let ask = |_: &u64| refusals.shows(&record(outcome, reason));
            (0..1_000).filter(ask).count() as u64
        };
        assert_eq!(
            shown(&mut refusals, Outcome::Missing, "gone"),
            REFUSALS_SHOWN
        );
        assert_eq!(shown(&mut refusals, Outcome::Refused, "no"), REFUSALS_SHOWN);
        assert_eq!(shown(&mut refusals, Outcome::Completed, ""), 1_000);
        assert!(refusals.any_left_out());
        let second = Nanos::from_secs(1_000);
        let counts: Vec<_> = refusals
            .turn(second)
            .iter()
            .map(|more| more.count)
            .collect();
        assert_eq!(counts, [1_000 - REFUSALS_SHOWN; 2]);
        assert!(refusals.turn(second + REFUSALS_WINDOW).is_empty());
        assert_eq!(
            shown(&mut refusals, Outcome::Missing, "gone"),
            REFUSALS_SHOWN
        );
        assert!(refusals.turn(second + Nanos::from_millis(1_001)).is_empty());
    }

    #[test]
    fn reasons_without_end_take_no_memory_without_end() {
        let mut refusals = Refusals::default();
        for number in 0..10_000 {
            refusals.shows(&record(Outcome::Refused, &number.to_string()));
        }
        assert_eq!(refusals.reasons.len(), REFUSALS_REASONS);
        let told: u64 = refusals.end().iter().map(|more| more.count).sum();
        let shown = REFUSALS_REASONS as u64 - 1 + REFUSALS_SHOWN;
        assert_eq!(told + shown, 10_000);
    }
}
