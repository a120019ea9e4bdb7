//! One thread's loop: starts, deadlines, packets in, packets out, sleep.
//! It never waits while there is something to do, and it knows how long it had nothing to do.

use std::io;
use std::iter::Peekable;
use std::sync::mpsc::{Receiver, Sender};

use super::backlog::Backlog;
use super::crew::Crew;
use super::link::Link;
use super::shared::Shared;
use super::vigil::Vigil;
use crate::arrival::Schedule;
use crate::impair::Impaired;
use crate::machine::Nanos;
use crate::measure::{Recorder, Sample, Totals, clock};

/// Starts in one turn, so that answers are read between them.
const STARTS: usize = 64;
/// Longest sleep, so that Ctrl-C and the end of an interval are noticed.
const LONGEST_SLEEP: Nanos = 20_000_000;

/// One thread's interval, on its way to the collector.
pub struct Report {
    pub thread: u32,
    /// Number of the interval, counted from the end of the warm-up.
    pub interval: u64,
    pub sample: Box<Sample>,
    pub totals: Totals,
}

/// What a thread leaves behind.
pub struct Finished {
    pub recorder: Recorder,
    pub impaired: Impaired,
    pub conduct: Conduct,
    pub ended_at: Nanos,
    /// The run was cut short.
    pub cut: bool,
    pub failure: Option<io::Error>,
}

/// How the thread itself fared, since the end of the warm-up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conduct {
    pub wall: Nanos,
    /// Nothing to do: asleep, or looking in vain.
    pub idle: Nanos,
    /// Asleep.
    pub asleep: Nanos,
    pub cpu: Nanos,
}

impl Conduct {
    /// Share of the time in which there was something to do.
    pub fn busy(&self) -> f64 {
        1.0 - share(self.idle, self.wall)
    }

    /// Share of the time in which the thread wanted to run and did not.
    pub fn taken_away(&self) -> f64 {
        share(self.wall.saturating_sub(self.asleep + self.cpu), self.wall)
    }
}

fn share(part: Nanos, whole: Nanos) -> f64 {
    (part as f64 / whole.max(1) as f64).clamp(0.0, 1.0)
}

pub struct Worker<'a> {
    shared: &'a Shared,
    thread: u32,
    crew: Crew<'a>,
    link: Box<dyn Link>,
    starts: Peekable<Schedule>,
    reports: Sender<Report>,
    spare: Receiver<Box<Sample>>,
    conduct: Conduct,
    cpu_before: Nanos,
    measured_from: Nanos,
    /// The present interval's number and end; none during the warm-up.
    interval: u64,
    interval_end: Nanos,
    warm: bool,
    backlog: Backlog,
    vigil: Vigil,
    /// Datagrams that can wait for us at a time, for each transfer under way.
    window: u64,
}

impl<'a> Worker<'a> {
    pub fn new(
        shared: &'a Shared,
        thread: u32,
        crew: Crew<'a>,
        link: Box<dyn Link>,
        reports: Sender<Report>,
        spare: Receiver<Box<Sample>>,
    ) -> Self {
        Self {
            shared,
            thread,
            crew,
            starts: shared.schedule().peekable(),
            reports,
            spare,
            conduct: Conduct::default(),
            cpu_before: 0,
            measured_from: shared.measure_from,
            interval: 0,
            interval_end: Nanos::MAX,
            warm: false,
            backlog: Backlog::new(shared.zero, link.looks()),
            vigil: Vigil::default(),
            link,
            window: shared.largest_window(),
        }
    }

    /// Runs to the end of the plan, or of the user's patience.
    pub fn run(mut self) -> Finished {
        let mut cut = false;
        let mut failure = None;
        self.sleep_until_zero();
        while !self.is_over() {
            if self.shared.stopped() || self.shared.cut_at.is_some_and(|at| self.crew.now >= at) {
                cut = true;
                break;
            }
            if let Err(error) = self.turn() {
                failure = Some(error);
                break;
            }
        }
        // The last ACK may be the answer to what came while we looked for something to do.
        if failure.is_none() {
            failure = self.send().err();
        }
        let now = clock::now();
        self.crew.now = now;
        cut |= failure.is_some();
        self.crew.cut();
        self.mark_time(now);
        self.report();
        self.conduct.wall = now.saturating_sub(self.measured_from);
        self.conduct.cpu = clock::thread_cpu().saturating_sub(self.cpu_before);
        Finished {
            impaired: self.crew.impaired(),
            recorder: self.crew.recorder,
            conduct: self.conduct,
            ended_at: now,
            cut,
            failure,
        }
    }

    fn sleep_until_zero(&mut self) {
        loop {
            let now = clock::now();
            self.crew.now = now;
            if now >= self.shared.zero || self.shared.stopped() {
                break;
            }
            let left = (self.shared.zero - now).min(LONGEST_SLEEP);
            std::thread::sleep(std::time::Duration::from_nanos(left));
        }
        self.backlog.drained(self.crew.now);
    }

    fn is_over(&mut self) -> bool {
        !self.crew.is_busy() && self.next_start().is_none()
    }

    /// When this thread's next start is due.
    fn next_start(&mut self) -> Option<Nanos> {
        let (threads, thread) = (u64::from(self.shared.threads), u64::from(self.thread));
        while self
            .starts
            .next_if(|start| start.number % threads != thread)
            .is_some()
        {}
        self.starts.peek().map(|start| self.shared.zero + start.at)
    }

    fn turn(&mut self) -> io::Result<()> {
        let now = clock::now();
        self.crew.now = now;
        self.mark_time(now);
        let mut worked = self.start_due(now);
        worked |= self.crew.tick();
        self.send()?;
        worked |= self.receive()?;
        self.send()?;
        if !worked {
            self.rest(now)?;
        }
        Ok(())
    }

    fn start_due(&mut self, now: Nanos) -> bool {
        let mut any = false;
        for _ in 0..STARTS {
            if self.next_start().is_none_or(|at| at > now) {
                break;
            }
            if let Some(start) = self.starts.next() {
                self.crew.start(self.shared.zero + start.at, start.line);
                any = true;
            }
        }
        any
    }

    fn send(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        self.crew.drain(|route, packet| {
            if result.is_ok() {
                result = self.link.send(route, packet);
            }
        });
        result?;
        self.link.flush()
    }

    fn receive(&mut self) -> io::Result<bool> {
        let now = clock::now();
        self.crew.now = now;
        let crew = &mut self.crew;
        let received = self.link.receive(&mut |datagram| crew.take(datagram))?;
        if received.datagrams > 0 {
            let count = received.datagrams as u64;
            // Twice, for what the server repeats.
            let most = (crew.recorder.totals.active + 1) * self.window * 2;
            let late = self.backlog.read(now, count, most);
            crew.recorder
                .sample
                .lateness
                .saturating_record_n(late, count);
        }
        self.backlog.looked(now, received.more);
        Ok(received.datagrams > 0)
    }

    /// Nothing to do: looks again for a while, then sleeps.
    fn rest(&mut self, since: Nanos) -> io::Result<()> {
        let start = self.next_start();
        let due = [start, self.crew.next_deadline(), Some(self.interval_end)];
        let due = due.into_iter().flatten().min().unwrap_or(Nanos::MAX);
        loop {
            let now = clock::now();
            self.crew.now = now;
            if now >= due {
                break;
            }
            if now - since >= self.vigil.span() {
                self.link.wait((due - now).min(LONGEST_SLEEP))?;
                let woken = clock::now();
                self.conduct.asleep += woken - now;
                self.vigil.slept(woken - since);
                // What woke us came just now.
                self.backlog.drained(woken);
                self.crew.now = woken;
                break;
            }
            let crew = &mut self.crew;
            let received = self.link.receive(&mut |datagram| crew.take(datagram))?;
            self.backlog.looked(now, received.more);
            if received.datagrams > 0 {
                break;
            }
        }
        self.conduct.idle += self.crew.now - since;
        Ok(())
    }

    /// The warm-up's and the intervals' ends.
    fn mark_time(&mut self, now: Nanos) {
        if !self.warm && now >= self.shared.measure_from {
            self.warm = true;
            self.crew.restart_figures();
            self.conduct = Conduct::default();
            self.cpu_before = clock::thread_cpu();
            self.measured_from = now;
            self.interval_end = self.shared.measure_from + self.shared.interval;
        }
        if now >= self.interval_end {
            self.report();
            let passed = (now - self.shared.measure_from) / self.shared.interval;
            self.interval = passed;
            self.interval_end = self.shared.measure_from + (passed + 1) * self.shared.interval;
        }
    }

    /// Sends the interval's figures away.
    fn report(&mut self) {
        let empty = self.spare.try_recv().unwrap_or_default();
        let sample = std::mem::replace(&mut self.crew.recorder.sample, empty);
        let report = Report {
            thread: self.thread,
            interval: self.interval,
            sample,
            totals: self.crew.recorder.totals.clone(),
        };
        // Without a collector nobody wants the figures.
        let _ = self.reports.send(report);
    }
}
