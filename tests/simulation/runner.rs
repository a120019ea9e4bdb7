//! Runs many worlds on all cores, and one world again where something went wrong.
//! It never chooses a seed that it does not tell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::ledger::Totals;
use crate::rng::mix;
use crate::scenario::Scenario;
use crate::world::{self, Ending};

/// The seed of world `number` in a series.
pub const fn world_seed(series: u64, number: u64) -> u64 {
    mix(series.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// A number from the environment.
pub fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

pub fn run(seed: u64) -> Ending {
    world::run(Scenario::new(seed), false)
}

/// Runs worlds of a series until they held `transfers`, and panics with the first fault.
pub fn run_series(series: u64, transfers: u64) -> Totals {
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let faults = Mutex::new(Vec::new());
    let totals = Mutex::new(Totals::default());
    let work = || {
        let mut mine = Totals::default();
        while done.load(Ordering::Relaxed) < transfers && !failed.load(Ordering::Relaxed) {
            let seed = world_seed(series, next.fetch_add(1, Ordering::Relaxed));
            let ending = run(seed);
            done.fetch_add(ending.totals.reports, Ordering::Relaxed);
            mine.worlds += 1;
            mine.add(&ending.totals);
            if ending.fault.is_some() {
                failed.store(true, Ordering::Relaxed);
                faults.lock().expect("no panic").push(seed);
            }
        }
        totals.lock().expect("no panic").add(&mine);
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    if let Some(seed) = faults.into_inner().expect("no panic").first() {
        explain(*seed);
    }
    totals.into_inner().expect("no panic")
}

/// Runs a failed world again, and says what happened.
pub fn explain(seed: u64) -> ! {
    let ending = world::run(Scenario::new(seed), true);
    let Some(fault) = ending.fault else {
        panic!(
            "seed {seed}: a fault that does not come again: the simulation is not deterministic"
        );
    };
    for line in ending.trace.tail(fault.client, 60) {
        println!("{line}");
    }
    panic!(
        "client {}: {}\nagain with: RINGBOOT_SIM_SEED={seed} cargo test --test simulation -- one_world",
        fault.client as i32, fault.what
    );
}
