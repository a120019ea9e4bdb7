//! The simulator: the real core between simulated clients and a simulated network, in virtual
//! time. Every world grows from a seed, and the same seed gives the same world.
//!
//! It never touches a socket, a file or a clock.

mod client;
mod content;
mod goodput_table;
mod lane;
mod ledger;
mod loss_table;
mod network;
mod promises;
mod queue;
mod rng;
mod runner;
mod scenario;
mod shards;
mod snapshot;
mod switch;
mod trace;
mod uploads;
mod world;

use std::time::Instant;

use runner::{explain, from_env, run, run_series, world_seed};

/// Another one explores other worlds; this one is what CI runs.
const SERIES: u64 = 1;

#[test]
fn a_hundred_thousand_transfers() {
    let totals = run_series(from_env("RINGBOOT_SIM_SERIES").unwrap_or(SERIES), 100_000);
    println!("{totals}");
    assert!(totals.reports >= 100_000);
}

/// `RINGBOOT_SIM_TRANSFERS` of them, five million otherwise.
#[test]
#[ignore = "takes minutes; meant for cargo test --release"]
fn a_long_run() {
    let transfers = from_env("RINGBOOT_SIM_TRANSFERS").unwrap_or(5_000_000);
    let series = from_env("RINGBOOT_SIM_SERIES").unwrap_or(SERIES);
    let start = Instant::now();
    let totals = run_series(series, transfers);
    println!(
        "series {series}, {:.1} s\n{totals}",
        start.elapsed().as_secs_f64()
    );
}

/// Replays the world of `RINGBOOT_SIM_SEED`.
#[test]
fn one_world() {
    let seed = from_env("RINGBOOT_SIM_SEED").unwrap_or(SERIES);
    let ending = run(seed);
    if ending.fault.is_some() {
        explain(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for number in 0..50 {
        let seed = world_seed(SERIES, number);
        assert_eq!(run(seed).fingerprint, run(seed).fingerprint, "seed {seed}");
    }
}
