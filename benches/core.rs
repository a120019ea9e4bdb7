//! Micro-benches of the pure core: decoding, a transfer's step, an endpoint's ACK, and the parts
//! that grow with the farm: its table and its timer wheel. They never touch a socket.

mod farm;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use farm::{Farm, REQUEST, SIZE, answer};
use ringboot::transfer::{Nanos, ReadTransfer, Terms};
use ringboot::wire::{decode, packet};

fn wire(criterion: &mut Criterion) {
    criterion.bench_function("wire/decode ack", |bench| {
        let ack = packet::ack(77);
        bench.iter(|| decode(black_box(&ack)).is_ok());
    });
    criterion.bench_function("wire/decode request and negotiate", |bench| {
        bench.iter(|| answer(black_box(REQUEST)));
    });
}

fn transfer(criterion: &mut Criterion) {
    for windowsize in [1_u16, 16] {
        criterion.bench_function(&format!("transfer/ack, window {windowsize}"), |bench| {
            let terms = Terms {
                windowsize,
                ..Terms::default()
            };
            let mut transfer = ReadTransfer::new(terms, SIZE, true, Nanos::ZERO);
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
            let mut farm = Farm::new(clients, 1);
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

/// What a look at the farm costs a shard: two or three of them a second, while somebody watches.
fn survey(criterion: &mut Criterion) {
    criterion.bench_function("endpoint/survey of 2,000", |bench| {
        let farm = Farm::new(2_000, 1);
        let mut rows = Vec::with_capacity(2_000);
        bench.iter(|| {
            rows.clear();
            let mut next = Some(0);
            while let Some(from) = next {
                next = farm.endpoint.survey(from, 128, &mut |seen| rows.push(seen));
            }
            rows.len()
        });
    });
}

/// A stranger's ACK is looked up, not found, and by then not answered any more.
fn table(criterion: &mut Criterion) {
    for clients in [200_u32, 100_000] {
        criterion.bench_function(&format!("table/stranger among {clients}"), |bench| {
            let mut farm = Farm::new(clients, 1);
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
                let mut farm = Farm::new(CLIENTS, 1);
                (0..CLIENTS).for_each(|client| farm.ack(client, 0));
                farm
            };
            bench.iter_batched(talking, silence, BatchSize::PerIteration);
        },
    );
}

criterion_group!(core, wire, transfer, endpoint, survey, table, wheel);
criterion_main!(core);
