//! Starts and ends: of jobs, of their steps, of the transfers that these are.
//! It never looks into a packet.

use super::{Body, Crew};
use crate::arrival::Arrival;
use crate::engine::shared::Job;
use crate::impair::Weather;
use crate::machine::{Boot, Download, End, Granted, Nanos, Next, Recipe, Say, Tally};

impl Crew<'_> {
    /// A start of the schedule: an idle machine takes it, or the next that becomes idle.
    pub fn start(&mut self, intended: Nanos, line: Option<usize>) {
        let late = self.now.saturating_sub(intended);
        self.recorder.sample.lateness.saturating_record(late);
        match self.idle.pop_front() {
            Some(seat) => self.begin_job(seat, intended, line),
            None => {
                self.recorder.without_machine += 1;
                self.overdue.push_back((intended, line));
            }
        }
    }

    /// The warm-up is over.
    pub fn restart_figures(&mut self) {
        self.recorder.restart();
        self.impaired = Default::default();
    }

    /// The run is over: what is under way is cut.
    pub fn cut(&mut self) {
        self.overdue.clear();
        for seat in 0..self.seats.len() {
            if let Some(place) = self.seats.get_mut(seat)
                && let Some(download) = place.download.take()
            {
                let (job, step, counted) = (place.job, place.boot.step(), place.counted);
                let took = self.now.saturating_sub(place.transfer_from);
                self.record_end(job, step, End::Cut, took, download.granted(), counted);
                self.recorder.totals.active -= 1;
            }
        }
        self.busy = 0;
    }

    fn begin_job(&mut self, seat: u32, intended: Nanos, line: Option<usize>) {
        let machine = self.machine(seat);
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        place.job = self.shared.job(machine, place.jobs, line);
        place.jobs += 1;
        place.boot = Boot::default();
        place.job_from = intended;
        place.counted = intended >= self.shared.measure_from;
        self.recorder.boots_begun += u64::from(place.counted);
        self.busy += 1;
        self.begin_step(seat, intended);
    }

    /// The step that the seat's boot has come to, at once or after its pause.
    fn begin_step(&mut self, seat: u32, from: Nanos) {
        let shared = self.shared;
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let recipe = shared
            .jobs
            .get(place.job)
            .and_then(|job| job.steps.get(place.boot.step()));
        match recipe {
            Some(recipe) if recipe.pause > 0 => {
                place.step_at = Some(from + recipe.pause);
                self.arm(seat);
            }
            Some(recipe) => self.begin_transfer(seat, recipe, from),
            // A scenario without steps.
            None => self.job_over(seat),
        }
    }

    fn begin_transfer(&mut self, seat: u32, recipe: &Recipe, from: Nanos) {
        let machine = self.machine(seat);
        let name = recipe.name_for(&self.shared.identity(machine));
        let oracle = self.shared.oracle.as_deref();
        let file = oracle.and_then(|oracle| {
            let file = oracle.find(&name, recipe.habits.netascii)?;
            Some((file, oracle.expected_len(file)))
        });
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let mut download = Download::begin(self.now, recipe, file);
        place.transfers += 1;
        place.step_at = None;
        place.transfer_from = from;
        place.weather = Weather::default();
        let chance = self.shared.chance(machine, place.transfers);
        if let Some(blocks) = self.shared.impairment.vanishes_after(chance) {
            download.vanish_after(blocks);
        }
        let first = place.transfers == 1;
        if first || !recipe.habits.same_port {
            let last = place.lane;
            place.lane = self.lanes.take(seat, last);
            // Nobody will ask the transfer before for its last ACK again.
            if !first && place.past.is_none() && place.lane != last {
                self.lanes.give_back(last);
            }
        }
        place.download = Some(download);
        self.recorder.totals.begun += 1;
        self.recorder.totals.active += 1;
        self.say(seat, recipe, Say::Request, None);
        self.arm(seat);
    }

    /// The present transfer's or pause's deadline has come.
    pub(super) fn waited(&mut self, seat: u32) {
        let shared = self.shared;
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let Some(recipe) = recipe_of(&shared.jobs, place.job, place.boot.step()) else {
            return;
        };
        let Some(download) = place.download.as_mut() else {
            let from = place.step_at.unwrap_or(self.now);
            return self.begin_transfer(seat, recipe, from);
        };
        let mut scene = scene(shared, recipe, self.now, &mut self.recorder.totals.tally);
        let reaction = download.waited(&mut scene);
        let peer = download.peer();
        self.say(seat, recipe, reaction.say, peer);
        if let Some(end) = reaction.end {
            self.transfer_over(seat, recipe, end);
        }
    }

    pub(super) fn transfer_over(&mut self, seat: u32, recipe: &Recipe, end: End) {
        let shared = self.shared;
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let Some(download) = place.download.take() else {
            return;
        };
        let scene = scene(shared, recipe, self.now, &mut self.recorder.totals.tally);
        let past = download.past(&scene).map(|past| (place.lane, past));
        place.remember(download.peer());
        place.vanished |= end == End::Vanished;
        let before = std::mem::replace(&mut place.past, past);
        if let Some((lane, _)) = before.filter(|(lane, _)| *lane != place.lane) {
            self.lanes.give_back(lane);
        }
        let end = Boot::judge(recipe, end);
        let (job, step, counted) = (place.job, place.boot.step(), place.counted);
        let took = self.now.saturating_sub(place.transfer_from);
        let steps = shared.jobs.get(job).map_or(&[][..], |job| &job.steps);
        let next = place.boot.ended(steps, end);
        let job_from = place.job_from;
        self.recorder.totals.active -= 1;
        self.record_end(job, step, end, took, download.granted(), counted);
        match next {
            Next::Fetch(_) => return self.begin_step(seat, self.now),
            Next::Up if counted && shared.boots => {
                let took = self.now.saturating_sub(job_from);
                self.recorder.sample.boot.saturating_record(took);
                self.recorder.boots_up.push(self.now);
            }
            Next::GaveUp { .. } if counted && shared.boots => {
                let first = shared.jobs.get(job).map_or(0, |job| job.first_step);
                *self
                    .recorder
                    .gave_up
                    .entry((first + step, end))
                    .or_default() += 1;
            }
            _ => {}
        }
        self.job_over(seat);
    }

    fn record_end(
        &mut self,
        job: usize,
        step: usize,
        end: End,
        took: u64,
        granted: Granted,
        counted: bool,
    ) {
        if counted {
            let first = self.shared.jobs.get(job).map_or(0, |job| job.first_step);
            self.recorder.ended(first + step, end, took, granted);
        }
    }

    /// The machine is free: for the next job of a closed load, or for the next start.
    fn job_over(&mut self, seat: u32) {
        self.busy -= 1;
        if self.shared.arrival == Arrival::Closed {
            let quota = self.shared.quota(self.machine(seat));
            let begun = self.seats.get(seat as usize).map_or(0, |place| place.jobs);
            let time_left = self.shared.until.is_none_or(|until| self.now < until);
            if time_left && u64::from(begun) < quota && !self.shared.stopped() {
                self.begin_job(seat, self.now, None);
            }
            return;
        }
        match self.overdue.pop_front() {
            Some((intended, line)) => self.begin_job(seat, intended, line),
            None => self.idle.push_back(seat),
        }
    }

    /// Queues a text, such as a request, as a packet's body.
    pub(super) fn text_body(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Body {
        let from = self.text.len();
        write(&mut self.text);
        Body::Text(from..self.text.len())
    }
}

pub(super) fn recipe_of(jobs: &[Job], job: usize, step: usize) -> Option<&Recipe> {
    jobs.get(job).and_then(|job| job.steps.get(step))
}

pub(super) fn scene<'a>(
    shared: &'a crate::engine::shared::Shared,
    recipe: &'a Recipe,
    now: Nanos,
    tally: &'a mut Tally,
) -> crate::machine::Scene<'a> {
    crate::machine::Scene {
        now,
        recipe,
        oracle: shared.oracle.as_deref(),
        server: shared.server.ip(),
        tally,
    }
}
