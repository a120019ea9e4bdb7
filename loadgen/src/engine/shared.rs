//! What all threads of a run read and none changes.
//! It never holds anything of a single machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::plan::{EnginePlan, Load};
use crate::arrival::{Arrival, Schedule};
use crate::content::Oracle;
use crate::impair::{Chance, Impairment, Purpose};
use crate::machine::{Identity, Nanos, Recipe};
use crate::measure::clock;
use crate::scenario::{Ask, Expect, Scenario, Step};
use crate::sources::{self, Sources};

/// What one machine does at a start: a file, or a boot.
pub struct Job {
    pub name: String,
    pub steps: Vec<Recipe>,
    /// The number of its first step over all jobs.
    pub first_step: usize,
    /// The share of starts up to and including this job.
    share: f64,
}

pub struct Shared {
    pub server: SocketAddr,
    pub broadcast: SocketAddr,
    pub sources: Sources,
    /// The first machine's number in the farm.
    first_machine: u32,
    pub machines: u32,
    pub threads: u32,
    pub jobs: Vec<Job>,
    /// Jobs of a captured list, by line.
    lines: Vec<Option<usize>>,
    pub seed: u64,
    pub impairment: Impairment,
    pub oracle: Option<Arc<dyn Oracle>>,
    pub arrival: Arrival,
    pub count: Option<u64>,
    pub boots: bool,
    pub interval: Nanos,
    /// Moments on the monotonic clock.
    pub zero: Nanos,
    pub measure_from: Nanos,
    /// No start from then on, and the end of what still runs.
    pub until: Option<Nanos>,
    pub cut_at: Option<Nanos>,
    /// Ctrl-C.
    pub stop: Arc<AtomicBool>,
}

impl Shared {
    /// # Errors
    /// When there are too few addresses.
    pub fn new(
        plan: &EnginePlan,
        zero: Nanos,
        threads: u32,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let nanos = |time: std::time::Duration| time.as_nanos() as Nanos;
        let measure_from = zero + nanos(plan.warmup);
        let until = plan.duration.map(|time| measure_from + nanos(time));
        let (jobs, lines) = jobs(plan);
        Ok(Self {
            server: plan.server,
            broadcast: plan
                .broadcast
                .unwrap_or_else(|| sources::broadcast_for(plan.server)),
            sources: Sources::choose(
                plan.server.ip(),
                plan.source_net,
                plan.first_machine,
                plan.machines,
            )?,
            first_machine: plan.first_machine,
            machines: plan.machines,
            threads,
            jobs,
            lines,
            seed: plan.seed,
            impairment: plan.impairment,
            oracle: plan.oracle.clone(),
            arrival: plan.arrival.clone(),
            count: plan.count.or_else(|| {
                let each_once = plan.duration.is_none() && plan.arrival == Arrival::Closed;
                each_once.then_some(u64::from(plan.machines))
            }),
            boots: matches!(plan.load, Load::Boots(_)),
            interval: nanos(plan.interval).max(1_000_000),
            zero,
            measure_from,
            until,
            cut_at: until.map(|until| until + nanos(plan.drain)),
            stop,
        })
    }

    /// The warm-up is not over yet.
    pub fn begins_later(&self) -> bool {
        self.measure_from > self.zero && clock::now() < self.measure_from
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub fn schedule(&self) -> Schedule {
        let until = self.until.map(|until| until - self.zero);
        Schedule::new(&self.arrival, self.seed, self.machines, self.count, until)
    }

    /// How many jobs a machine has in a closed load.
    pub fn quota(&self, machine: u32) -> u64 {
        match (&self.arrival, self.count) {
            (Arrival::Closed, Some(count)) => {
                let machines = u64::from(self.machines.max(1));
                count / machines + u64::from(u64::from(machine) < count % machines)
            }
            (Arrival::Closed, None) => u64::MAX,
            _ => 0,
        }
    }

    /// Which job a start is: by its line in a captured list, else by the weights.
    pub fn job(&self, machine: u32, ordinal: u32, line: Option<usize>) -> usize {
        let listed = line.and_then(|line| self.lines.get(line).copied().flatten());
        listed.unwrap_or_else(|| {
            let share = self.chance(machine, ordinal).unit(Purpose::File);
            let job = self.jobs.iter().position(|job| share < job.share);
            job.unwrap_or(0)
        })
    }

    /// Chance for one of a machine's transfers or jobs.
    pub fn chance(&self, machine: u32, ordinal: u32) -> Chance {
        Chance::new(self.seed, self.number(machine), ordinal)
    }

    /// A machine's number in the farm, of which this process may have a part.
    const fn number(&self, machine: u32) -> u32 {
        self.first_machine.wrapping_add(machine)
    }

    pub fn identity(&self, machine: u32) -> Identity {
        let address = self.sources.address(machine);
        Identity {
            number: self.number(machine),
            address: address.unwrap_or(IpAddr::V4([127, 0, 0, 1].into())),
        }
    }

    pub fn step_count(&self) -> usize {
        self.jobs.iter().map(|job| job.steps.len()).sum()
    }

    /// The largest window that is asked for, in blocks.
    pub fn largest_window(&self) -> u64 {
        let steps = self.jobs.iter().flat_map(|job| &job.steps);
        steps.map(Recipe::window).max().unwrap_or(1)
    }

    /// The largest DATA packet that content is compared of; none when nobody compares.
    pub fn largest_packet(&self) -> usize {
        if self.oracle.is_none() {
            return 0;
        }
        let steps = self.jobs.iter().flat_map(|job| &job.steps);
        let block = steps.map(Recipe::largest_block).max().unwrap_or(512);
        usize::try_from(block).unwrap_or(65_464).min(65_464) + 4
    }
}

fn jobs(plan: &EnginePlan) -> (Vec<Job>, Vec<Option<usize>>) {
    let mut weighted = match &plan.load {
        Load::Boots(scenarios) => scenarios.clone(),
        Load::Files { files, mix, .. } => {
            let files = files.iter();
            files
                .flat_map(|(file, weight)| mixed(single(plan, file), *weight, mix))
                .collect()
        }
    };
    let mut lines = Vec::new();
    if let Arrival::Replay(list) = &plan.arrival {
        for start in list {
            let job = start.file.as_ref().map(|file| {
                let known = weighted
                    .iter()
                    .position(|(scenario, _)| scenario.name == *file);
                known.unwrap_or_else(|| {
                    weighted.push((single(plan, file), 0.0));
                    weighted.len() - 1
                })
            });
            lines.push(job);
        }
    }
    (in_order(&weighted), lines)
}

fn in_order(weighted: &[(Scenario, f64)]) -> Vec<Job> {
    let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let (mut first_step, mut sum) = (0, 0.0);
    let job = |(scenario, weight): &(Scenario, f64)| {
        let steps: Vec<Recipe> = scenario.steps.iter().map(Recipe::new).collect();
        sum += weight;
        let job = Job {
            name: scenario.name.clone(),
            first_step,
            share: sum / total.max(f64::MIN_POSITIVE),
            steps,
        };
        first_step += job.steps.len();
        job
    };
    weighted.iter().map(job).collect()
}

/// A file's scenario, once for each choice of options.
fn mixed(file: Scenario, weight: f64, mix: &[(Vec<Ask>, f64)]) -> Vec<(Scenario, f64)> {
    if mix.is_empty() {
        return vec![(file, weight)];
    }
    let choices = mix.iter().map(|(options, share)| {
        let mut choice = file.clone();
        for step in &mut choice.steps {
            step.habits.options.clone_from(options);
        }
        (choice, weight * share)
    });
    choices.collect()
}

/// One file as a scenario of one step.
fn single(plan: &EnginePlan, file: &str) -> Scenario {
    let habits = match &plan.load {
        Load::Files { habits, .. } => (**habits).clone(),
        Load::Boots(scenarios) => {
            let first = scenarios
                .first()
                .and_then(|(scenario, _)| scenario.steps.first());
            first.map(|step| step.habits.clone()).unwrap_or_default()
        }
    };
    Scenario {
        name: file.into(),
        title: file.into(),
        steps: vec![Step {
            label: file.into(),
            file: file.into(),
            habits,
            expect: Expect::File,
            pause: std::time::Duration::ZERO,
            restarts: 0,
        }],
    }
}
