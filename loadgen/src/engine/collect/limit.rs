//! Whether the generator, and not the server, was the limit of a run.
//! It never looks at the server.

use hdrhistogram::Histogram;

use crate::engine::worker::Conduct;
use crate::machine::Nanos;

/// A thread that had something to do for a larger share of its time was at its limit.
const BUSY: f64 = 0.97;
/// Share of a block's round trip for which the block may have waited for us. It is bounded from above,
/// by the time since our sockets were last empty: a thread that reads in time shows about half of it.
const OURS: f64 = 0.7;
/// Lateness (p99) that spoils figures.
const LATE: Nanos = 5_000_000;
/// Runs that are shorter show nothing about a limit.
const SHORTEST: Nanos = 200_000_000;
/// Share of the time that others took from our thread and that is worth telling.
const TAKEN: f64 = 0.05;
/// The same, and as good as being busy: it could not run when it wanted to.
const ROBBED: f64 = 0.2;

/// Why the figures mostly show the generator, if they do: a thread never had to wait or was not let
/// run, and it was far too late in itself, or blocks waited for it most of their time.
pub(super) fn reached(
    busiest: &Conduct,
    lateness: &Histogram<u64>,
    block: &Histogram<u64>,
) -> Option<String> {
    let taken = busiest.taken_away();
    let at_limit = busiest.busy() > BUSY || taken > ROBBED;
    if !at_limit || busiest.wall < SHORTEST || lateness.is_empty() {
        return None;
    }
    let late = lateness.value_at_quantile(0.99);
    let waited = if block.is_empty() {
        0.0
    } else {
        lateness.mean() / block.mean()
    };
    if late <= LATE && waited <= OURS {
        return None;
    }
    let taken = if taken > TAKEN {
        format!(
            "; other programs or the hypervisor took {:.0} % of its time",
            taken * 100.0
        )
    } else {
        String::new()
    };
    Some(format!(
        "its busiest thread was busy for {:.1} % of the time and up to {:.1} ms late (p99){taken}",
        busiest.busy() * 100.0,
        late as f64 / 1e6
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;

    const MS: Nanos = 1_000_000;

    fn of(values: &[Nanos]) -> Histogram<u64> {
        let mut all = histogram::new();
        values
            .iter()
            .for_each(|&value| all.saturating_record(value));
        all
    }

    fn conduct(idle: Nanos) -> Conduct {
        Conduct {
            wall: 1_000 * MS,
            idle,
            asleep: 0,
            cpu: 1_000 * MS,
        }
    }

    #[test]
    fn blocks_that_mostly_waited_for_us_are_our_fault() {
        let why = reached(
            &conduct(10 * MS),
            &of(&[4 * MS, 5 * MS]),
            &of(&[5 * MS, 5 * MS]),
        );
        assert!(why.is_some_and(|why| why.contains("99.0 %") && why.contains("5.0 ms")));
    }

    #[test]
    fn a_thread_far_too_late_is_at_its_limit_whatever_the_server_does() {
        let why = reached(&conduct(0), &of(&[9 * MS]), &of(&[900 * MS]));
        assert!(why.is_some());
    }

    #[test]
    fn a_busy_thread_that_reads_in_time_is_not() {
        // The server works on most of the blocks: both are busy, and it is the server's limit.
        assert_eq!(reached(&conduct(0), &of(&[MS]), &of(&[3 * MS])), None);
    }

    #[test]
    fn a_thread_that_waits_is_not() {
        let idle = conduct(100 * MS);
        assert_eq!(reached(&idle, &of(&[90 * MS]), &of(&[90 * MS])), None);
    }

    #[test]
    fn a_thread_that_others_kept_from_running_is_told_with_what_they_took() {
        // It looked for packets in vain when it was stopped, so this counts as idle.
        let robbed = Conduct {
            cpu: 600 * MS,
            ..conduct(100 * MS)
        };
        let why = reached(&robbed, &of(&[50 * MS]), &of(&[60 * MS])).expect("a limit");
        assert!(why.contains("took 40 % of its time"), "{why}");
        assert_eq!(reached(&robbed, &of(&[MS]), &of(&[60 * MS])), None);
    }
}
