//! Farms that share a stream over a network that loses packets, as atftp's client behaves.

use std::collections::{BTreeSet, VecDeque};
use std::hash::RandomState;
use std::vec::Vec;

use super::super::{
    Counters, Datagram, Doing, Effects, Endpoint, GroupRange, Local, OpenRequest, Opened, Outcome,
    Peer, Policy, Report, Route, SocketId, Ticket, Train,
};
use crate::transfer::Nanos;
use crate::wire::packet::ack;
use crate::wire::{OptionName, Packet, decode};

const BLKSIZE: u64 = 512;
const T0: Nanos = Nanos::from_secs(1);
const HOP: Nanos = Nanos::from_micros(100);
/// After so long without a packet atftp repeats what it said last.
const CLIENT_TIMEOUT: Nanos = Nanos::from_secs(5);

/// A farm of `machines`, one file of `size` bytes, and a share of `loss` in 1,000 packets lost.
struct Farm {
    endpoint: Endpoint<(), RandomState>,
    outside: Outside,
    machines: Vec<Machine>,
    /// Packets to the machines and to the server, by their time of arrival.
    to_machines: VecDeque<(Nanos, Option<usize>, Vec<u8>)>,
    to_server: VecDeque<(Nanos, usize, Vec<u8>)>,
    now: Nanos,
    loss: u64,
    rng: u64,
}

#[derive(Default)]
struct Outside {
    unicast: Vec<(u16, Vec<u8>)>,
    multicast: Vec<Vec<u8>>,
    opens: Vec<Ticket>,
    ended: Vec<(u16, Outcome)>,
    images_back: usize,
    size: u64,
    blocks_sent: u64,
    changed: bool,
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, route: &Route, (): &(), train: Train) {
        assert!(route.peer.ip().is_multicast(), "{route:?}");
        assert_eq!(train.blocks.count, 1);
        self.blocks_sent += 1;
        let last = self.size / BLKSIZE + 1;
        let block = train.blocks.first;
        let len = if block == last {
            self.size % BLKSIZE
        } else {
            BLKSIZE
        };
        let mut packet = vec![0, 3];
        packet.extend_from_slice(&train.rollover.wire(block).to_be_bytes());
        packet.resize(4 + usize::try_from(len).expect("small"), 7);
        self.multicast.push(packet);
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        self.unicast.push((route.peer.port(), packet.to_vec()));
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.opens.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        !self.changed
    }

    fn same(&self, (): &(), (): &()) -> bool {
        true
    }

    fn finished(&mut self, report: &Report<'_>, image: Option<()>) {
        self.images_back += usize::from(image.is_some());
        self.ended.push((report.route.peer.port(), report.outcome));
    }
}

/// What atftp's client knows.
#[derive(Default)]
struct Machine {
    joined: bool,
    master: bool,
    has: BTreeSet<u64>,
    last: Option<u64>,
    done: bool,
    gone: bool,
    heard_at: Nanos,
}

impl Machine {
    /// The blocks from the first on without a hole.
    fn contiguous(&self) -> u64 {
        (1..)
            .find(|block| !self.has.contains(block))
            .map_or(0, |hole| hole - 1)
    }

    /// The ACK of a master, and whether it is its last word.
    fn acknowledge(&mut self) -> Vec<u8> {
        let block = self.contiguous();
        self.done |= self.last == Some(block);
        ack(u16::try_from(block).expect("no wrap")).to_vec()
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        match decode(bytes).expect("a packet") {
            Packet::Oack(oack) => {
                let group = oack.get(OptionName::Multicast).expect("an invitation");
                self.joined = true;
                self.master = group.ends_with(b",1");
            }
            Packet::Data { block, payload } if self.joined => {
                self.has.insert(u64::from(block));
                if (payload.len() as u64) < BLKSIZE {
                    self.last = Some(u64::from(block));
                }
            }
            _ => return None,
        }
        self.master.then(|| self.acknowledge())
    }
}

const FIRST_PORT: u16 = 2000;

impl Farm {
    fn new(machines: usize, size: u64, loss: u64) -> Self {
        let policy = Policy {
            groups: Some(GroupRange {
                v4: Some(("239.255.0.1".parse().expect("an address"), 4)),
                v6: None,
                port: 1758,
                gather: Nanos::from_secs(6),
            }),
            ..Policy::default()
        };
        Self {
            endpoint: Endpoint::new(policy, RandomState::new(), T0),
            outside: Outside {
                size,
                ..Outside::default()
            },
            machines: (0..machines).map(|_| Machine::default()).collect(),
            to_machines: VecDeque::new(),
            to_server: VecDeque::new(),
            now: T0,
            loss,
            rng: 0x9e37_79b9_7f4a_7c15 ^ loss,
        }
    }

    fn lost(&mut self) -> bool {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng % 1000 < self.loss
    }

    /// All machines ask at once.
    fn power_on(&mut self) {
        for nth in 0..self.machines.len() {
            self.ask(nth);
        }
    }

    fn ask(&mut self, nth: usize) {
        self.machines[nth].heard_at = self.now;
        let request = b"\0\x01kernel\0octet\0multicast\0\0".to_vec();
        self.to_server.push_back((self.now + HOP, nth, request));
    }

    /// Runs until nothing is left to do, or the time is over.
    fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.now < end && self.machines.iter().any(|it| !it.done && !it.gone) {
            self.step();
        }
        self.settle(end);
    }

    /// The last ACKs arrive, or their loss is noticed.
    fn settle(&mut self, end: Nanos) {
        while self.now < end && self.endpoint.active() > 0 {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now = self.now + HOP;
        while self.to_server.front().is_some_and(|it| it.0 <= self.now) {
            let (_, nth, bytes) = self.to_server.pop_front().expect("checked");
            if !self.lost() {
                self.deliver(nth, &bytes);
            }
        }
        self.endpoint.advance(self.now, &mut self.outside);
        self.collect();
        while self.to_machines.front().is_some_and(|it| it.0 <= self.now) {
            let (_, to, bytes) = self.to_machines.pop_front().expect("checked");
            match to {
                Some(nth) => self.arrive(nth, &bytes),
                None => (0..self.machines.len()).for_each(|nth| self.arrive(nth, &bytes)),
            }
        }
        self.repeat_silent();
    }

    fn deliver(&mut self, nth: usize, bytes: &[u8]) {
        let port = FIRST_PORT + u16::try_from(nth).expect("few");
        let peer = Peer::from(std::net::SocketAddr::from(([10, 0, 0, 9], port)));
        let datagram = Datagram {
            route: Route {
                peer,
                local: Local::default(),
                socket: SocketId(1),
            },
            listening: true,
            carries_data: true,
            max_blksize: 1468,
            bytes,
        };
        self.endpoint
            .datagram(self.now, &datagram, &mut self.outside);
        for ticket in std::mem::take(&mut self.outside.opens) {
            let opened = Opened {
                image: (),
                size: self.outside.size,
            };
            self.endpoint
                .opened(self.now, ticket, Ok(opened), &mut self.outside);
        }
    }

    fn collect(&mut self) {
        for (port, bytes) in std::mem::take(&mut self.outside.unicast) {
            let nth = usize::from(port - FIRST_PORT);
            self.to_machines
                .push_back((self.now + HOP, Some(nth), bytes));
        }
        for bytes in std::mem::take(&mut self.outside.multicast) {
            self.to_machines.push_back((self.now + HOP, None, bytes));
        }
    }

    fn arrive(&mut self, nth: usize, bytes: &[u8]) {
        if self.lost() {
            return;
        }
        let machine = &mut self.machines[nth];
        if machine.gone {
            return;
        }
        if machine.done {
            // Its port is closed: the kernel says so to whoever sends to it alone.
            if !bytes.starts_with(&[0, 3]) {
                let port = FIRST_PORT + u16::try_from(nth).expect("few");
                let peer = Peer::from(std::net::SocketAddr::from(([10, 0, 0, 9], port)));
                self.endpoint
                    .unreachable(self.now, peer, SocketId(1), &mut self.outside);
            }
            return;
        }
        machine.heard_at = self.now;
        if let Some(answer) = machine.hear(bytes) {
            self.to_server.push_back((self.now + HOP, nth, answer));
        }
    }

    fn repeat_silent(&mut self) {
        for nth in 0..self.machines.len() {
            let machine = &mut self.machines[nth];
            if machine.done || machine.gone || self.now - machine.heard_at < CLIENT_TIMEOUT {
                continue;
            }
            machine.heard_at = self.now;
            if machine.master {
                let answer = machine.acknowledge();
                self.to_server.push_back((self.now + HOP, nth, answer));
            } else if machine.has.is_empty() {
                self.ask(nth);
            }
        }
    }

    fn outcomes(&self, wanted: Outcome) -> usize {
        self.outside
            .ended
            .iter()
            .filter(|(_, outcome)| *outcome == wanted)
            .count()
    }
}

#[test]
fn a_farm_without_loss_costs_one_copy() {
    let mut farm = Farm::new(50, 200_000, 0);
    farm.power_on();
    farm.run(Nanos::from_secs(60));
    assert_eq!(farm.outcomes(Outcome::Completed), 50);
    assert_eq!(farm.outside.blocks_sent, 200_000 / BLKSIZE + 1);
    assert_eq!(farm.endpoint.active(), 0);
    assert_eq!(
        farm.outside.images_back, 1,
        "the content goes with its last member"
    );
    let Counters {
        malformed,
        unknown_tid,
        ..
    } = farm.endpoint.counters();
    assert_eq!((malformed, unknown_tid), (0, 0));
}

#[test]
fn one_percent_of_loss_costs_half_a_copy_at_most() {
    let mut farm = Farm::new(50, 1_000_000, 10);
    farm.power_on();
    farm.run(Nanos::from_secs(120));
    assert!(farm.machines.iter().all(|machine| machine.done));
    let copies = farm.outside.blocks_sent as f64 / (1_000_000 / BLKSIZE + 1) as f64;
    assert!(copies <= 1.5, "{copies} copies");
    assert_eq!(farm.endpoint.active(), 0);
}

#[test]
fn vanished_members_do_not_hold_up_the_others() {
    let mut farm = Farm::new(20, 100_000, 10);
    farm.power_on();
    for nth in 0..10 {
        farm.machines[nth * 2].gone = true;
    }
    farm.run(Nanos::from_secs(60));
    assert!(
        farm.machines
            .iter()
            .all(|machine| machine.done != machine.gone)
    );
    assert_eq!(farm.outcomes(Outcome::TimedOut), 10);
    assert_eq!(farm.endpoint.active(), 0);
}

#[test]
fn a_latecomer_hears_the_rest_and_asks_for_the_beginning() {
    let mut farm = Farm::new(2, 512 * 100, 0);
    farm.ask(0);
    let alone_at = farm.now;
    while farm.machines[0].contiguous() < 50 {
        farm.step();
    }
    let waited = farm.now - alone_at;
    assert!(waited < Nanos::from_secs(2), "one alone waited {waited:?}");
    farm.ask(1);
    farm.run(Nanos::from_secs(10));
    assert_eq!(farm.outcomes(Outcome::Completed), 2);
    let sent = farm.outside.blocks_sent;
    assert!((101..=101 + 60).contains(&sent), "{sent} blocks");
}

#[test]
fn a_changed_file_ends_the_stream_for_all() {
    let mut farm = Farm::new(5, 10_000, 0);
    farm.outside.changed = true;
    farm.power_on();
    while farm.now < T0 + Nanos::from_secs(8) {
        farm.step();
    }
    assert_eq!(farm.outcomes(Outcome::Aborted), 5);
    assert_eq!((farm.endpoint.active(), farm.outside.images_back), (0, 1));
}

/// What an operator sees of each member is what it has, but for blocks under way.
#[test]
fn each_member_shows_how_far_it_is() {
    let mut farm = Farm::new(3, 100 * BLKSIZE + 10, 0);
    farm.ask(0);
    farm.ask(1);
    while farm.machines[0].has.len() < 50 {
        farm.step();
    }
    farm.ask(2);
    while farm.machines[2].has.len() < 30 {
        farm.step();
    }
    let mut masters = 0;
    let mut seen = 0;
    farm.endpoint.survey(0, 16, &mut |glimpse| {
        let nth = usize::from(glimpse.peer.port() - FIRST_PORT);
        let has = farm.machines[nth].has.len() as u64 * BLKSIZE;
        let (bytes, doing) = (glimpse.bytes, glimpse.doing);
        assert!(
            bytes.abs_diff(has) <= 2 * BLKSIZE,
            "{nth}: {bytes}, has {has}"
        );
        assert!(
            farm.now - glimpse.progress_at < HOP.times(10),
            "{nth} gets on"
        );
        masters += usize::from(doing == Doing::Sending);
        seen += 1;
    });
    assert_eq!((seen, masters), (3, 1));
}
