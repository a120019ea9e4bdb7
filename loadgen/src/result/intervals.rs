//! Intervals of several processes on one time axis. It never splits an interval's counts: each
//! goes whole to the stretch in which its middle lies.

use super::Interval;

/// One run's intervals, and how much later than ours its clock started.
pub struct Shifted<'a> {
    pub intervals: &'a [Interval],
    pub by: f64,
}

/// All on a grid as wide as the widest interval, so that none is torn.
///
/// # Errors
/// When a distribution cannot be read.
pub fn merged(runs: &[Shifted<'_>]) -> Result<Vec<Interval>, String> {
    let all = || runs.iter().flat_map(|run| run.intervals);
    // The last interval of a run is shorter than the others; the widest is the plan's.
    let width = all().map(|interval| interval.seconds).fold(0.0, f64::max);
    if width <= 0.0 {
        return Ok(Vec::new());
    }
    let mut grid: Vec<Interval> = Vec::new();
    for run in runs {
        for (slot, interval) in on_grid(run, width)? {
            while grid.len() <= slot {
                grid.push(empty(grid.len(), width));
            }
            add(&mut grid[slot], &interval)?;
        }
    }
    Ok(grid)
}

/// One run's intervals by place on the grid. Where two fall together, those under way are the
/// later one's: they are a state, not a count.
fn on_grid(run: &Shifted<'_>, width: f64) -> Result<Vec<(usize, Interval)>, String> {
    let mut out: Vec<(usize, Interval)> = Vec::new();
    for interval in run.intervals {
        let middle = interval.start + run.by + interval.seconds / 2.0;
        let slot = slot(middle, width);
        match out.last_mut() {
            Some((last, together)) if *last == slot => {
                together.active = 0;
                add(together, interval)?;
            }
            _ => out.push((slot, interval.clone())),
        }
    }
    Ok(out)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a moment before the start belongs to the first stretch"
)]
fn slot(middle: f64, width: f64) -> usize {
    (middle / width).floor().max(0.0) as usize
}

#[expect(clippy::cast_precision_loss, reason = "a run has few intervals")]
fn empty(slot: usize, width: f64) -> Interval {
    Interval {
        start: slot as f64 * width,
        seconds: width,
        ..Interval::default()
    }
}

fn add(sum: &mut Interval, part: &Interval) -> Result<(), String> {
    sum.begun += part.begun;
    sum.completed += part.completed;
    sum.failed += part.failed;
    sum.blocks += part.blocks;
    sum.bytes += part.bytes;
    sum.active += part.active;
    let latencies = [
        (
            &mut sum.first_byte_p99,
            &mut sum.first_byte,
            part.first_byte_p99,
            &part.first_byte,
        ),
        (
            &mut sum.block_p99,
            &mut sum.block,
            part.block_p99,
            &part.block,
        ),
    ];
    for (p99, sum, part_p99, part) in latencies {
        let known = (*p99 == 0 || sum.count > 0) && (part_p99 == 0 || part.count > 0);
        *sum = sum.merged(part)?;
        // Percentiles of parts do not add up to one of the whole. Documents of older versions have
        // nothing else: then the highest is kept, which is an upper bound.
        *p99 = if known { sum.p99 } else { (*p99).max(part_p99) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: f64, seconds: f64, bytes: u64, active: u64) -> Interval {
        Interval {
            start,
            seconds,
            bytes,
            active,
            ..Interval::default()
        }
    }

    #[test]
    fn a_run_that_started_later_is_drawn_later() {
        let first = [interval(0.0, 1.0, 10, 5), interval(1.0, 1.0, 20, 5)];
        let second = [interval(0.0, 1.0, 100, 7), interval(1.0, 0.5, 200, 7)];
        let both = merged(&[
            Shifted {
                intervals: &first,
                by: 0.0,
            },
            Shifted {
                intervals: &second,
                by: 2.1,
            },
        ])
        .expect("readable");
        let bytes: Vec<u64> = both.iter().map(|interval| interval.bytes).collect();
        assert_eq!(bytes, [10, 20, 100, 200]);
        assert_eq!(both[3].start, 3.0);
    }

    #[test]
    fn no_count_is_lost_and_states_are_not_doubled() {
        let fine: Vec<Interval> = (0..20)
            .map(|n| interval(f64::from(n) * 0.5, 0.5, 1, 3))
            .collect();
        let coarse = [interval(0.0, 1.0, 100, 4), interval(9.0, 1.0, 100, 4)];
        let both = merged(&[
            Shifted {
                intervals: &fine,
                by: 0.0,
            },
            Shifted {
                intervals: &coarse,
                by: 0.0,
            },
        ])
        .expect("readable");
        assert_eq!(both.len(), 10);
        assert_eq!(both.iter().map(|interval| interval.bytes).sum::<u64>(), 220);
        assert_eq!(both[0].active, 7);
        assert_eq!(both[1].active, 3);
    }

    #[test]
    fn percentiles_are_those_of_the_whole() {
        use crate::result::sample::millis;
        let of = |values: std::ops::Range<u64>| {
            let block = millis(values);
            Interval {
                seconds: 1.0,
                block_p99: block.p99,
                block,
                ..Interval::default()
            }
        };
        let (fast, slow, all) = (of(1..900), of(900..1000), of(1..1000));
        let shifted = |intervals| Shifted { intervals, by: 0.0 };
        let parts = [[fast.clone()], [slow.clone()]];
        let both = merged(&[shifted(&parts[0]), shifted(&parts[1])]).expect("readable");
        assert_eq!(
            (both[0].block_p99, &both[0].block),
            (all.block_p99, &all.block)
        );
        assert!(both[0].block_p99 < slow.block_p99);
        // An older version's document: the bound is all that can be said.
        let older = [Interval {
            block: crate::result::Histogram::default(),
            ..fast
        }];
        let both = merged(&[shifted(&older), shifted(&parts[1])]).expect("readable");
        assert_eq!(both[0].block_p99, slow.block_p99);
    }
}
