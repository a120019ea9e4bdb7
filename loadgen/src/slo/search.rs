//! The largest farm that meets an objective: doubled until it fails, then halved between. It never
//! runs anything itself: a run is a question to the caller.

use crate::result::Objective;

/// How the search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub from: u64,
    pub to: u64,
    /// A size passes when all of so many runs pass, and fails when one fails twice over.
    pub confirm: u32,
    /// Stops when the answer is known to one part in so many.
    pub precision: u64,
}

/// What one run of a size said.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    pub machines: u64,
    pub objectives: Vec<Objective>,
    /// Why the run says nothing about the server.
    pub saturated: Option<String>,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Every run, in the order in which they were made.
    pub tried: Vec<Tried>,
    /// The largest size that passed.
    pub largest: Option<u64>,
    /// The smallest size that failed; none: the search ended at its upper bound.
    pub smallest_failed: Option<u64>,
    /// The generator was the limit at this size: the server may stand more.
    pub saturated_at: Option<u64>,
}

impl Tried {
    #[must_use]
    pub fn passed(&self) -> bool {
        self.saturated.is_none() && self.objectives.iter().all(|objective| objective.met)
    }
}

/// What is known of one size.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Passed,
    Failed,
    Saturated,
}

/// Runs sizes until the border is found. `run` is given a number of machines.
pub fn search(
    bounds: Bounds,
    mut run: impl FnMut(u64) -> Result<Tried, String>,
) -> Result<Found, String> {
    let mut found = Found {
        tried: Vec::new(),
        largest: None,
        smallest_failed: None,
        saturated_at: None,
    };
    let mut next = Some(bounds.from);
    while let Some(machines) = next {
        match size(bounds, machines, &mut found.tried, &mut run)? {
            Size::Passed => found.largest = Some(machines),
            Size::Failed => found.smallest_failed = Some(machines),
            Size::Saturated => {
                found.saturated_at = Some(machines);
                found.smallest_failed = Some(machines);
            }
        }
        next = next_size(bounds, found.largest, found.smallest_failed);
    }
    // The generator was the limit only where no smaller size failed by the server's fault.
    if found.saturated_at != found.smallest_failed {
        found.saturated_at = None;
    } else if found.saturated_at.is_some() {
        found.smallest_failed = None;
    }
    Ok(found)
}

/// A size is run until runs agree: `confirm` passes, or two that did not.
fn size(
    bounds: Bounds,
    machines: u64,
    tried: &mut Vec<Tried>,
    run: &mut impl FnMut(u64) -> Result<Tried, String>,
) -> Result<Size, String> {
    let (mut passes, mut failures) = (0, 0);
    loop {
        let one = run(machines)?;
        let (passed, saturated) = (one.passed(), one.saturated.is_some());
        tried.push(one);
        if passed {
            passes += 1;
        } else {
            failures += 1;
        }
        if failures >= 2.min(bounds.confirm) {
            return Ok(if saturated {
                Size::Saturated
            } else {
                Size::Failed
            });
        }
        if passes >= bounds.confirm {
            return Ok(Size::Passed);
        }
    }
}

/// Doubled while nothing failed, the middle after that; none when near enough.
fn next_size(bounds: Bounds, largest: Option<u64>, failed: Option<u64>) -> Option<u64> {
    match (largest, failed) {
        (None, None) => None,
        (Some(passed), None) if passed >= bounds.to => None,
        (Some(passed), None) => Some(passed.saturating_mul(2).min(bounds.to)),
        (None, Some(failed)) => (failed > 1).then_some(failed / 2),
        (Some(passed), Some(failed)) => {
            let gap = failed.saturating_sub(passed);
            let enough = (passed / bounds.precision.max(1)).max(1);
            (gap > enough).then_some(passed + gap / 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(from: u64, to: u64, confirm: u32) -> Bounds {
        Bounds {
            from,
            to,
            confirm,
            precision: 20,
        }
    }

    fn said(machines: u64, met: bool) -> Tried {
        Tried {
            machines,
            objectives: vec![Objective {
                text: "p99(boot) < 90s".into(),
                measured: String::new(),
                met,
            }],
            saturated: None,
        }
    }

    #[test]
    fn doubling_then_halving_finds_the_border() {
        let found = search(bounds(10, 10_000, 1), |n| Ok(said(n, n <= 437))).unwrap();
        let sizes: Vec<u64> = found.tried.iter().map(|tried| tried.machines).collect();
        assert_eq!(sizes, [10, 20, 40, 80, 160, 320, 640, 480, 400, 440, 420]);
        assert_eq!(found.largest, Some(420));
        assert_eq!(found.smallest_failed, Some(440));
    }

    #[test]
    fn one_bad_run_is_not_believed() {
        let mut runs = 0;
        let found = search(bounds(100, 200, 2), |n| {
            runs += 1;
            Ok(said(n, runs != 2))
        })
        .unwrap();
        assert_eq!(found.largest, Some(200));
        let sizes: Vec<u64> = found.tried.iter().map(|tried| tried.machines).collect();
        assert_eq!(sizes, [100, 100, 100, 200, 200]);
    }

    #[test]
    fn when_the_smallest_fails_smaller_ones_are_tried() {
        let found = search(bounds(64, 1000, 1), |n| Ok(said(n, n <= 3))).unwrap();
        assert_eq!((found.largest, found.smallest_failed), (Some(3), Some(4)));
        let found = search(bounds(64, 1000, 1), |n| Ok(said(n, false))).unwrap();
        assert_eq!((found.largest, found.smallest_failed), (None, Some(1)));
    }

    #[test]
    fn a_saturated_generator_is_no_failure_of_the_server() {
        let found = search(bounds(10, 1000, 1), |n| {
            let mut tried = said(n, true);
            tried.saturated = (n > 100).then(|| "late".into());
            Ok(tried)
        })
        .unwrap();
        assert_eq!(found.largest, Some(100));
        assert_eq!(found.smallest_failed, None);
        assert_eq!(found.saturated_at, Some(105));
    }

    #[test]
    fn an_error_ends_the_search() {
        let found = search(bounds(1, 2, 1), |_| Err("no route".into()));
        assert_eq!(found, Err("no route".into()));
    }

    proptest! {
        #[test]
        fn the_border_is_always_found(
            from in 1_u64..5000, span in 0_u64..100_000, border in 0_u64..120_000, confirm in 1_u32..3,
        ) {
            let to = from + span;
            let found = search(bounds(from, to, confirm), |n| Ok(said(n, n <= border))).unwrap();
            if let Some(largest) = found.largest {
                prop_assert!(largest <= border && largest <= to);
            }
            match found.smallest_failed {
                Some(failed) => {
                    prop_assert!(failed > border);
                    let passed = found.largest.unwrap_or(0);
                    prop_assert!(failed - passed <= (passed / 20).max(1));
                }
                None => prop_assert_eq!(found.largest, Some(to)),
            }
            prop_assert!(found.tried.len() <= 80);
        }
    }
}
