//! Micro-benches of the pure core: decoding, a transfer's step, an endpoint's ACK, and the parts
//! that grow with the farm: its table and its timer wheel. They never touch a socket.

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::net::SocketAddr;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringboot::endpoint::{
    Datagram, Effects, Endpoint, Local, OpenRequest, Opened, Policy, Report, Route, SocketId,
    Ticket, Train,
};
use ringboot::transfer::{Nanos, Offer, ReadTransfer, Terms, negotiate};
use ringboot::wire::{Packet, decode, packet};

const REQUEST: &[u8] = b"\0\x01pxelinux.0\0octet\0tsize\x000\0blksize\x001408\0windowsize\x0016\0";
const OFFER: Offer = Offer {
    max_blksize: 1468,
    max_windowsize: 64,
    size: 1 << 40,
};

fn wire(criterion: &mut Criterion) {
    criterion.bench_function("wire/decode ack", |bench| {
        let ack = packet::ack(77);
        bench.iter(|| decode(black_box(&ack)).is_ok());
    });
    criterion.bench_function("wire/decode request and negotiate", |bench| {
        bench.iter(|| match decode(black_box(REQUEST)) {
            Ok(Packet::Rrq(request)) => negotiate(&request.options, &OFFER).1.is_some(),
            _ => false,
        });
    });
}

fn transfer(criterion: &mut Criterion) {
    for windowsize in [1_u16, 16] {
        criterion.bench_function(&format!("transfer/ack, window {windowsize}"), |bench| {
            let terms = Terms {
                windowsize,
                ..Terms::default()
            };
            let mut transfer = ReadTransfer::new(terms, OFFER.size, true, Nanos::ZERO);
            transfer.first_answer(Nanos::ZERO);
            let mut block = 0_u16;
            bench.iter(|| {
                let step = transfer.ack(Nanos(1), black_box(block));
                block = block.wrapping_add(windowsize);
                step
            });
        });
    }
}

fn endpoint(criterion: &mut Criterion) {
    for clients in [200_u32, 4_000, 100_000] {
        criterion.bench_function(&format!("endpoint/ack among {clients}"), |bench| {
            let mut farm = Farm::new(clients);
            let mut client = 0;
            let mut block = 0_u16;
            bench.iter(|| {
                farm.ack(client, block);
                client += 1;
                if client == clients {
                    client = 0;
                    block = block.wrapping_add(1);
                }
            });
        });
    }
}

/// A stranger's ACK is looked up, not found, and by then not answered any more.
fn table(criterion: &mut Criterion) {
    for clients in [200_u32, 100_000] {
        criterion.bench_function(&format!("table/stranger among {clients}"), |bench| {
            let mut farm = Farm::new(clients);
            bench.iter(|| farm.ack(clients + 1, black_box(7)));
        });
    }
}

/// Nobody answers any more: each turn of the wheel resends, backs off and arms anew. A whole farm
/// falls silent once, so what is measured is the stretch up to the first ones given up.
fn wheel(criterion: &mut Criterion) {
    const CLIENTS: u32 = 10_000;
    criterion.bench_function(
        &format!("wheel/10 s of {CLIENTS} silent clients"),
        |bench| {
            let silence = |mut farm: Farm| {
                let end = farm.now + Nanos::from_secs(10);
                while let Some(due) = farm.endpoint.next_deadline().filter(|due| *due < end) {
                    farm.now = farm.now.max(due);
                    farm.endpoint.advance(farm.now, &mut farm.outside);
                }
                farm
            };
            let talking = || {
                let mut farm = Farm::new(CLIENTS);
                (0..CLIENTS).for_each(|client| farm.ack(client, 0));
                farm
            };
            bench.iter_batched(talking, silence, BatchSize::PerIteration);
        },
    );
}

/// Clients in lock-step, all served by one endpoint.
struct Farm {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    outside: Outside,
    now: Nanos,
}

/// Takes what the endpoint asks for and does nothing with it.
#[derive(Default)]
struct Outside {
    tickets: Vec<Ticket>,
    sent: u64,
}

impl Farm {
    fn new(clients: u32) -> Self {
        let mut farm = Self {
            endpoint: Endpoint::new(
                Policy::default(),
                BuildHasherDefault::default(),
                Nanos::ZERO,
            ),
            outside: Outside::default(),
            now: Nanos(1),
        };
        for client in 0..clients {
            farm.datagram(client, b"\0\x01f\0octet\0blksize\x001468\0");
        }
        for ticket in std::mem::take(&mut farm.outside.tickets) {
            let file = Opened {
                image: (),
                size: 1 << 40,
            };
            farm.endpoint
                .opened(farm.now, ticket, Ok(file), &mut farm.outside);
        }
        farm
    }

    fn ack(&mut self, client: u32, block: u16) {
        // About what a loaded core needs for each packet, so that timers come up as they would.
        self.now = self.now + Nanos(2_000);
        self.datagram(client, &packet::ack(block));
        self.endpoint.advance(self.now, &mut self.outside);
    }

    fn datagram(&mut self, client: u32, bytes: &[u8]) {
        let peer = SocketAddr::from(((0x7f00_0000 + client).to_be_bytes(), 2_000));
        let datagram = Datagram {
            route: Route {
                peer: peer.into(),
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
    }
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), train: Train) {
        self.sent += u64::from(train.blocks.count);
    }

    fn send_packet(&mut self, _: &Route, packet: &[u8]) {
        self.sent += packet.len() as u64;
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.tickets.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn finished(&mut self, _: &Report<'_>, _: Option<()>) {}
}

criterion_group!(core, wire, transfer, endpoint, table, wheel);
criterion_main!(core);
