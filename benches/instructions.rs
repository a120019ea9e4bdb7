//! What `benches/instructions` counts: so many packets of one kind through the pure core.
//! It never measures itself; under callgrind, the difference of two runs is the cost of the packets.

// The benches of the whole crate share the farm.
extern crate packet_path as ringboot;

mod farm;

use std::hint::black_box;
use std::process::ExitCode;

use farm::{Farm, REQUEST, answer};

const CLIENTS: u32 = 200;

/// `instructions CASE COUNT` prints how many units (blocks, requests) it has made.
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (case, count) = (args.next(), args.next().and_then(|text| text.parse().ok()));
    let made = match (case.as_deref(), count) {
        (Some("request"), Some(count)) => requests(count),
        (Some("lockstep"), Some(count)) => windows(1, count),
        (Some("window16"), Some(count)) => windows(16, count),
        (Some("window64"), Some(count)) => windows(64, count),
        _ => {
            eprintln!("for benches/instructions: CASE COUNT");
            return ExitCode::FAILURE;
        }
    };
    println!("{made}");
    ExitCode::SUCCESS
}

fn requests(count: u64) -> u64 {
    (0..count)
        .map(|_| u64::from(answer(black_box(REQUEST))))
        .sum()
}

/// Each of the clients acknowledges `count` windows.
fn windows(windowsize: u16, count: u64) -> u64 {
    let mut farm = Farm::new(CLIENTS, windowsize);
    let mut block = 0_u16;
    for _ in 0..count {
        (0..CLIENTS).for_each(|client| farm.ack(client, block));
        block = block.wrapping_add(windowsize);
    }
    assert_eq!(
        farm.outside.blocks,
        count * u64::from(CLIENTS) * u64::from(windowsize)
    );
    farm.outside.blocks
}
