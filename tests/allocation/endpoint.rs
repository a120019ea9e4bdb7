//! The endpoint with two hundred clients on a simulated network that loses packets.
//! It never allocates itself while it counts: its queues have their room from the start.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;

use ringboot::endpoint::{
    Datagram, Effects, Endpoint, OpenRequest, Opened, Policy, Report, Route, Ticket, Train,
};
use ringboot::transfer::Nanos;
use ringboot::wire::packet;

use super::counting::Tally;
use super::datagram::datagram;
use super::rng::Rng;

const CLIENTS: u16 = 200;
const FIRST_PORT: u16 = 2_000;
const STEP: Nanos = Nanos::from_millis(1);

#[test]
fn a_packet_costs_no_allocation() {
    let tally = Tally::leaked();
    let mut farm = Farm::new(1 << 40);
    farm.admit_all();
    // Longer than the timer wheel's horizon, so that stale entries have come and gone.
    farm.run(Nanos::from_secs(20));
    let (packets, resends) = (farm.network.trains, farm.network.resends);

    tally.count_this_thread();
    farm.run(Nanos::from_secs(60));

    let packets = farm.network.trains - packets;
    let resends = farm.network.resends - resends;
    assert!(packets > 100_000, "{packets} trains only");
    assert!(resends > 1_000, "{resends} resends only");
    assert_eq!(
        tally.calls(),
        0,
        "allocations for {packets} trains, {resends} resends"
    );
}

/// Slab, table and wheel keep the memory of a crowd, but not more for each crowd that follows.
#[test]
fn transfers_that_ended_leave_no_memory_behind() {
    let tally = Tally::leaked();
    let mut farm = Farm::new(10_000);
    farm.crowds(50);
    tally.count_this_thread();
    farm.crowds(200);
    assert!(tally.calls() > 0, "a request is copied");
    assert_eq!(tally.held(), 0, "bytes held after 40,000 transfers");
}

struct Farm {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    network: Network,
    now: Nanos,
    size: u64,
}

/// What the endpoint sends, and the clients that it goes to.
struct Network {
    clients: Vec<Client>,
    opening: Vec<Ticket>,
    rng: Rng,
    now: Nanos,
    trains: u64,
    resends: u64,
    finished: u64,
}

#[derive(Default)]
struct Client {
    /// The newest block that arrived.
    received: u64,
    newest_sent: u64,
    /// The next ACK, and when it reaches the server.
    ack: Option<(Nanos, u16)>,
}

impl Farm {
    fn new(size: u64) -> Self {
        let now = Nanos::from_secs(1);
        Self {
            endpoint: Endpoint::new(Policy::default(), BuildHasherDefault::default(), now),
            network: Network {
                clients: (0..CLIENTS).map(|_| Client::default()).collect(),
                opening: Vec::with_capacity(usize::from(CLIENTS)),
                rng: Rng::new(77),
                now,
                trains: 0,
                resends: 0,
                finished: 0,
            },
            now,
            size,
        }
    }

    /// All ask at once: the even ones in lock-step, the odd ones with windows.
    fn admit_all(&mut self) {
        for number in 0..CLIENTS {
            self.network.clients[usize::from(number)] = Client::default();
            let plain = b"\0\x01f\0octet\0blksize\x001024\0";
            let window = b"\0\x01f\0octet\0windowsize\x0016\0";
            let request: &[u8] = if number % 2 == 0 { plain } else { window };
            self.datagram(number, true, request);
        }
        while let Some(ticket) = self.network.opening.pop() {
            let image = ();
            let opened = Opened {
                image,
                size: self.size,
            };
            self.endpoint
                .opened(self.now, ticket, Ok(opened), &mut self.network);
        }
    }

    fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    /// Transfers from the first request to the last ACK, all clients again and again.
    fn crowds(&mut self, count: u64) {
        for _ in 0..count {
            self.admit_all();
            while self.endpoint.active() > 0 {
                self.step();
            }
            // Until the wheel has let go of the last stale entry.
            self.run(Nanos::from_secs(3));
        }
        assert_eq!(self.network.finished % u64::from(CLIENTS), 0);
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        self.network.now = self.now;
        for number in 0..CLIENTS {
            let client = &mut self.network.clients[usize::from(number)];
            if let Some((due, block)) = client.ack
                && due <= self.now
            {
                client.ack = None;
                self.datagram(number, false, &packet::ack(block));
            }
        }
        self.endpoint.advance(self.now, &mut self.network);
    }

    fn datagram(&mut self, number: u16, listening: bool, bytes: &[u8]) {
        let peer = SocketAddr::from(([192, 0, 2, 7], FIRST_PORT + number));
        let datagram = Datagram {
            listening,
            ..datagram(peer, bytes)
        };
        self.endpoint
            .datagram(self.now, &datagram, &mut self.network);
    }
}

impl Network {
    /// One to fifteen milliseconds after now.
    fn later(&mut self) -> Nanos {
        self.now + Nanos::from_millis(1 + self.rng.below(15))
    }
}

impl Effects for Network {
    type Image = ();

    /// One train in thirty is lost, and of another one only a part arrives.
    fn send_blocks(&mut self, route: &Route, (): &(), train: Train) {
        let due = self.later();
        let luck = self.rng.below(30);
        let client = &mut self.clients[usize::from(route.peer.port() - FIRST_PORT)];
        let (first, count) = (train.blocks.first, u64::from(train.blocks.count));
        self.trains += 1;
        self.resends += u64::from(first <= client.newest_sent);
        client.newest_sent = client.newest_sent.max(first + count - 1);
        let arrived = match luck {
            0 => return,
            1 => first + count / 2,
            _ => first + count,
        };
        client.received = client.received.max(arrived - 1);
        client.ack = Some((due, train.rollover.wire(client.received)));
    }

    fn send_packet(&mut self, route: &Route, bytes: &[u8]) {
        assert_eq!(bytes[..2], [0, 6], "an OACK");
        let due = self.later();
        let client = &mut self.clients[usize::from(route.peer.port() - FIRST_PORT)];
        client.ack = Some((due, 0));
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.opening.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn finished(&mut self, _: &Report<'_>, _: Option<()>) {
        self.finished += 1;
    }
}
