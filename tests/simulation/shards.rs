//! A machine of many cores: endpoints side by side, a steered port 69, and a core's time that is spent
//! by each datagram. It never lets two shards share anything but the port and the rule for broadcasts.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::net::SocketAddr;

use ringboot::endpoint::{
    Datagram, Effects, Endpoint, Local, OpenRequest, Opened, Outcome, Policy, Report, Route,
    SocketId, Ticket, Train,
};
use ringboot::transfer::Nanos;
use ringboot::wire::packet;

use crate::queue::Queue;
use crate::rng::{Rng, mix};

const CLIENTS: u32 = 20_000;
const BLOCKS: u64 = 20;

/// Of a core's time, for a datagram with its answer.
const COST: Nanos = Nanos::from_micros(4);
const PATH: Nanos = Nanos::from_micros(100);

/// How long a client is silent before it repeats itself.
const PATIENCE: Nanos = Nanos::from_secs(1);

/// All of the crowd comes in this time.
const ARRIVAL: Nanos = Nanos::from_millis(50);

/// Of 32 and 64 shards each client meets one alone, whatever it repeats or broadcasts, and the
/// clients are shared out evenly by a hash that knows nothing of them.
#[test]
fn each_client_meets_one_of_many_shards() {
    for shards in [1, 2, 32, 64] {
        let machine = Machine::run(shards, None);
        let served = machine.cores.iter().map(|core| core.outside.completed);
        let (least, most) = served.clone().fold((u32::MAX, 0), |(least, most), count| {
            (least.min(count), most.max(count))
        });
        assert_eq!(served.sum::<u32>(), CLIENTS, "one report for each client");
        assert_eq!(machine.strays(), 0, "{shards} shards: answered by two");
        // One core alone is too slow for this crowd to be served without a resend.
        assert!(
            shards < 32 || machine.resends() == 0,
            "resends without a loss"
        );
        let mean = CLIENTS / shards as u32;
        assert!(
            least * 4 >= mean * 3 && most * 4 <= mean * 5,
            "{shards} shards: {least} to {most} clients, {mean} on average"
        );
    }
}

/// A shard that stands still (a stopped core, a stuck disk below a system call) does not change by a
/// nanosecond when the clients of the others are done; its own come to their end afterwards.
#[test]
fn a_shard_that_stalls_disturbs_no_other() {
    const STALLED: usize = 5;
    for shards in [32, 64] {
        let calm = Machine::run(shards, None);
        let stalled = Machine::run(shards, Some(STALLED));
        let mut later = 0;
        for (before, after) in calm.clients.iter().zip(&stalled.clients) {
            assert!(after.done > Nanos::ZERO, "everybody is served in the end");
            if before.shard == Some(STALLED) {
                later += u32::from(after.done > before.done);
            } else {
                assert_eq!((before.shard, before.done), (after.shard, after.done));
            }
        }
        let own = calm.cores[STALLED].outside.completed;
        assert!(own > 0 && later == own, "{later} of {own} were later");
        assert_eq!(stalled.strays(), 0);
    }
}

enum Event {
    ToServer(To),
    ToClient(usize, Parcel),
    Repeat(u32, u32),
    Timer(usize),
    Opened(usize, Ticket),
}

/// A datagram on its way to a shard's socket: 0 takes requests, 1 carries transfers.
struct To {
    shard: usize,
    socket: u16,
    client: u32,
    bytes: Vec<u8>,
    broadcast: bool,
}

/// A block on its way to a client.
struct Parcel {
    client: u32,
    block: u64,
}

#[derive(Default)]
struct Client {
    /// Who answered first.
    shard: Option<usize>,
    strays: u32,
    newest: u64,
    /// Counts what was sent, so that a timer knows whether it is out of date.
    sent: u32,
    done: Nanos,
}

struct Core {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    outside: Outside,
    free_at: Nanos,
    armed: Nanos,
}

/// What one shard does in a turn.
#[derive(Default)]
struct Outside {
    blocks: Vec<Parcel>,
    opening: Vec<Ticket>,
    completed: u32,
    resends: u32,
}

struct Machine {
    cores: Vec<Core>,
    clients: Vec<Client>,
    queue: Queue<Event>,
    now: Nanos,
}

impl Machine {
    fn run(shards: usize, stalled: Option<usize>) -> Self {
        let now = Nanos::from_secs(1);
        let core = |_| Core {
            endpoint: Endpoint::new(Policy::default(), BuildHasherDefault::default(), now),
            outside: Outside::default(),
            free_at: now,
            armed: Nanos::NEVER,
        };
        let mut machine = Self {
            cores: (0..shards).map(core).collect(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            queue: Queue::new(),
            now,
        };
        if let Some(shard) = stalled {
            machine.cores[shard].free_at = now + Nanos::from_secs(3);
        }
        let mut rng = Rng::new(17);
        for client in 0..CLIENTS {
            let at = now + rng.span(ARRIVAL);
            machine.queue.push(at, Event::Repeat(client, 0));
        }
        while let Some((at, event)) = machine.queue.pop() {
            machine.now = at;
            machine.happen(event);
        }
        machine
    }

    fn strays(&self) -> u32 {
        self.clients.iter().map(|client| client.strays).sum()
    }

    fn resends(&self) -> u32 {
        self.cores.iter().map(|core| core.outside.resends).sum()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToServer(to) => self.arrive(to),
            Event::ToClient(shard, parcel) => self.reach_client(shard, &parcel),
            Event::Repeat(client, sent) => {
                if self.clients[client as usize].sent == sent {
                    self.speak(client);
                }
            }
            Event::Timer(shard) => {
                let at = self.begin(shard);
                let core = &mut self.cores[shard];
                core.armed = Nanos::NEVER;
                core.endpoint.advance(at, &mut core.outside);
                self.end(shard, at);
            }
            Event::Opened(shard, ticket) => {
                let at = self.begin(shard);
                let size = BLOCKS * 512 - 1;
                let opened = Opened { image: (), size };
                let core = &mut self.cores[shard];
                core.endpoint
                    .opened(at, ticket, Ok(opened), &mut core.outside);
                self.end(shard, at);
            }
        }
    }

    /// The client sends its request or its newest ACK, and waits for the answer.
    fn speak(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        client.sent += 1;
        let again = Event::Repeat(number, client.sent);
        self.queue.push(self.now + PATIENCE, again);
        if let Some(shard) = client.shard {
            let bytes = packet::ack(client.newest as u16).to_vec();
            return self.send(shard, 1, number, bytes, false);
        }
        let request = b"\0\x01f\0octet\0".to_vec();
        if broadcasts(number) {
            for shard in 0..self.cores.len() {
                self.send(shard, 0, number, request.clone(), true);
            }
            return;
        }
        let shard = self.steered(number);
        // Some firmware says everything twice.
        for _ in 0..1 + u32::from(number % 10 == 3) {
            self.send(shard, 0, number, request.clone(), false);
        }
    }

    fn send(&mut self, shard: usize, socket: u16, client: u32, bytes: Vec<u8>, broadcast: bool) {
        let to = To {
            shard,
            socket,
            client,
            bytes,
            broadcast,
        };
        self.queue.push(self.now + PATH, Event::ToServer(to));
    }

    /// As the kernel does for a group of sockets: a hash of both ends of the datagram.
    fn steered(&self, client: u32) -> usize {
        (mix(u64::from(client) + 1_000) % self.cores.len() as u64) as usize
    }

    fn arrive(&mut self, to: To) {
        let peer = address(to.client);
        // The rule of `shard/worker.rs`.
        if to.broadcast && usize::from(peer.port()) % self.cores.len() != to.shard {
            return;
        }
        let at = self.begin(to.shard);
        let datagram = Datagram {
            route: Route {
                peer: peer.into(),
                local: Local::default(),
                socket: SocketId(1),
            },
            listening: to.socket == 0,
            carries_data: to.socket == 1,
            max_blksize: 1468,
            bytes: &to.bytes,
        };
        let core = &mut self.cores[to.shard];
        core.endpoint.datagram(at, &datagram, &mut core.outside);
        self.end(to.shard, at);
    }

    /// When the core comes to it.
    fn begin(&self, shard: usize) -> Nanos {
        self.now.max(self.cores[shard].free_at)
    }

    fn end(&mut self, shard: usize, at: Nanos) {
        let core = &mut self.cores[shard];
        core.free_at = at + COST;
        let free_at = core.free_at;
        for parcel in core.outside.blocks.drain(..) {
            let event = Event::ToClient(shard, parcel);
            self.queue.push(free_at + PATH, event);
        }
        for ticket in core.outside.opening.drain(..) {
            let event = Event::Opened(shard, ticket);
            self.queue.push(free_at + PATH, event);
        }
        if let Some(deadline) = core.endpoint.next_deadline()
            && deadline < core.armed
        {
            core.armed = deadline;
            self.queue.push(deadline.max(free_at), Event::Timer(shard));
        }
    }

    fn reach_client(&mut self, shard: usize, parcel: &Parcel) {
        let client = &mut self.clients[parcel.client as usize];
        if *client.shard.get_or_insert(shard) != shard {
            client.strays += 1;
            return;
        }
        if parcel.block != client.newest + 1 {
            return;
        }
        client.newest = parcel.block;
        if parcel.block == BLOCKS {
            client.done = self.now;
        }
        self.speak(parcel.client);
        if parcel.block == BLOCKS {
            // It listens no longer.
            self.clients[parcel.client as usize].sent += 1;
        }
    }
}

const fn broadcasts(client: u32) -> bool {
    client % 10 == 7
}

/// Firmware counts its ports up from a few beginnings.
fn address(client: u32) -> SocketAddr {
    let [_, _, high, low] = client.to_be_bytes();
    let port = 2_070 + (mix(client.into()) % 512) as u16;
    SocketAddr::from(([10, 9, high, low], port))
}

fn client_of(route: &Route) -> u32 {
    match route.peer.to_addr() {
        SocketAddr::V4(addr) => {
            let [_, _, high, low] = addr.ip().octets();
            u32::from(high) << 8 | u32::from(low)
        }
        SocketAddr::V6(_) => panic!("nobody has such an address here"),
    }
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, route: &Route, (): &(), train: Train) {
        self.blocks.push(Parcel {
            client: client_of(route),
            block: train.blocks.first,
        });
    }

    fn send_packet(&mut self, _: &Route, _: &[u8]) {
        // ERROR 5 for a late copy of the last ACK.
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.opening.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<()>) {
        assert_eq!(report.outcome, Outcome::Completed, "{}", report.reason);
        self.completed += 1;
        self.resends += report.resends;
    }
}
