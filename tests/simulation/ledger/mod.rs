//! The oracles: sees everything that both ends do and compares it with what must be true.
//! It never influences the world; the first fault ends it.

mod fetch;
mod live;
mod totals;

use std::collections::{BTreeMap, HashMap};

use ringboot::endpoint::{Outcome, Report, Ticket, Train};
use ringboot::limits::STRANGER_INTERVAL;
use ringboot::transfer::Nanos;
use ringboot::wire::{Packet, decode};

use crate::client::habits::Habits;
use crate::client::{End, Fact};
use crate::lane::Lane;
use crate::scenario::Scenario;
use crate::world::Parcel;
use fetch::{Circumstances, Fetch};
pub use live::Live;
pub use totals::{Class, Totals};

/// Why the endpoint was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Ack,
    Request,
    /// Any other datagram.
    Other,
    Timer,
    /// A timer, for the next part of a window.
    Burst,
    Opened,
    /// The disk has delivered.
    Loaded,
    Icmp,
    Repeat,
    Abort,
}

/// Something that must never happen.
#[derive(Debug)]
pub struct Fault {
    /// `u32::MAX` when it is the world's.
    pub client: u32,
    pub what: String,
}

#[derive(Debug)]
pub struct Ledger {
    pub fault: Option<Fault>,
    pub totals: Totals,
    live: BTreeMap<Lane, Live>,
    lanes: HashMap<Ticket, Lane>,
    fetches: BTreeMap<u32, Fetch>,
    strangers: BTreeMap<(u32, u16), Nanos>,
    circumstances: Circumstances,
    shutdown: bool,
}

impl Ledger {
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            fault: None,
            totals: Totals::default(),
            live: BTreeMap::new(),
            lanes: HashMap::new(),
            fetches: BTreeMap::new(),
            strangers: BTreeMap::new(),
            circumstances: Circumstances::of(scenario),
            shutdown: false,
        }
    }

    pub fn blame_world(&mut self, what: &str) {
        self.blame(u32::MAX, what);
    }

    fn blame(&mut self, client: u32, what: impl Into<String>) {
        if self.fault.is_none() {
            let what = what.into();
            self.fault = Some(Fault { client, what });
        }
    }

    fn check(&mut self, client: u32, result: Result<(), String>) {
        if let Err(what) = result {
            self.blame(client, what);
        }
    }

    // --- The clients' side ---

    pub fn fact(&mut self, now: Nanos, client: u32, habits: &Habits, fact: Fact) {
        match fact {
            Fact::Began { fetch, file } => {
                let reliable = file.changes_at == Nanos::NEVER && !self.shutdown;
                let begun = Fetch::new(now, client, habits, reliable, &self.circumstances);
                self.fetches.insert(fetch, begun);
            }
            Fact::Ended { fetch, end } => self.fetch_ended(now, fetch, end),
            Fact::Wrong { fetch, what } => {
                let tainted = self.fetches.get(&fetch).is_some_and(|fetch| fetch.tainted);
                if !tainted {
                    self.blame(client, format!("the client was given {what}"));
                }
            }
        }
    }

    /// Damaged bytes, or bytes of another transfer, reached this fetch or its transfer.
    pub fn taint(&mut self, fetch: u32) {
        if let Some(fetch) = self.fetches.get_mut(&fetch) {
            fetch.tainted = true;
        }
    }

    fn fetch_ended(&mut self, now: Nanos, number: u32, end: End) {
        let Some(fetch) = self.fetches.get_mut(&number) else {
            return self.blame_world("a fetch that never began has ended");
        };
        fetch.end = Some(end);
        self.totals.fetches += 1;
        self.totals.tainted += u64::from(fetch.tainted);
        self.totals.failed += u64::from(end == End::TimedOut);
        if matches!(end, End::Completed { .. }) {
            self.totals.completed += 1;
            self.totals.took.push(now - fetch.began);
        }
        let (client, verdict) = (fetch.client, fetch.verdict(end, &self.circumstances));
        self.check(client, verdict);
    }

    /// The network harmed datagrams of a client's transfer.
    pub fn harm(&mut self, lane: Lane, harms: u32, lost: u32) {
        if harms > 0
            && let Some(live) = self.live.get_mut(&lane)
        {
            live.harms += harms;
            live.lost += lost;
        }
    }

    // --- What reaches the server ---

    /// A datagram is about to be given to the endpoint; `lane` names the socket that would
    /// answer. Says what it is.
    pub fn delivered(&mut self, parcel: &Parcel, lane: Lane) -> Cause {
        self.totals.datagrams += 1;
        let packet = decode(&parcel.bytes);
        let is_request = matches!(packet, Ok(Packet::Rrq(_)));
        // From another fetch of the same port, delayed. A newer request is none of those.
        if let Some(fetch) = self.fetch_of(lane)
            && (fetch > parcel.fetch || fetch < parcel.fetch && !is_request)
        {
            self.taint(fetch);
            self.taint(parcel.fetch);
        }
        let live = self.live.get_mut(&lane);
        match (packet, live) {
            (Ok(Packet::Ack { block }), Some(live)) => {
                live.acknowledged(block, parcel.bytes.get(4).copied());
                Cause::Ack
            }
            (Ok(Packet::Ack { .. }), None) => Cause::Ack,
            (Ok(Packet::Error { .. }), Some(live)) => {
                // On the listening socket it would be nobody's.
                live.stopped |= parcel.lane == lane;
                Cause::Other
            }
            (Ok(Packet::Rrq(_)), live) => {
                if let Some(live) = live {
                    live.requests += 1;
                    // The same request again may be the client's next wish.
                    live.fetch = live.fetch.max(parcel.fetch);
                }
                Cause::Request
            }
            _ => Cause::Other,
        }
    }

    // --- What the endpoint does ---

    pub fn admitted(&mut self, lane: Lane, live: Live) {
        let client = lane.client;
        if self.shutdown {
            self.blame(client, "a request was taken in after the shutdown");
        }
        if self.lanes.insert(live.ticket, lane).is_some() {
            self.blame(client, "a ticket was given out twice");
        }
        if self.live.insert(lane, live).is_some() {
            self.blame(client, "a second transfer for the same address and port");
        }
        self.totals.admitted += 1;
    }

    /// The fetch whose request began the transfer of this lane.
    pub fn fetch_of(&self, lane: Lane) -> Option<u32> {
        self.live.get(&lane).map(|live| live.fetch)
    }

    pub fn train(&mut self, now: Nanos, cause: Cause, train: &Train) {
        self.totals.blocks += u64::from(train.blocks.count);
        let Some(&lane) = self.lanes.get(&train.ticket) else {
            return self.blame_world("DATA of a transfer that has ended");
        };
        let Some(live) = self.live.get_mut(&lane) else {
            return self.blame(lane.client, "DATA of nobody's transfer");
        };
        let open = self.fetches.get(&live.fetch).is_some_and(Fetch::is_open);
        let result = live.train(now, cause, train, open);
        self.check(lane.client, result);
    }

    /// Blocks wait for room in the socket; some may never have been sent.
    pub fn put_off(&mut self, ticket: Ticket, blocks: u32) {
        if let Some(lane) = self.lanes.get(&ticket)
            && let Some(live) = self.live.get_mut(lane)
        {
            live.harms += blocks;
        }
    }

    /// Blocks wait for the disk; those that were to be sent again may be acknowledged meanwhile.
    pub fn parked(&mut self, ticket: Ticket, blocks: u32) {
        self.put_off(ticket, blocks);
        self.still_parked(ticket, blocks, false);
    }

    /// More blocks were asked for behind those that wait: a resend among them is decided, but may
    /// be acknowledged before it leaves. Blocks that a full socket had put off (`again`) are none.
    pub fn still_parked(&mut self, ticket: Ticket, blocks: u32, again: bool) {
        if let Some(lane) = self.lanes.get(&ticket)
            && let Some(live) = self.live.get_mut(lane)
        {
            live.parked += blocks;
            live.joined += if again { blocks } else { 0 };
        }
    }

    /// The transfer is about to fail through no fault of the core.
    pub fn excuse(&mut self, ticket: Ticket) {
        if let Some(lane) = self.lanes.get(&ticket)
            && let Some(live) = self.live.get(lane)
            && let Some(fetch) = self.fetches.get_mut(&live.fetch)
        {
            fetch.reliable = false;
        }
    }

    /// OACK or ERROR.
    pub fn packet(&mut self, now: Nanos, cause: Cause, lane: Lane, bytes: &[u8]) {
        let Ok(Packet::Oack(options)) = decode(bytes) else {
            return;
        };
        let Some(live) = self.live.get_mut(&lane) else {
            return self.blame(lane.client, "an OACK of nobody's transfer");
        };
        let result = live.oack(now, cause, bytes.len(), &options);
        self.check(lane.client, result);
    }

    /// Strangers are told about unknown transfers, once a second.
    pub fn answered_stranger(&mut self, now: Nanos, lane: Lane, bytes: &[u8]) {
        match decode(bytes) {
            Ok(Packet::Error { code, .. }) if code.0 != 5 => return,
            Ok(Packet::Error { .. }) => {}
            // A request that random bytes happened to form.
            _ if self.live.contains_key(&lane) => return,
            _ => return self.blame(lane.client, "a stranger was sent no ERROR"),
        }
        let last = self.strangers.insert((lane.client, lane.port), now);
        if last.is_some_and(|last| now - last < STRANGER_INTERVAL) {
            self.blame(lane.client, "a stranger was answered twice in a second");
        }
    }

    pub fn finished(&mut self, cause: Cause, report: &Report<'_>) {
        let lane = Lane::of(report.route);
        let turned_away = self.was_never_admitted(cause, lane, report);
        if turned_away || report.outcome == Outcome::Shed {
            self.excuse_client(lane.client);
        }
        if turned_away {
            self.totals.turned_away += 1;
            return;
        }
        let Some(live) = self.live.remove(&lane) else {
            return self.blame(lane.client, "a report of a transfer that is not there");
        };
        self.lanes.remove(&live.ticket);
        self.totals.reports += 1;
        let result = self.judge(&live, report);
        self.check(lane.client, result);
    }

    /// A refusal at the door: no slot, a bad mode, an upload.
    fn was_never_admitted(&self, cause: Cause, lane: Lane, report: &Report<'_>) -> bool {
        let found_no_queue = self.live.get(&lane).is_some_and(|live| !live.queued);
        cause != Cause::Opened
            && matches!(report.outcome, Outcome::Refused | Outcome::Shed)
            && report.blksize == 0
            && !found_no_queue
    }

    /// The server had no room: the client may well fail.
    fn excuse_client(&mut self, client: u32) {
        for fetch in self.fetches.values_mut() {
            if fetch.client == client && fetch.is_open() {
                fetch.reliable = false;
            }
        }
    }

    /// A transfer as a whole.
    fn judge(&mut self, live: &Live, report: &Report<'_>) -> Result<(), String> {
        // Where the file changed, the last train was counted and then not sent.
        let unsent = report.outcome == Outcome::Aborted && report.resends > live.resends;
        let decided = live.resends.saturating_sub(live.joined)..=live.resends + live.parked;
        if !decided.contains(&report.resends) && !unsent {
            let reported = report.resends;
            return Err(format!("{} resends, but {reported} reported", live.resends));
        }
        // Strangers have no fetch.
        let Some(fetch) = self.fetches.get(&live.fetch) else {
            return Ok(());
        };
        self.totals.transfer(live, fetch.model);
        if fetch.tainted {
            return Ok(());
        }
        if report.outcome == Outcome::Completed {
            if !fetch.is_complete() {
                return Err("reported as completed, but the client has less".to_owned());
            }
            if report.bytes != report.size || report.size != live.size {
                return Err(format!("{} bytes of {} reported", report.bytes, live.size));
            }
        }
        live.check_resends(self.circumstances.perfect, fetch)
    }

    // --- The end ---

    pub fn shutdown(&mut self) {
        self.shutdown = true;
        for fetch in self.fetches.values_mut() {
            fetch.reliable = false;
        }
    }

    /// Everything has come to rest.
    pub fn finale(&mut self, active: usize, deadline: Option<Nanos>) {
        if active != 0 {
            self.blame_world("a slot has leaked");
        }
        if deadline.is_some() {
            self.blame_world("a timer is left");
        }
        if !self.live.is_empty() || self.totals.admitted != self.totals.reports {
            self.blame_world("a request was taken in and never reported");
        }
        let open = self.fetches.values().find(|fetch| fetch.is_open());
        if let Some(client) = open.map(|fetch| fetch.client) {
            self.blame(client, "a client never came to an end");
        }
    }
}
