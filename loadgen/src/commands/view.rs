//! Progress on the terminal: a few lines that are drawn again in place, or plain lines where nobody
//! looks at a screen.
//! It never writes more columns than there are.

use std::io::{self, IsTerminal, Write};

use crate::arrival::Arrival;
use crate::engine::{EnginePlan, Load, Progress};
use crate::report::units::nanos;

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;
/// Cells of the bar.
const BAR: usize = 24;

/// What a run is on its way to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// So many boots.
    Boots(u64),
    /// So many transfers.
    Transfers(u64),
    /// So many seconds.
    Seconds(f64),
    Unknown,
}

/// Where progress goes.
pub struct View {
    goal: Goal,
    screen: bool,
    /// Lines that stand on the screen and are to be drawn over.
    drawn: usize,
}

impl Goal {
    pub fn of(plan: &EnginePlan) -> Self {
        let each_once = plan.duration.is_none() && plan.arrival == Arrival::Closed;
        let once = each_once || plan.arrival == Arrival::AllAtOnce;
        let count = plan.count.or(once.then_some(u64::from(plan.machines)));
        match (plan.duration, count, &plan.load) {
            (Some(time), _, _) => Self::Seconds(time.as_secs_f64()),
            (None, Some(count), Load::Boots(_)) => Self::Boots(count),
            (None, Some(count), Load::Files { .. }) => Self::Transfers(count),
            (None, None, _) => Self::Unknown,
        }
    }

    /// "[######..................]  120 of 500 up", as far as it is known.
    fn line(self, progress: &Progress) -> String {
        let at = progress.interval.start + progress.interval.seconds;
        let (share, words) = match self {
            Self::Boots(all) => {
                let up = progress.boots_up;
                (up as f64 / all.max(1) as f64, format!("{up} of {all} up"))
            }
            Self::Transfers(all) => {
                let done = progress.completed + progress.failed;
                (
                    done as f64 / all.max(1) as f64,
                    format!("{done} of {all} transfers"),
                )
            }
            Self::Seconds(all) => (at / all.max(1e-9), format!("of {all:.0} s")),
            Self::Unknown => return format!("{at:6.1} s"),
        };
        format!("{at:6.1} s  {}  {words}", bar(share))
    }
}

impl View {
    pub fn new(goal: Goal) -> Self {
        Self {
            goal,
            screen: io::stderr().is_terminal(),
            drawn: 0,
        }
    }

    pub fn show(&mut self, progress: &Progress) {
        let mut out = io::stderr().lock();
        // Nobody may be looking any more.
        let _ = if self.screen {
            let lines = lines(self.goal, progress);
            let text = redrawn(self.drawn, &lines, columns());
            self.drawn = lines.len();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        } else {
            writeln!(out, "{}", plain(progress))
        };
    }
}

/// The lines of the screen.
fn lines(goal: Goal, progress: &Progress) -> [String; 3] {
    let interval = &progress.interval;
    let per_second = |count: u64| count as f64 / interval.seconds.max(1e-9);
    [
        goal.line(progress),
        format!(
            "{} done  {} failed  {} active  {:.1} MB/s  {:.0} blocks/s",
            progress.completed,
            progress.failed,
            interval.active,
            per_second(interval.bytes) / 1e6,
            per_second(interval.blocks),
        ),
        format!(
            "p99: first byte {}  block {}   p50: transfer {}",
            measured(interval.first_byte_p99),
            measured(interval.block_p99),
            measured(progress.transfer_p50),
        ),
    ]
}

/// The same for a file or a pipe: one line for each interval.
fn plain(progress: &Progress) -> String {
    let interval = &progress.interval;
    let rate = interval.bytes as f64 / interval.seconds.max(1e-9) / 1e6;
    let at = interval.start + interval.seconds;
    let mut line = format!(
        "{at:6.1} s  {} active  {} done  {} failed  {rate:.1} MB/s  \
         first byte p99 {}  block p99 {}  transfer p50 {}",
        interval.active,
        progress.completed,
        progress.failed,
        measured(interval.first_byte_p99),
        measured(interval.block_p99),
        measured(progress.transfer_p50),
    );
    if progress.boots_up > 0 {
        line.push_str(&format!("  {} up", progress.boots_up));
    }
    line
}

/// A percentile; an interval in which nothing was measured has none.
fn measured(percentile: u64) -> String {
    match percentile {
        0 => String::from("-"),
        some => nanos(some),
    }
}

fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR as f64) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR - full))
}

/// Up over what stands there, then each line cut to the width: one that wraps could not be drawn over.
fn redrawn(drawn: usize, lines: &[String], columns: usize) -> String {
    let mut text = String::new();
    if drawn > 0 {
        text.push_str(&format!("\x1b[{drawn}A"));
    }
    for line in lines {
        let cut: String = line.chars().take(columns.saturating_sub(1)).collect();
        text.push_str(&format!("\r\x1b[K{cut}\n"));
    }
    text
}

fn columns() -> usize {
    // SAFETY: all-zero bytes are a valid winsize.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: `size` is a valid place for what TIOCGWINSZ writes.
    let asked = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    match (asked, size.ws_col) {
        (0, columns) if columns > 0 => usize::from(columns),
        _ => COLUMNS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Interval;

    fn progress() -> Progress {
        Progress {
            interval: Interval {
                start: 4.0,
                seconds: 1.0,
                blocks: 2_000,
                bytes: 3_000_000,
                active: 7,
                first_byte_p99: 1_500_000,
                block_p99: 250_000,
                ..Interval::default()
            },
            completed: 11,
            failed: 1,
            boots_up: 3,
            transfer_p50: 40_000_000,
        }
    }

    #[test]
    fn progress_rate_percentiles_and_failures_are_shown() {
        let all = lines(Goal::Boots(6), &progress()).join("\n");
        for part in [
            "5.0 s  [############............]  3 of 6 up",
            "11 done  1 failed  7 active  3.0 MB/s  2000 blocks/s",
            "first byte 1.50 ms",
            "block 250 µs",
            "transfer 40.0 ms",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        let line = plain(&progress());
        for part in ["1 failed", "3.0 MB/s", "3 up", "block p99 250 µs"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn an_interval_without_first_bytes_has_no_percentile_of_them() {
        let mut progress = progress();
        progress.interval.first_byte_p99 = 0;
        assert!(plain(&progress).contains("first byte p99 -"));
    }

    #[test]
    fn every_goal_has_its_measure() {
        let line = |goal: Goal| goal.line(&progress());
        assert!(line(Goal::Transfers(24)).contains("12 of 24 transfers"));
        assert!(line(Goal::Seconds(10.0)).contains("[############............]  of 10 s"));
        assert_eq!(line(Goal::Unknown), "   5.0 s");
        // A run that drains is beyond its duration.
        assert!(line(Goal::Seconds(2.0)).contains(&"#".repeat(BAR)));
    }

    #[test]
    fn nothing_is_wider_than_the_screen() {
        let lines = lines(Goal::Boots(500), &progress());
        let text = redrawn(3, &lines, 20);
        assert!(text.starts_with("\x1b[3A"));
        for line in text.split("\x1b[K").skip(1) {
            assert!(line.trim_end().chars().count() < 20, "{line:?}");
        }
        assert!(
            !redrawn(0, &lines, 80).contains('A'),
            "nothing to draw over"
        );
    }
}
