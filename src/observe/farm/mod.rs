//! The farm: every machine that asked for something lately, and how it does.
//! It never does I/O and asks no clock: it is told of ended requests and of transfers under way.

mod boot;
mod failures;
mod machine;
mod stage;
pub mod view;
mod words;

use core::net::IpAddr;
use std::collections::HashMap;

use crate::endpoint::{Glimpse, Outcome};
use crate::limits::{FARM_LOOKUP_FRESH, FARM_MACHINES, FARM_POINTS, STORM_GAP};
use crate::observe::record::Record;
use crate::transfer::Nanos;
use failures::Failures;
use machine::Machine;
pub use stage::Stage;
use view::{Curve, Detail, Failure, FileEvent, Look, Row, State, Summary};
use words::is_failure;

/// All that is known of the machines.
#[derive(Debug, Default)]
pub struct Farm {
    machines: HashMap<IpAddr, Machine>,
    next_id: u32,
    /// Ids of machines that were forgotten since the last look.
    gone: Vec<u32>,
    failures: Failures,
    /// When the first machine of the present storm asked, and when anything was last heard of any.
    storm: Nanos,
    heard_at: Nanos,
    /// By shard: the number of its present picture.
    pictures: Vec<u64>,
}

impl Farm {
    /// A request ended.
    pub fn record(&mut self, record: &Record, now: Nanos) {
        self.hear(now - record.duration, now);
        let machine = self.machine(record.client.ip(), now);
        machine.record(record, now);
        let id = machine.id;
        // That it began anew is told by what follows.
        let restart =
            record.outcome == Outcome::Aborted && record.reason.contains("another request");
        if is_failure(record.outcome, &record.reason, Stage::of(&record.file)) && !restart {
            self.failures.add(id, record, now);
        }
    }

    /// A transfer is under way.
    pub fn glimpse(&mut self, shard: usize, seen: &Glimpse, now: Nanos) {
        self.hear(seen.since, now);
        let picture = self.picture(shard);
        let machine = self.machine(seen.peer.ip(), now);
        machine.glimpse(shard, picture, seen, now);
    }

    /// A shard has shown all of its transfers: what it did not show is over.
    pub fn picture_done(&mut self, shard: usize) {
        let picture = self.picture(shard);
        for machine in self.machines.values_mut() {
            machine.settle(shard, picture);
        }
        if let Some(number) = self.pictures.get_mut(shard) {
            *number += 1;
        }
    }

    /// Machines whose names are unknown or old, at most `most` of them.
    #[must_use]
    pub fn nameless(&self, most: usize, now: Nanos) -> Vec<IpAddr> {
        let old = |machine: &&Machine| {
            machine
                .looked_up
                .is_none_or(|at| now - at >= FARM_LOOKUP_FRESH && machine.heard_at > at)
        };
        let mut nameless: Vec<&Machine> = self.machines.values().filter(old).collect();
        // Who is in trouble is looked for first.
        nameless.sort_unstable_by_key(|machine| machine.verdict.state);
        nameless.truncate(most);
        nameless.iter().map(|machine| machine.ip).collect()
    }

    /// Others know the machines' names now: each is to be looked up again.
    pub fn forget_names(&mut self) {
        for machine in self.machines.values_mut() {
            machine.looked_up = None;
        }
    }

    /// What a look-up of a machine's names gave.
    pub fn name(&mut self, ip: IpAddr, mac: &str, host: &str, now: Nanos) {
        if let Some(machine) = self.machines.get_mut(&ip) {
            machine.looked_up = Some(now);
            if (&*machine.mac, &*machine.host) != (mac, host) {
                (machine.mac, machine.host) = (mac.into(), host.into());
                machine.changed = true;
            }
        }
    }

    /// Nobody watches, so no pictures come: what they showed is old.
    pub fn rest(&mut self) {
        for machine in self.machines.values_mut() {
            machine.live.clear();
        }
    }

    /// Judges how each machine does by now.
    pub fn judge(&mut self, now: Nanos) {
        for machine in self.machines.values_mut() {
            machine.judge(now);
        }
    }

    /// What changed since the last look.
    pub fn look(&mut self, now: Nanos, summary: Summary) -> Look {
        self.judge(now);
        let mut rows = Vec::new();
        for machine in self.machines.values_mut() {
            if core::mem::take(&mut machine.changed) {
                rows.push(row(machine, now));
            }
        }
        let failures = core::mem::take(&mut self.failures.changed);
        Look {
            now: millis(now),
            full: false,
            rows,
            gone: core::mem::take(&mut self.gone),
            farm: self.sum_up(summary),
            failures: failures.then(|| self.failures()),
            curve: Some(self.curve()),
        }
    }

    /// Everything as it was last judged.
    #[must_use]
    pub fn show(&self, now: Nanos, summary: Summary) -> Look {
        let rows = self.machines.values().map(|machine| row(machine, now));
        Look {
            now: millis(now),
            full: true,
            rows: rows.collect(),
            gone: Vec::new(),
            farm: self.sum_up(summary),
            failures: Some(self.failures()),
            curve: Some(self.curve()),
        }
    }

    fn sum_up(&self, mut summary: Summary) -> Summary {
        summary.machines = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        for machine in self.machines.values() {
            let state = machine.verdict.state;
            let place = State::ALL.iter().position(|other| *other == state);
            if let Some(count) = place.and_then(|place| summary.states.get_mut(place)) {
                *count += 1;
            }
        }
        summary
    }

    /// Everything about one machine.
    #[must_use]
    pub fn detail(&self, id: u32, now: Nanos) -> Option<Detail> {
        let machine = self.machines.values().find(|machine| machine.id == id)?;
        let ended = machine.boot.files.iter().map(|file| file.event(millis));
        let live = machine.live.iter().map(|live| FileEvent {
            name: live.name.to_string(),
            stage: live.stage,
            write: live.seen.write,
            began: millis(live.seen.since),
            ended: None,
            outcome: live.doing().to_owned(),
            plain: live.stuck(now).unwrap_or_default().to_owned(),
            advice: String::new(),
            bytes: live.seen.bytes,
            size: live.seen.size,
            resends: live.seen.resends,
            times: 1,
        });
        Some(Detail {
            now: millis(now),
            row: row(machine, now),
            boot: millis(machine.boot.began),
            boots: machine.boots,
            left_out: machine.boot.left_out,
            files: ended.chain(live).collect(),
        })
    }

    fn picture(&mut self, shard: usize) -> u64 {
        if shard >= self.pictures.len() {
            self.pictures.resize(shard + 1, 0);
        }
        self.pictures.get(shard).copied().unwrap_or(0)
    }

    /// Somebody asked at `began`.
    fn hear(&mut self, began: Nanos, now: Nanos) {
        if self.heard_at == Nanos::ZERO || began - self.heard_at >= STORM_GAP {
            self.storm = began;
        }
        self.heard_at = now;
    }

    fn machine(&mut self, ip: IpAddr, now: Nanos) -> &mut Machine {
        if !self.machines.contains_key(&ip) && self.machines.len() >= FARM_MACHINES {
            self.make_room();
        }
        let next_id = &mut self.next_id;
        self.machines.entry(ip).or_insert_with(|| {
            *next_id = next_id.wrapping_add(1);
            Machine::new(*next_id, ip, now)
        })
    }

    /// An eighth of the machines go: first those that never acknowledged anything, then those that
    /// were silent the longest.
    fn make_room(&mut self) {
        let worth = |machine: &Machine| (machine.proven, machine.heard_at);
        let mut order: Vec<_> = self
            .machines
            .values()
            .map(|it| (worth(it), it.ip))
            .collect();
        order.sort_unstable();
        for (_, ip) in order.into_iter().take(FARM_MACHINES / 8) {
            if let Some(machine) = self.machines.remove(&ip) {
                self.gone.push(machine.id);
            }
        }
        // Nobody may have looked for long; who looks anew gets everything anyway.
        self.gone.truncate(FARM_MACHINES);
    }

    fn failures(&self) -> Vec<Failure> {
        let host = |ip| {
            self.machines
                .get(ip)
                .map(|machine| machine.host.to_string())
        };
        let list = self.failures.list.iter().map(|failed| Failure {
            at: millis(failed.at),
            id: failed.id,
            ip: failed.ip.to_string(),
            host: host(&failed.ip).unwrap_or_default(),
            file: String::from_utf8_lossy(&failed.file).into_owned(),
            outcome: failed.outcome.as_str().to_owned(),
            plain: failed.plain.clone(),
            advice: failed.advice.to_owned(),
            times: failed.times,
        });
        list.collect()
    }

    /// Machines of this storm that are done, over time.
    fn curve(&self) -> Curve {
        let of_storm = |machine: &&Machine| machine.heard_at >= self.storm;
        let storm = self.machines.values().filter(of_storm);
        let done = |machine: &Machine| {
            machine
                .done_at
                .filter(|_| machine.verdict.state == State::Done)
        };
        let mut machines = 0;
        let mut times: Vec<Nanos> = Vec::new();
        for machine in storm {
            machines += 1;
            times.extend(done(machine).map(|at| at - self.storm));
        }
        times.sort_unstable();
        let step = times.len().div_ceil(FARM_POINTS).max(1);
        let last = times.len().saturating_sub(1);
        let counted = times.iter().enumerate();
        let points = counted
            .filter(|(place, _)| place % step == 0 || *place == last)
            .map(|(place, at)| (millis(*at), u32::try_from(place + 1).unwrap_or(u32::MAX)));
        Curve {
            from: millis(self.storm),
            machines,
            points: points.collect(),
        }
    }
}

fn row(machine: &Machine, now: Nanos) -> Row {
    let mut row = Row {
        id: machine.id,
        ip: machine.ip_text.to_string(),
        mac: machine.mac.to_string(),
        host: machine.host.to_string(),
        state: machine.verdict.state,
        why: machine.verdict.why.to_string(),
        since: millis(machine.verdict.since),
        file: String::new(),
        stage: Stage::Other,
        bytes: 0,
        size: 0,
        rate: 0,
        resends: machine.boot.resends,
        round_trip: 0,
        files: machine.boot.completed,
        misses: machine.boot.misses,
    };
    let micros = |span: Nanos| u32::try_from(span.0 / 1_000).unwrap_or(u32::MAX);
    if let Some(live) = machine.foremost(now) {
        row.file = live.name.to_string();
        row.stage = live.stage;
        (row.bytes, row.size) = (live.seen.bytes, live.seen.size);
        row.rate = machine.live.iter().map(|live| live.rate).sum();
        let resends = machine.live.iter().map(|live| live.seen.resends);
        row.resends = resends.fold(row.resends, u32::saturating_add);
        row.round_trip = micros(live.seen.round_trip);
    } else if let Some(last) = machine.boot.files.last() {
        row.file = last.name();
        row.stage = last.stage;
        (row.bytes, row.size) = (last.bytes, last.size);
        row.round_trip = micros(last.round_trip);
    }
    row
}

const fn millis(at: Nanos) -> u64 {
    at.0 / 1_000_000
}

#[cfg(test)]
mod tests;
