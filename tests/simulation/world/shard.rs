//! The third backend: renders what the endpoint sends and gives it to the simulated network.
//! It never decides anything about a transfer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ringboot::endpoint::{Effects, OpenRequest, Report, Route, Ticket, Train};
use ringboot::transfer::{BlockRange, Nanos};
use ringboot::wire::packet::data_header;

use super::{Event, Parcel};
use crate::client::Outgoing;
use crate::content::{File, Kind};
use crate::lane::Lane;
use crate::ledger::{Cause, Ledger, Live};
use crate::network::{Carried, Path, damage};
use crate::queue::Queue;
use crate::rng::{Rng, mix};
use crate::scenario::{Scenario, Server};
use crate::switch::Switch;
use crate::trace::{Trace, describe};

#[derive(Debug)]
pub struct Shard {
    pub now: Nanos,
    pub queue: Queue<Event>,
    pub ledger: Ledger,
    pub trace: Trace,
    /// Why the endpoint is running.
    pub cause: Cause,
    /// Files waiting to be opened.
    pub waiting: usize,
    /// Transfers that wait for the disk.
    pub parked: HashSet<Ticket>,
    server: Server,
    files: HashMap<String, Arc<File>>,
    /// To and from each client.
    paths: Vec<[Path; 2]>,
    /// In front of each client, or one in front of all; none where no link is narrow.
    switches: Vec<Switch>,
    /// The fetch whose datagram the endpoint is looking at.
    fetch: u32,
    rng: Rng,
}

/// An opened file, as it was then.
#[derive(Debug)]
pub struct Image {
    pub file: Option<Arc<File>>,
    version: usize,
}

impl Image {
    pub fn forbidden(&self) -> bool {
        let kind = self.file.as_ref().map(|file| &file.kind);
        matches!(kind, Some(Kind::Forbidden))
    }
}

impl Shard {
    pub fn new(scenario: &Scenario, trace: Trace) -> Self {
        let mut rng = scenario.rng.clone();
        let mut path = |to_server| Path::new(scenario.weather, to_server, rng.fork());
        let paths = scenario.clients.iter().map(|_| [path(true), path(false)]);
        let paths = paths.collect();
        let files = scenario.files.iter();
        let switches = scenario.weather.bottleneck.iter().flat_map(|&link| {
            let count = if link.shared {
                1
            } else {
                scenario.clients.len()
            };
            (0..count).map(move |_| Switch::new(link))
        });
        Self {
            now: Nanos::ZERO,
            queue: Queue::new(),
            ledger: Ledger::new(scenario),
            trace,
            cause: Cause::Timer,
            waiting: 0,
            parked: HashSet::new(),
            server: scenario.server,
            files: files
                .map(|file| (file.name.clone(), Arc::clone(file)))
                .collect(),
            paths,
            switches: switches.collect(),
            fetch: 0,
            rng,
        }
    }

    /// 0 in single-port mode.
    pub const fn data_sockets(&self) -> u16 {
        self.server.data_sockets
    }

    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The lane that a datagram belongs to: requests are answered by another socket, always the
    /// same for one peer.
    pub const fn lane_of(&self, arrived: Lane) -> Lane {
        let sockets = self.server.data_sockets as u64;
        if arrived.socket != 0 || sockets == 0 {
            return arrived;
        }
        let hash = mix(((arrived.client as u64) << 16) | arrived.port as u64);
        Lane {
            socket: 1 + (hash % sockets) as u16,
            ..arrived
        }
    }

    /// A datagram arrived and is about to be given to the endpoint.
    pub fn delivered(&mut self, parcel: &Parcel, lane: Lane) {
        self.fetch = parcel.fetch;
        self.cause = self.ledger.delivered(parcel, lane);
    }

    pub fn carry_to_server(&mut self, client: u32, outgoing: Outgoing) {
        let lane = Lane {
            client,
            port: outgoing.from,
            socket: outgoing.to,
        };
        let carried = self.paths[client as usize][0].carry(outgoing.at);
        let harms = carried.harms + u32::from(outgoing.again);
        self.ledger.harm(self.lane_of(lane), harms, carried.lost);
        for copy in carried.copies.into_iter().flatten() {
            let parcel = self.parcel(lane, outgoing.fetch, &outgoing.bytes, copy.damaged);
            if copy.damaged {
                self.ledger.taint(outgoing.fetch);
            }
            self.queue.push(copy.at, Event::ToServer(parcel));
        }
    }

    fn carry_to_client(&mut self, lane: Lane, bytes: &[u8]) {
        if lane.is_strangers() {
            self.ledger.answered_stranger(self.now, lane, bytes);
            return;
        }
        let carried = match self.through_switch(lane.client, bytes.len()) {
            Some(at) => self.paths[lane.client as usize][1].carry(at),
            None => Carried::dropped(),
        };
        self.ledger.harm(lane, carried.harms, carried.lost);
        if carried.lost > 0 {
            let what = || format!("lost: {}", describe(bytes));
            self.trace.note(self.now, lane.client, 9, what);
        }
        let fetch = self.ledger.fetch_of(lane).unwrap_or(self.fetch);
        for copy in carried.copies.into_iter().flatten() {
            let parcel = self.parcel(lane, fetch, bytes, copy.damaged);
            self.queue.push(copy.at, Event::ToClient(parcel));
        }
    }

    /// When a datagram has left the narrow link; `None` where its queue was full.
    fn through_switch(&mut self, client: u32, len: usize) -> Option<Nanos> {
        let now = self.now;
        let nth = (client as usize).min(self.switches.len().saturating_sub(1));
        let switch = self.switches.get_mut(nth);
        switch.map_or(Some(now), |switch| switch.pass(now, len))
    }

    fn parcel(&mut self, lane: Lane, fetch: u32, bytes: &[u8], damaged: bool) -> Parcel {
        let mut bytes = bytes.to_vec();
        if damaged {
            damage(&mut bytes, &mut self.rng);
        }
        Parcel {
            lane,
            fetch,
            damaged,
            bytes,
        }
    }

    /// The client's host says that nobody listens on that port.
    pub fn send_icmp(&mut self, lane: Lane) {
        let carried = self.paths[lane.client as usize][0].carry(self.now);
        if let Some(copy) = carried.copies[0] {
            self.queue.push(copy.at, Event::Unreachable(lane));
        }
    }

    /// Cuts a train where the socket's buffer is full; the rest has to wait.
    fn put_off(&mut self, train: &Train) -> u32 {
        let count = train.blocks.count;
        if self.cause == Cause::Repeat || !self.rng.chance(self.server.congestion) {
            return count;
        }
        let sent = self.rng.below(u64::from(count)) as u32;
        let rest = BlockRange {
            first: train.blocks.first + u64::from(sent),
            count: count - sent,
        };
        let later = self.now + Nanos(1) + self.rng.span(Nanos::from_millis(4));
        self.ledger.put_off(train.ticket, rest.count);
        self.queue.push(later, Event::Repeat(train.ticket, rest));
        sent
    }

    fn render(&self, file: &File, opened: usize, train: &Train, block: u64) -> Vec<u8> {
        let blksize = u64::from(train.blksize);
        let offset = (block - 1) * blksize;
        let len = file.wire_size().saturating_sub(offset).min(blksize) as usize;
        let mut bytes = Vec::with_capacity(len + 16);
        bytes.extend_from_slice(&data_header(train.rollover.wire(block)));
        // A mapping shows what is in the file now.
        let version = opened.max(file.version(self.now));
        file.read(version, offset, len, &mut bytes);
        bytes
    }
}

impl Effects for Shard {
    type Image = Image;

    fn send_blocks(&mut self, route: &Route, image: &Image, train: Train) {
        let lane = Lane::of(route);
        let Some(file) = &image.file else {
            self.ledger
                .blame_world("blocks of a file that is not there");
            return;
        };
        let (cause, blocks) = (self.cause, train.blocks);
        self.trace.note(self.now, lane.client, blocks.first, || {
            let (first, last) = (blocks.first, blocks.last());
            format!(":{} {cause:?}: blocks {first} to {last}", lane.port)
        });
        self.ledger.train(self.now, cause, &train);
        let sent = self.put_off(&train);
        for block in blocks.first..blocks.first + u64::from(sent) {
            let bytes = self.render(file, image.version, &train, block);
            self.carry_to_client(lane, &bytes);
        }
        if self.rng.chance(self.server.unreadable) {
            self.ledger.excuse(train.ticket);
            self.queue.push(self.now, Event::Unreadable(train.ticket));
        }
    }

    fn resident(&mut self, _: Nanos, _: &Image, train: Train) -> bool {
        if self.parked.contains(&train.ticket) {
            if self.cause == Cause::Loaded {
                return self.parked.remove(&train.ticket);
            }
            let again = self.cause == Cause::Repeat;
            self.ledger
                .still_parked(train.ticket, train.blocks.count, again);
            return false;
        }
        // What met a full socket buffer was in memory a moment ago.
        if self.cause == Cause::Repeat || !self.rng.chance(self.server.cold) {
            return true;
        }
        let later = self.now + Nanos(1) + self.rng.span(self.server.disk_delay);
        self.ledger.parked(train.ticket, train.blocks.count);
        self.parked.insert(train.ticket);
        self.queue.push(later, Event::Loaded(train.ticket));
        false
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        let (lane, cause) = (Lane::of(route), self.cause);
        self.trace
            .note(self.now, lane.client, packet.len() as u64, || {
                format!(":{} {cause:?}: {}", lane.port, describe(packet))
            });
        self.ledger.packet(self.now, cause, lane, packet);
        self.carry_to_client(lane, packet);
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        let name = String::from_utf8_lossy(request.name);
        let name = name.trim_start_matches(['/', '\\']);
        let file = self.files.get(name).cloned();
        let queued = self.waiting < self.server.open_queue;
        let size = file.as_ref().map_or(0, |file| file.wire_size());
        let live = Live::new(self.now, request.ticket, self.fetch, size, queued);
        self.ledger.admitted(Lane::of(request.route), live);
        if queued {
            self.waiting += 1;
            let at = self.now + Nanos(1) + self.rng.span(self.server.open_delay);
            let version = file.as_ref().map_or(0, |file| file.version(at));
            let image = Image { file, version };
            self.queue.push(at, Event::Opened(request.ticket, image));
        }
        queued
    }

    fn unchanged(&mut self, image: &Image) -> bool {
        let present = image.file.as_ref().map(|file| file.version(self.now));
        present == Some(image.version)
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<Image>) {
        let lane = Lane::of(report.route);
        self.trace.note(self.now, lane.client, report.bytes, || {
            let outcome = report.outcome.as_str();
            format!(":{} report: {outcome} {}", lane.port, report.reason)
        });
        self.ledger.finished(self.cause, report);
    }
}
