//! Farms that upload: many clients, few names, a bad network, a slow disk. Every upload that a client
//! believes in is on the disk, whole and equal, and no name has two winners.
//! It never touches a file: the disk is a table, with delays.

mod client;
mod disk;

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;

use ringboot::endpoint::{Datagram, Endpoint, Local, Peer, Policy, Route, SocketId, Ticket};
use ringboot::limits::DALLY;
use ringboot::transfer::Nanos;

use crate::network::{Path, Weather};
use crate::queue::Queue;
use crate::rng::{Rng, mix};
use client::{Client, End};
use disk::{Deed, Disk};

/// Uploads of the normal run.
const UPLOADS: usize = 5_000;

#[test]
fn thousands_of_uploads_arrive_whole_and_every_name_has_one_winner() {
    let (mut uploads, mut won, mut lost, mut seed) = (0, 0, 0, 0);
    while uploads < UPLOADS {
        let farm = Farm::new(mix(seed)).run();
        let ends = farm.check(seed);
        uploads += ends.0 + ends.1;
        won += ends.0;
        lost += ends.1;
        seed += 1;
    }
    println!("{uploads} uploads in {seed} worlds: {won} stored, {lost} came too late");
    assert!(won > UPLOADS / 4 && lost > UPLOADS / 20, "{won} {lost}");
}

#[test]
fn the_same_seed_gives_the_same_uploads() {
    for seed in 0..20 {
        let [one, other] = [(), ()].map(|()| Farm::new(mix(seed)).run());
        assert_eq!((one.now, one.datagrams), (other.now, other.datagrams));
    }
}

enum Event {
    ToServer(usize, Vec<u8>),
    ToClient(usize, Vec<u8>),
    ClientTimer(usize),
    Created(Ticket),
    Stored(Ticket),
    Room(Ticket),
    ServerTimer,
}

struct Farm {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    disk: Disk,
    clients: Vec<Client>,
    up: Path,
    down: Path,
    events: Queue<Event>,
    now: Nanos,
    datagrams: u64,
    rng: Rng,
}

impl Farm {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let weather = weather(&mut rng);
        let names = rng.between(1, 20);
        let clients = (0..rng.between(1, 40))
            .map(|number| Client::new(number as u16, rng.below(names), &mut rng))
            .collect();
        let policy = Policy {
            uploads: true,
            max_windowsize: *rng.pick(&[1, 8, 64]),
            ..Policy::default()
        };
        let mut farm = Self {
            endpoint: Endpoint::new(policy, BuildHasherDefault::default(), Nanos::ZERO),
            disk: Disk::new(&mut rng),
            clients,
            up: Path::new(weather, true, rng.fork()),
            down: Path::new(weather, false, rng.fork()),
            events: Queue::new(),
            now: Nanos::ZERO,
            datagrams: 0,
            rng,
        };
        for number in 0..farm.clients.len() {
            let at = farm.rng.span(Nanos::from_millis(200));
            farm.events.push(at, Event::ClientTimer(number));
        }
        farm
    }

    fn run(mut self) -> Self {
        while let Some((at, event)) = self.events.pop() {
            self.now = self.now.max(at);
            self.happen(event);
            self.do_deeds();
            if let Some(deadline) = self.endpoint.next_deadline() {
                self.events.push(deadline.max(self.now), Event::ServerTimer);
            }
            assert!(self.now < Nanos::from_secs(3_600), "an upload without end");
        }
        self
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::ToServer(client, bytes) => {
                let datagram = Datagram {
                    route: Route {
                        peer: peer(client),
                        local: Local::default(),
                        socket: SocketId(0),
                    },
                    listening: true,
                    carries_data: true,
                    max_blksize: 1468,
                    bytes: &bytes,
                };
                self.endpoint.datagram(now, &datagram, &mut self.disk);
            }
            Event::ToClient(client, bytes) => {
                let mut out = Vec::new();
                self.clients[client].hear(now, &bytes, &mut out);
                self.send_up(client, out);
            }
            Event::ClientTimer(client) => {
                let mut out = Vec::new();
                self.clients[client].wake(now, &mut out);
                self.send_up(client, out);
            }
            Event::Created(ticket) => {
                if let Some(result) = self.disk.made(ticket) {
                    self.endpoint.created(now, ticket, result, &mut self.disk);
                }
            }
            Event::Stored(ticket) => {
                if let Some(result) = self.disk.store_for_good(ticket) {
                    self.endpoint.stored(now, ticket, result, &mut self.disk);
                }
            }
            Event::Room(ticket) => self.endpoint.room(now, ticket, &mut self.disk),
            Event::ServerTimer => {
                if self.endpoint.next_deadline().is_some_and(|at| at <= now) {
                    self.endpoint.advance(now, &mut self.disk);
                }
            }
        }
    }

    fn send_up(&mut self, client: usize, packets: Vec<Vec<u8>>) {
        for bytes in packets {
            self.datagrams += 1;
            for copy in self.up.carry(self.now).copies.into_iter().flatten() {
                self.events
                    .push(copy.at, Event::ToServer(client, bytes.clone()));
            }
        }
        if let Some(at) = self.clients[client].deadline() {
            self.events.push(at, Event::ClientTimer(client));
        }
    }

    /// What the endpoint asked for.
    fn do_deeds(&mut self) {
        for deed in std::mem::take(&mut self.disk.deeds) {
            match deed {
                Deed::Send(to, bytes) => {
                    self.datagrams += 1;
                    let client = usize::from(to.port()) - 2_000;
                    for copy in self.down.carry(self.now).copies.into_iter().flatten() {
                        self.events
                            .push(copy.at, Event::ToClient(client, bytes.clone()));
                    }
                }
                Deed::Create(ticket, after) => {
                    self.events.push(self.now + after, Event::Created(ticket));
                }
                Deed::Commit(ticket, after) => {
                    self.events.push(self.now + after, Event::Stored(ticket));
                }
                Deed::Room(ticket, after) => {
                    self.events.push(self.now + after, Event::Room(ticket));
                }
            }
        }
    }

    /// What must be true in the end. How many uploads were stored, and how many came too late.
    fn check(&self, seed: u64) -> (usize, usize) {
        assert_eq!(self.endpoint.active(), 0, "world {seed}: something is left");
        assert_eq!(self.endpoint.next_deadline(), None, "world {seed}");
        assert_eq!(self.disk.under_way(), 0, "world {seed}: a part is left");
        let (mut won, mut lost) = (0, 0);
        for (number, client) in self.clients.iter().enumerate() {
            let stored = self.disk.file(client.name).expect("somebody stored it");
            match client.end {
                Some(End::Done) => {
                    assert_eq!(stored.by, peer(number), "world {seed}: two winners");
                    assert!(stored.content == client.content, "world {seed}: not equal");
                    won += 1;
                }
                // 5, where the ERROR 6 before it was lost.
                Some(End::Refused(5 | 6)) => {
                    assert_ne!(stored.by, peer(number), "world {seed}: refused, and stored");
                    lost += 1;
                }
                ref other => panic!("world {seed}, client {number}: {other:?}"),
            }
        }
        assert_eq!(won, self.disk.files(), "world {seed}: one winner a name");
        assert_eq!(self.disk.completed, won, "world {seed}: reports");
        assert_eq!(
            self.disk.reports, self.disk.asked,
            "world {seed}: one report for each upload"
        );
        (won, lost)
    }
}

fn peer(client: usize) -> Peer {
    SocketAddr::from(([192, 0, 2, 1], 2_000 + client as u16)).into()
}

/// What clients that repeat must get through.
fn weather(rng: &mut Rng) -> Weather {
    Weather {
        loss: *rng.pick(&[0, 0, 1_000, 10_000, 30_000]),
        duplicate: *rng.pick(&[0, 0, 10_000, 50_000]),
        delay: Nanos::from_micros(*rng.pick(&[50, 1_000, 20_000])),
        jitter: Nanos::from_micros(*rng.pick(&[0, 50, 2_000])),
        straggle: *rng.pick(&[0, 0, 10_000, 50_000]),
        straggle_by: Nanos::from_millis(30),
        ..Weather::default()
    }
}

/// How long a client goes on: shorter than the server remembers an upload that is done.
const CLIENT_AGAIN: Nanos = Nanos(DALLY.0 / 8);
