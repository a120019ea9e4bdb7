//! One farm in virtual time: the real endpoint between simulated clients, network and shard.
//! It never sleeps and never looks at a clock.

mod shard;
mod strangers;

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

use ringboot::endpoint::{Datagram, Endpoint, Local, Opened, Refusal, Route, SocketId, Ticket};
use ringboot::transfer::{BlockRange, Nanos};
use ringboot::wire::ErrorCode;

use crate::client::{Client, Out};
use crate::lane::Lane;
use crate::ledger::{Cause, Fault, Totals};
use crate::scenario::Scenario;
use crate::trace::{Trace, describe};
use shard::{Image, Shard};

/// What will happen.
#[derive(Debug)]
pub enum Event {
    ToServer(Parcel),
    ToClient(Parcel),
    ClientTimer(u32),
    Opened(Ticket, Image),
    /// ICMP came back from a client's closed port.
    Unreachable(Lane),
    /// The socket has room again for blocks that were put off.
    Repeat(Ticket, BlockRange),
    /// What a transfer waited for is in memory.
    Loaded(Ticket),
    Unreadable(Ticket),
    Shutdown,
}

/// A datagram under way.
#[derive(Debug)]
pub struct Parcel {
    pub lane: Lane,
    /// The fetch that it belongs to; 0 for a stranger's.
    pub fetch: u32,
    pub damaged: bool,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct World {
    endpoint: Endpoint<Image, BuildHasherDefault<DefaultHasher>>,
    shard: Shard,
    clients: Vec<Client>,
    lateness: Nanos,
    max_blksize: u16,
    now: Nanos,
    /// When the server last heard or was given anything.
    last_input: Nanos,
}

/// How a world went.
#[derive(Debug)]
pub struct Ending {
    pub totals: Totals,
    pub fingerprint: u64,
    pub fault: Option<Fault>,
    pub trace: Trace,
}

/// The core must have fallen silent so long after its last input: its patience, or five times the
/// longest `timeout` that a client asks for, and the horizon of the timer wheel.
const SILENT_AFTER: Nanos = Nanos::from_secs(40);

/// Far more than the longest world needs.
const EVENTS_MAX: u64 = 30_000_000;

/// More than ever happen at the same instant.
const EVENTS_AT_ONCE_MAX: u64 = 50_000;

pub fn run(scenario: Scenario, readable: bool) -> Ending {
    let mut world = World::new(scenario, readable);
    world.run();
    world.ending()
}

impl World {
    fn new(scenario: Scenario, readable: bool) -> Self {
        let server = scenario.server;
        let mut world = Self {
            // Time does not begin at zero: a boot was long ago.
            now: Nanos::from_secs(1),
            last_input: Nanos::ZERO,
            endpoint: Endpoint::new(
                server.policy,
                BuildHasherDefault::default(),
                Nanos::from_secs(1),
            ),
            lateness: server.lateness,
            max_blksize: server.max_blksize,
            shard: Shard::new(&scenario, Trace::new(readable)),
            clients: scenario.clients,
        };
        for id in 0..world.clients.len() {
            world.arm(id as u32);
        }
        if let Some(at) = scenario.shutdown_at {
            world.shard.queue.push(world.now + at, Event::Shutdown);
        }
        strangers::schedule(&mut world, scenario.strangers);
        world
    }

    fn run(&mut self) {
        let (mut events, mut stood_still) = (0, 0);
        while self.shard.ledger.fault.is_none() {
            let before = self.now;
            if !self.step() {
                break;
            }
            events += 1;
            stood_still = if self.now > before {
                0
            } else {
                stood_still + 1
            };
            if events > EVENTS_MAX || stood_still > EVENTS_AT_ONCE_MAX {
                self.shard.ledger.blame_world("the world does not end");
            }
        }
        let (active, deadline) = (self.endpoint.active(), self.endpoint.next_deadline());
        self.shard.ledger.finale(active, deadline);
    }

    fn ending(self) -> Ending {
        Ending {
            totals: self.shard.ledger.totals,
            fingerprint: self.shard.trace.fingerprint,
            fault: self.shard.ledger.fault,
            trace: self.shard.trace,
        }
    }

    /// The next event or timer; `false` when there is none left.
    fn step(&mut self) -> bool {
        let timer = self.endpoint.next_deadline();
        let timer = timer.map(|at| at.max(self.now) + self.lateness);
        match (timer, self.shard.queue.next_at()) {
            (None, None) => return false,
            (Some(timer), event) if event.is_none_or(|event| timer < event) => self.advance(timer),
            _ => {
                if let Some((at, event)) = self.shard.queue.pop() {
                    self.now = at;
                    self.shard.now = at;
                    self.happen(event);
                }
            }
        }
        true
    }

    fn advance(&mut self, at: Nanos) {
        self.now = at;
        self.shard.now = at;
        self.shard.cause = Cause::Timer;
        self.endpoint.advance(at, &mut self.shard);
        if at - self.last_input > SILENT_AFTER && self.endpoint.active() > 0 {
            self.shard
                .ledger
                .blame_world("the server is busy with nobody");
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToServer(parcel) => self.reach_server(&parcel),
            Event::ToClient(parcel) => self.reach_client(&parcel),
            Event::ClientTimer(id) => self.client_timer(id),
            Event::Opened(ticket, image) => self.opened(ticket, image),
            Event::Unreachable(lane) => {
                self.shard.cause = Cause::Icmp;
                let socket = SocketId(lane.socket);
                self.endpoint
                    .unreachable(self.now, lane.peer(), socket, &mut self.shard);
            }
            Event::Repeat(ticket, blocks) => {
                self.shard.cause = Cause::Repeat;
                self.endpoint
                    .repeat(self.now, ticket, blocks, &mut self.shard);
            }
            Event::Loaded(ticket) => {
                self.last_input = self.now;
                self.shard.cause = Cause::Loaded;
                self.endpoint.loaded(self.now, ticket, &mut self.shard);
                self.shard.parked.remove(&ticket);
            }
            Event::Unreadable(ticket) => {
                self.shard.cause = Cause::Abort;
                self.endpoint.unreadable(self.now, ticket, &mut self.shard);
            }
            Event::Shutdown => self.shut_down(),
        }
    }

    /// Nobody may come in any more, and everybody inside is told to go.
    fn shut_down(&mut self) {
        self.shard.cause = Cause::Abort;
        self.shard.ledger.shutdown();
        self.endpoint.drain();
        self.endpoint.abort_all(self.now, &mut self.shard);
        if self.endpoint.active() != 0 {
            self.shard
                .ledger
                .blame_world("a transfer outlived the shutdown");
        }
    }

    fn reach_server(&mut self, parcel: &Parcel) {
        self.last_input = self.now;
        let listening = parcel.lane.socket == 0;
        let lane = self.shard.lane_of(parcel.lane);
        self.note(parcel, "->", "");
        self.shard.delivered(parcel, lane);
        let datagram = Datagram {
            route: Route {
                peer: lane.peer(),
                local: Local::default(),
                socket: SocketId(lane.socket),
            },
            listening,
            carries_data: !listening || self.shard.data_sockets() == 0,
            max_blksize: self.max_blksize,
            bytes: &parcel.bytes,
        };
        self.endpoint.datagram(self.now, &datagram, &mut self.shard);
    }

    fn reach_client(&mut self, parcel: &Parcel) {
        let lane = parcel.lane;
        let client = &mut self.clients[lane.client as usize];
        if !client.listens_on(lane.port) {
            if client.answers_by_icmp() {
                self.shard.send_icmp(lane);
            }
            return self.note(parcel, "<-", " (closed port)");
        }
        if let Some(fetch) = client.fetch()
            && (parcel.damaged || fetch != parcel.fetch)
        {
            self.shard.ledger.taint(fetch);
        }
        self.note(parcel, "<-", "");
        let client = &mut self.clients[lane.client as usize];
        let mut out = Out::default();
        client.datagram(self.now, lane.socket, &parcel.bytes, &mut out);
        self.after_client(lane.client, out);
    }

    fn note(&mut self, parcel: &Parcel, arrow: &str, remark: &str) {
        let lane = parcel.lane;
        let fingerprint = fold(&parcel.bytes);
        self.shard
            .trace
            .note(self.now, lane.client, fingerprint, || {
                let what = describe(&parcel.bytes);
                format!(
                    ":{} {arrow} server/{} {what}{remark}",
                    lane.port, lane.socket
                )
            });
    }

    fn client_timer(&mut self, id: u32) {
        let client = &mut self.clients[id as usize];
        client.armed = Nanos::NEVER;
        let mut out = Out::default();
        if client.deadline() <= self.now {
            client.timer(self.now, &mut out);
        }
        self.after_client(id, out);
    }

    fn after_client(&mut self, id: u32, out: Out) {
        for fact in out.facts {
            let habits = &self.clients[id as usize].habits;
            self.shard.trace.note(self.now, id, 7, || {
                format!("client ({}): {fact:?}", habits.name)
            });
            self.shard.ledger.fact(self.now, id, habits, fact);
        }
        for outgoing in out.sends {
            self.shard.carry_to_server(id, outgoing);
        }
        self.arm(id);
    }

    /// Has the client looked at when its timer fires. A later deadline needs no new event.
    fn arm(&mut self, id: u32) {
        let client = &mut self.clients[id as usize];
        let deadline = client.deadline();
        if deadline < client.armed {
            client.armed = deadline;
            let at = deadline.max(self.now);
            self.shard.queue.push(at, Event::ClientTimer(id));
        }
    }

    fn opened(&mut self, ticket: Ticket, image: Image) {
        self.last_input = self.now;
        self.shard.waiting -= 1;
        self.shard.cause = Cause::Opened;
        let refusal = |code, text| Refusal {
            code,
            text,
            reason: text,
        };
        let result = match &image.file {
            Some(file) if file.exists() => Ok(Opened {
                size: file.wire_size(),
                image,
            }),
            Some(_) if image.forbidden() => Err(refusal(ErrorCode::ACCESS_VIOLATION, "no")),
            _ => Err(refusal(ErrorCode::NOT_FOUND, "not found")),
        };
        self.endpoint
            .opened(self.now, ticket, result, &mut self.shard);
    }
}

/// A short fingerprint of a datagram.
fn fold(bytes: &[u8]) -> u64 {
    let head = bytes.iter().take(16);
    head.fold(bytes.len() as u64, |sum, &byte| {
        sum.wrapping_mul(257) + u64::from(byte)
    })
}
