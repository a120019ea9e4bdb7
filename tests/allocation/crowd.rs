//! A hundred thousand transfers at a time: what each takes in memory, with its share of all tables.
//! It never leaves one out: every client gets an answer to every packet before the next is sent.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::Arc;

use ringboot::endpoint::{
    Effects, Endpoint, OpenRequest, Opened, Policy, Report, Route, Ticket, Train,
};
use ringboot::transfer::Nanos;
use ringboot::wire::packet;

use super::counting::Tally;
use super::datagram::datagram;

/// The promise, for requests of up to so many bytes. A longer one is kept whole and costs what it is longer.
const BYTES_MAX: usize = 512;
const REQUEST_USUAL: usize = 96;

/// A block, and what the allocator puts in front of it and adds behind.
const OVERHEAD: usize = 16;

/// With the options of iPXE, and a name that makes it so long.
fn request(len: usize) -> Vec<u8> {
    const REST: &[u8] = b"\0octet\0blksize\x001432\0tsize\x000\0";
    let mut request = b"\0\x01".to_vec();
    request.resize(len - REST.len(), b'n');
    request.extend_from_slice(REST);
    request
}

/// Right behind the borders at which tables double, which are the worst cases, and what was
/// promised.
#[test]
fn a_transfer_takes_at_most_512_bytes_with_all_tables() {
    for clients in [7_169, 14_337, 57_345, 65_537, 100_000, 114_689] {
        let held = held_by_each(clients, REQUEST_USUAL);
        assert!(held <= BYTES_MAX, "{clients} transfers: {held}");
    }
}

#[test]
fn a_long_request_costs_a_transfer_what_it_is_longer() {
    let len = 1_000;
    let held = held_by_each(57_345, len);
    assert!(held <= BYTES_MAX + len - REQUEST_USUAL, "{held}");
}

/// The most bytes that each of them took while it was asked for, answered and under way.
fn held_by_each(clients: u32, request_len: usize) -> usize {
    let tally = Tally::leaked();
    let mut crowd = Crowd::new();
    let request = request(request_len);
    tally.count_this_thread();
    // Beside the tables, two boxes for each: the request, and until it is acknowledged the OACK.
    let held = |boxes: usize| tally.held() as usize / clients as usize + boxes * OVERHEAD;
    crowd.ask(clients, &request);
    let asked = held(1);
    crowd.open(clients);
    let answered = held(2);
    crowd.acknowledge(clients, 0);
    let proven = held(1);
    crowd.acknowledge(clients, 1);
    println!("{clients} transfers: {asked}, {answered} and {proven} bytes for each");
    asked.max(answered).max(proven)
}

#[test]
fn a_packet_of_a_large_crowd_costs_no_allocation() {
    const CLIENTS: u32 = 100_000;
    let tally = Tally::leaked();
    let mut crowd = Crowd::new();
    crowd.ask(CLIENTS, &request(REQUEST_USUAL));
    crowd.open(CLIENTS);
    for block in 0..4 {
        crowd.acknowledge(CLIENTS, block);
        crowd.pause();
    }
    tally.count_this_thread();
    for block in 4..20 {
        crowd.acknowledge(CLIENTS, block);
        crowd.pause();
    }
    assert_eq!(crowd.sink.trains, 20 * u64::from(CLIENTS));
    assert!(crowd.sink.resends > u64::from(CLIENTS), "no timer came up");
    assert_eq!(tally.calls(), 0, "allocations");
}

struct Crowd {
    endpoint: Endpoint<Arc<()>, BuildHasherDefault<DefaultHasher>>,
    sink: Sink,
    now: Nanos,
}

/// Counts what the endpoint sends.
struct Sink {
    /// Trains with a block that was never sent before.
    trains: u64,
    resends: u64,
    /// The newest block sent to each client.
    newest: Vec<u64>,
    opening: Vec<Ticket>,
    /// One file for all, as in the server.
    image: Arc<()>,
}

impl Crowd {
    fn new() -> Self {
        const ROOM: usize = 131_072;
        let now = Nanos::from_secs(1);
        Self {
            endpoint: Endpoint::new(Policy::default(), BuildHasherDefault::default(), now),
            sink: Sink {
                trains: 0,
                resends: 0,
                newest: vec![0; ROOM],
                opening: Vec::with_capacity(ROOM),
                image: Arc::default(),
            },
            now,
        }
    }

    fn ask(&mut self, clients: u32, request: &[u8]) {
        for number in 0..clients {
            self.datagram(number, request);
        }
        assert_eq!(self.endpoint.active(), clients as usize);
    }

    fn open(&mut self, clients: u32) {
        assert_eq!(self.sink.opening.len(), clients as usize);
        while let Some(ticket) = self.sink.opening.pop() {
            let opened = Opened {
                image: Arc::clone(&self.sink.image),
                size: 1 << 40,
            };
            self.endpoint
                .opened(self.now, ticket, Ok(opened), &mut self.sink);
        }
    }

    /// Everybody's ACK, a hundred in a microsecond.
    fn acknowledge(&mut self, clients: u32, block: u16) {
        for number in 0..clients {
            self.now = self.now + Nanos(u64::from(number % 100 == 0) * 1_000);
            self.datagram(number, &packet::ack(block));
        }
        self.endpoint.advance(self.now, &mut self.sink);
        assert_eq!(self.endpoint.active(), clients as usize);
    }

    /// Long enough for resends to everybody.
    fn pause(&mut self) {
        for _ in 0..400 {
            self.now = self.now + Nanos::from_millis(1);
            self.endpoint.advance(self.now, &mut self.sink);
        }
    }

    fn datagram(&mut self, number: u32, bytes: &[u8]) {
        let [_, _, high, low] = number.to_be_bytes();
        let [_, block, _, _] = number.to_be_bytes();
        let peer = SocketAddr::from(([10, block, high, low], 2_070));
        let datagram = datagram(peer, bytes);
        self.endpoint.datagram(self.now, &datagram, &mut self.sink);
    }
}

impl Effects for Sink {
    type Image = Arc<()>;

    fn send_blocks(&mut self, _: &Route, _: &Arc<()>, train: Train) {
        let newest = &mut self.newest[train.ticket.slot as usize];
        if train.blocks.last() > *newest {
            *newest = train.blocks.last();
            self.trains += 1;
        } else {
            self.resends += 1;
        }
    }

    fn send_packet(&mut self, _: &Route, bytes: &[u8]) {
        assert_eq!(bytes[..2], [0, 6], "an OACK");
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.opening.push(request.ticket);
        true
    }

    fn unchanged(&mut self, _: &Arc<()>) -> bool {
        true
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<Arc<()>>) {
        panic!("ended: {:?} {}", report.outcome, report.reason);
    }
}
