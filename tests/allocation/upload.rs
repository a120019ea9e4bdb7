//! The endpoint with clients that upload without end, in lock-step and in windows, some blocks lost.
//! It never allocates itself while it counts.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;

use ringboot::endpoint::{
    Datagram, Effects, Endpoint, OpenRequest, Policy, Report, Route, Ticket, Train,
};
use ringboot::transfer::Nanos;

use super::counting::Tally;
use super::datagram::datagram;
use super::rng::Rng;

const CLIENTS: u16 = 100;
const BLKSIZE: usize = 512;

#[test]
fn a_block_of_an_upload_costs_no_allocation() {
    let tally = Tally::leaked();
    let mut farm = Farm::new();
    farm.run(Nanos::from_secs(20));
    let (blocks, repeats) = (farm.disk.blocks, farm.disk.repeats);
    tally.count_this_thread();
    farm.run(Nanos::from_secs(40));
    let (blocks, repeats) = (farm.disk.blocks - blocks, farm.disk.repeats - repeats);
    assert!(blocks > 100_000, "{blocks} blocks only");
    assert!(repeats > 1_000, "{repeats} repeated ACKs only");
    assert_eq!(
        tally.calls(),
        0,
        "for {blocks} blocks, {repeats} repeated ACKs"
    );
}

struct Farm {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    disk: Disk,
    rng: Rng,
    now: Nanos,
}

/// What the endpoint stores and answers.
struct Disk {
    created: Vec<Ticket>,
    /// By client: the newest ACK, and whether it is to be answered.
    acks: Vec<(u16, bool)>,
    blocks: u64,
    repeats: u64,
}

impl Farm {
    fn new() -> Self {
        let policy = Policy {
            uploads: true,
            ..Policy::default()
        };
        let now = Nanos::from_secs(1);
        let mut farm = Self {
            endpoint: Endpoint::new(policy, BuildHasherDefault::default(), now),
            disk: Disk {
                created: Vec::new(),
                acks: vec![(0, false); usize::from(CLIENTS)],
                blocks: 0,
                repeats: 0,
            },
            rng: Rng::new(5),
            now,
        };
        for client in 0..CLIENTS {
            let request: &[u8] = match window(client) {
                1 => b"\0\x02f\0octet\0",
                _ => b"\0\x02f\0octet\0windowsize\x004\0",
            };
            farm.datagram(client, true, request);
        }
        while let Some(ticket) = farm.disk.created.pop() {
            farm.endpoint.created(now, ticket, Ok(()), &mut farm.disk);
        }
        farm
    }

    fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.now < end {
            self.now = self.now + Nanos::from_millis(2);
            for client in 0..CLIENTS {
                let (acked, due) = self.disk.acks[usize::from(client)];
                if due {
                    self.disk.acks[usize::from(client)].1 = false;
                    self.send_window(client, acked);
                }
            }
            self.endpoint.advance(self.now, &mut self.disk);
        }
    }

    fn send_window(&mut self, client: u16, acked: u16) {
        for offset in 1..=window(client) {
            let mut packet = [7; 4 + BLKSIZE];
            packet[..2].copy_from_slice(&[0, 3]);
            packet[2..4].copy_from_slice(&acked.wrapping_add(offset).to_be_bytes());
            if self.rng.below(50) > 0 {
                self.datagram(client, false, &packet);
            }
        }
    }

    fn datagram(&mut self, client: u16, listening: bool, bytes: &[u8]) {
        let peer = SocketAddr::from(([192, 0, 2, 7], 2_000 + client));
        let datagram = Datagram {
            listening,
            ..datagram(peer, bytes)
        };
        self.endpoint.datagram(self.now, &datagram, &mut self.disk);
    }
}

const fn window(client: u16) -> u16 {
    if client.is_multiple_of(2) { 1 } else { 4 }
}

impl Effects for Disk {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), _: Train) {}

    fn send_packet(&mut self, route: &Route, bytes: &[u8]) {
        let ack = &mut self.acks[usize::from(route.peer.port() - 2_000)];
        let number = match bytes {
            [0, 4, high, low] => u16::from_be_bytes([*high, *low]),
            [0, 6, ..] => 0,
            other => panic!("{other:?}"),
        };
        self.repeats += u64::from(ack.0 == number);
        *ack = (number, true);
    }

    fn open(&mut self, _: OpenRequest<'_>) -> bool {
        false
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn create(&mut self, request: OpenRequest<'_>, _: Option<u64>) -> bool {
        self.created.push(request.ticket);
        true
    }

    fn store(&mut self, _: Ticket, payload: &[u8]) {
        assert_eq!(payload.len(), BLKSIZE);
        self.blocks += 1;
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<()>) {
        panic!("{report:?}");
    }
}
