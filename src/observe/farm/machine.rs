//! One machine: what it fetches now, the files of its boot so far, and what to make of that.
//! It never asks for the time, and never looks anything up.

use core::net::IpAddr;

use super::boot::Boot;
use super::stage::Stage;
use super::view::State;
use super::words::{explain, is_failure, is_served};
use crate::endpoint::{Doing, Glimpse, Outcome, Ticket};
use crate::limits::{DONE_AFTER, FARM_LIVE, SILENT_AFTER, STUCK_AFTER};
use crate::observe::record::Record;
use crate::transfer::Nanos;

/// A transfer under way, as it was last seen.
#[derive(Debug)]
pub struct Live {
    pub shard: usize,
    pub port: u16,
    pub ticket: Ticket,
    pub seen: Glimpse,
    pub stage: Stage,
    pub name: Box<str>,
    /// Bytes a second, smoothed.
    pub rate: u64,
    at: Nanos,
    /// The picture in which it was last seen.
    pub picture: u64,
}

/// One client address.
#[derive(Debug)]
pub struct Machine {
    pub id: u32,
    pub ip: IpAddr,
    /// The address as text, once and for all.
    pub ip_text: Box<str>,
    pub mac: Box<str>,
    pub host: Box<str>,
    /// When its names were last looked up.
    pub looked_up: Option<Nanos>,
    pub live: Vec<Live>,
    pub boot: Boot,
    pub boots: u32,
    /// It has acknowledged something, so it is there.
    pub proven: bool,
    /// When anything was last heard of it.
    pub heard_at: Nanos,
    /// The end of its last request, unless something better followed.
    failed: Option<Box<str>>,
    failed_at: Nanos,
    pub done_at: Option<Nanos>,
    pub verdict: Verdict,
    /// Something in its row may differ from what was last told.
    pub changed: bool,
}

/// How it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    pub why: Box<str>,
    pub since: Nanos,
}

impl Machine {
    pub fn new(id: u32, ip: IpAddr, now: Nanos) -> Self {
        Self {
            id,
            ip,
            ip_text: ip.to_string().into(),
            mac: "".into(),
            host: "".into(),
            looked_up: None,
            live: Vec::new(),
            boot: Boot::new(now),
            boots: 1,
            proven: false,
            heard_at: now,
            failed: None,
            failed_at: now,
            done_at: None,
            verdict: Verdict {
                state: State::Booting,
                why: "".into(),
                since: now,
            },
            changed: true,
        }
    }

    /// A transfer of it was seen.
    pub fn glimpse(&mut self, shard: usize, picture: u64, seen: &Glimpse, now: Nanos) {
        self.changed = true;
        let same = |live: &&mut Live| live.shard == shard && live.ticket == seen.ticket;
        if let Some(live) = self.live.iter_mut().find(same) {
            self.heard_at = self.heard_at.max(seen.progress_at);
            live.follow(picture, seen, now);
            return;
        }
        if self.live.len() >= FARM_LIVE {
            return;
        }
        let name = seen.name.as_bytes();
        self.begin_anew(seen.since, Stage::of(name));
        self.heard_at = self.heard_at.max(seen.progress_at);
        self.live.push(Live {
            shard,
            port: seen.peer.port(),
            ticket: seen.ticket,
            seen: *seen,
            stage: Stage::of(name),
            name: String::from_utf8_lossy(name).into(),
            rate: 0,
            at: now,
            picture,
        });
    }

    /// Forgets transfers of a shard that its newest picture does not show.
    pub fn settle(&mut self, shard: usize, picture: u64) {
        let before = self.live.len();
        self.live
            .retain(|live| live.shard != shard || live.picture == picture);
        self.changed |= self.live.len() != before;
    }

    /// A request of it ended.
    pub fn record(&mut self, record: &Record, now: Nanos) {
        let stage = Stage::of(&record.file);
        let began = now - record.duration;
        self.begin_anew(began, stage);
        self.changed = true;
        self.heard_at = now;
        self.proven |= record.bytes > 0 || record.outcome == Outcome::Probe;
        let port = record.client.port();
        self.live.retain(|live| live.port != port);
        self.boot.add(record, stage, began, now);
        if is_served(record.outcome, &record.reason) {
            self.failed = None;
            self.done_at = Some(now);
        } else if is_failure(record.outcome, &record.reason, stage) {
            if self.failed.is_none() {
                self.failed_at = now;
            }
            self.failed = Some(
                explain(record.outcome, &record.reason, record.write)
                    .plain
                    .into(),
            );
        }
    }

    /// Begins a new boot, if what began at `at` is no part of the old one.
    fn begin_anew(&mut self, at: Nanos, stage: Stage) {
        let quiet = if self.live.is_empty() {
            at - self.heard_at
        } else {
            Nanos::ZERO
        };
        if self.boot.is_over(at, quiet, stage) {
            self.boot = Boot::new(at);
            self.boots += 1;
            self.failed = None;
            self.done_at = None;
        } else if self.boot.files.is_empty() {
            // Who begins to watch finds transfers that are older than the watch.
            self.boot.began = self.boot.began.min(at);
        }
    }

    /// The transfer that its row tells of: one that is stuck, else the newest.
    pub fn foremost(&self, now: Nanos) -> Option<&Live> {
        self.live
            .iter()
            .max_by_key(|live| (live.stuck(now).is_some(), live.seen.since))
    }

    /// Judges anew.
    pub fn judge(&mut self, now: Nanos) {
        let verdict = self.verdict_at(now);
        if verdict != self.verdict {
            self.changed = true;
            self.verdict = verdict;
        }
    }

    fn verdict_at(&self, now: Nanos) -> Verdict {
        let say = |state, why: &str, since| Verdict {
            state,
            why: why.into(),
            since,
        };
        if let Some(live) = self.foremost(now) {
            if live.seen.doing == Doing::Queued {
                let why = "as many transfers as the caps allow are under way";
                return say(State::Waiting, why, live.seen.since);
            }
            return match live.stuck(now) {
                Some(why) => say(State::Stuck, why, live.seen.progress_at),
                None => say(State::Fetching, "", live.seen.since),
            };
        }
        let quiet = now - self.heard_at;
        if let Some(why) = &self.failed {
            return say(State::Failing, why, self.failed_at);
        }
        if self.boot.has_system() {
            if quiet >= DONE_AFTER {
                return say(State::Done, "", self.done_at.unwrap_or(self.heard_at));
            }
        } else if quiet >= SILENT_AFTER {
            if self.boot.has_loader() {
                let why = "it has its loader and asked for no kernel; it may wait at a prompt";
                return say(State::Silent, why, self.heard_at);
            }
            return match self.done_at {
                Some(at) => say(State::Done, "", at),
                None => say(State::Silent, "it found nothing to fetch", self.heard_at),
            };
        }
        say(State::Booting, "", self.boot.began)
    }
}

impl Live {
    fn follow(&mut self, picture: u64, seen: &Glimpse, now: Nanos) {
        let span = now - self.at;
        if span > Nanos::ZERO {
            let bytes = u128::from(seen.bytes.saturating_sub(self.seen.bytes));
            let rate = bytes * 1_000_000_000 / u128::from(span.0);
            let rate = u64::try_from(rate).unwrap_or(u64::MAX);
            self.rate = if self.rate == 0 {
                rate
            } else {
                self.rate / 2 + rate / 2
            };
            self.at = now;
        }
        self.seen = *seen;
        self.picture = picture;
    }

    /// Why it does not get on, if it does not.
    pub fn stuck(&self, now: Nanos) -> Option<&'static str> {
        if now - self.seen.progress_at < STUCK_AFTER {
            return None;
        }
        match self.seen.doing {
            Doing::Queued | Doing::Listening => None,
            Doing::Opening => Some("its file is being opened, and the storage does not answer"),
            Doing::Greeting => Some("it has not answered our first packet"),
            Doing::Sending => Some("no ACK since"),
            Doing::Loading => Some("waiting for the disk"),
            Doing::Receiving => Some("no block of its upload since"),
            Doing::Storing => Some("its upload waits for the disk"),
        }
    }

    /// What it is doing, in a word.
    pub const fn doing(&self) -> &'static str {
        match self.seen.doing {
            Doing::Queued => "queued",
            Doing::Opening => "opening",
            Doing::Greeting => "greeting",
            Doing::Sending => "sending",
            Doing::Loading => "reading the disk",
            Doing::Receiving => "receiving",
            Doing::Storing => "storing",
            Doing::Listening => "listening",
        }
    }
}
