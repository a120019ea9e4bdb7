//! A machine's way through the steps of its scenario.
//! It never looks into a transfer: it is told how each one ended.

use super::End;
use super::recipe::Recipe;
use crate::scenario::Expect;

/// Where a machine stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Boot {
    step: usize,
    /// Restarts of the present step so far.
    restarts: u32,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The transfer of this step, after its pause.
    Fetch(usize),
    /// The machine is up.
    Up,
    /// The machine was switched off on purpose.
    Vanished,
    GaveUp {
        step: usize,
        end: End,
    },
}

impl Boot {
    /// The step under way.
    #[must_use]
    pub const fn step(&self) -> usize {
        self.step
    }

    /// How a transfer's end counts: ERROR 1 is no refusal where the file may be missing.
    #[must_use]
    pub fn judge(recipe: &Recipe, end: End) -> End {
        match (end, recipe.expect) {
            (End::Refused(1), Expect::Optional | Expect::Chain) => End::Missing,
            (end, _) => end,
        }
    }

    /// The present step's transfer ended, as judged.
    pub fn ended(&mut self, steps: &[Recipe], end: End) -> Next {
        let Some(recipe) = steps.get(self.step) else {
            return Next::Up;
        };
        match end {
            End::Completed | End::Stopped => self.go_to(steps, self.behind_chain(steps)),
            End::Vanished => Next::Vanished,
            End::Missing => self.missing(steps, recipe.expect),
            failure => self.again(recipe, failure),
        }
    }

    fn missing(&mut self, steps: &[Recipe], expect: Expect) -> Next {
        let next = self.step + 1;
        let more = steps.get(next).map(|step| step.expect) == Some(Expect::Chain);
        if expect == Expect::Chain && !more {
            return self.give_up(End::Missing);
        }
        self.go_to(steps, next)
    }

    fn again(&mut self, recipe: &Recipe, failure: End) -> Next {
        if failure == End::Cut || self.restarts >= recipe.restarts {
            return self.give_up(failure);
        }
        self.restarts += 1;
        Next::Fetch(self.step)
    }

    const fn give_up(&self, end: End) -> Next {
        Next::GaveUp {
            step: self.step,
            end,
        }
    }

    fn go_to(&mut self, steps: &[Recipe], step: usize) -> Next {
        *self = Self { step, restarts: 0 };
        if step < steps.len() {
            Next::Fetch(step)
        } else {
            Next::Up
        }
    }

    /// The first step behind the present one; a chain that found its file is over.
    fn behind_chain(&self, steps: &[Recipe]) -> usize {
        let in_chain = |step: &usize| steps.get(*step).map(|s| s.expect) == Some(Expect::Chain);
        if !in_chain(&self.step) {
            return self.step + 1;
        }
        let mut behind = self.step + 1;
        while in_chain(&behind) {
            behind += 1;
        }
        behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Habits, Step};
    use std::time::Duration;

    fn steps(expects: &[Expect]) -> Vec<Recipe> {
        let step = |expect| Step {
            label: "x".into(),
            file: "x".into(),
            habits: Habits::default(),
            expect,
            pause: Duration::ZERO,
            restarts: 1,
        };
        let steps = expects.iter().map(|&expect| Recipe::new(&step(expect)));
        steps.collect()
    }

    /// What follows from each end, from the start.
    fn walk(expects: &[Expect], ends: &[End]) -> Vec<Next> {
        let steps = steps(expects);
        let mut boot = Boot::default();
        let next = |&end| {
            let end = Boot::judge(&steps[boot.step()], end);
            boot.ended(&steps, end)
        };
        ends.iter().map(next).collect()
    }

    #[test]
    fn a_chain_ends_with_the_first_file_that_is_there() {
        use Expect::{Chain, File};
        let missing = End::Refused(1);
        assert_eq!(
            walk(
                &[Chain, Chain, Chain, File],
                &[missing, End::Completed, End::Completed]
            ),
            [Next::Fetch(1), Next::Fetch(3), Next::Up]
        );
        assert_eq!(
            walk(&[Chain, Chain], &[missing, missing]),
            [
                Next::Fetch(1),
                Next::GaveUp {
                    step: 1,
                    end: End::Missing
                }
            ]
        );
    }

    #[test]
    fn an_optional_file_may_be_missing_but_not_refused() {
        use Expect::{File, Optional};
        assert_eq!(
            walk(&[Optional, File], &[End::Refused(1), End::Stopped]),
            [Next::Fetch(1), Next::Up]
        );
        let refused = End::Refused(2);
        assert_eq!(
            walk(&[Optional, File], &[refused, refused]),
            [
                Next::Fetch(0),
                Next::GaveUp {
                    step: 0,
                    end: refused
                }
            ]
        );
    }

    #[test]
    fn a_required_file_that_is_missing_ends_the_boot() {
        let missing = End::Refused(1);
        assert_eq!(
            walk(&[Expect::File], &[missing, missing]),
            [
                Next::Fetch(0),
                Next::GaveUp {
                    step: 0,
                    end: missing
                }
            ]
        );
    }
}
