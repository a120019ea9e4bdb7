//! What loss costs: the time of a transfer under loss, relative to the same without, in virtual
//! time. The table is a reviewed snapshot, `loss_table.txt`; being deterministic it is compared
//! exactly. `RINGBOOT_SIM_UPDATE=1` writes it anew.
//!
//! It never measures the machine.

use std::fmt::Write;

use ringboot::transfer::Nanos;

use crate::client::habits::{Ask, Habits};
use crate::client::models;
use crate::network::Weather;
use crate::rng::mix;
use crate::scenario::Scenario;
use crate::snapshot;
use crate::world;

/// Blocks of each file, so that some are lost at most rates.
const BLOCKS: u64 = 700;
const BLKSIZE: u64 = 512;
/// Transfers behind each figure.
const RUNS: u64 = 41;
/// Per million, in each direction.
const LOSSES: [u32; 4] = [1_000, 5_000, 10_000, 50_000];
const ROUND_TRIPS_MICROS: [u64; 3] = [200, 5_000, 50_000];

#[test]
fn loss_costs_round_trips() {
    snapshot::compare(&table(), "loss_table.txt");
}

fn table() -> String {
    let mut table = String::from(
        "Median time of 700 blocks under loss (each way), relative to the time without loss.\n\
         In brackets the slowest of 41 transfers. Virtual time; the client's own timer takes 5 s.\n\n",
    );
    for (title, habits) in [
        ("lock-step", lock_step as fn() -> Habits),
        (
            "windowsize 4, an ACK for each unexpected block (EDK2)",
            || window(models::edk2, 4),
        ),
        (
            "windowsize 16, an ACK for each unexpected block (EDK2)",
            || window(models::edk2, 16),
        ),
        ("windowsize 16, one ACK for each gap (U-Boot)", || {
            window(models::uboot, 16)
        }),
        ("windowsize 64, one ACK for each gap (U-Boot)", || {
            window(models::uboot, 64)
        }),
    ] {
        section(&mut table, title, habits);
    }
    table
}

fn section(table: &mut String, title: &str, habits: fn() -> Habits) {
    let _ = writeln!(table, "{title}");
    let _ = write!(table, "{:>8}", "loss");
    for micros in ROUND_TRIPS_MICROS {
        let _ = write!(
            table,
            "{:>18}",
            format!("RTT {:.1} ms", micros as f64 / 1e3)
        );
    }
    let _ = writeln!(table);
    for loss in LOSSES {
        let _ = write!(table, "{:>7}%", f64::from(loss) / 1e4);
        for micros in ROUND_TRIPS_MICROS {
            let _ = write!(table, "{:>18}", cell(habits, loss, micros));
        }
        let _ = writeln!(table);
    }
    let _ = writeln!(table);
}

fn cell(habits: fn() -> Habits, loss: u32, round_trip: u64) -> String {
    let lossless = times(habits, 0, round_trip)[0].0 as f64;
    let times = times(habits, loss, round_trip);
    let median = times[times.len() / 2].0 as f64 / lossless;
    let slowest = times[times.len() - 1].0 as f64 / lossless;
    format!("{median:.2} ({slowest:.2})")
}

/// Transfer times in order.
fn times(habits: fn() -> Habits, loss: u32, round_trip: u64) -> Vec<Nanos> {
    let weather = Weather {
        loss,
        delay: Nanos::from_micros(round_trip / 2),
        ..Weather::default()
    };
    let runs = if loss == 0 { 1 } else { RUNS };
    let mut times = Vec::new();
    for run in 0..runs {
        let mut habits = habits();
        habits.think = Nanos::ZERO;
        let scenario = Scenario::single(mix(run), weather, habits, BLOCKS * BLKSIZE - 1);
        let ending = world::run(scenario, false);
        assert!(ending.fault.is_none(), "{:?}", ending.fault);
        times.extend(ending.totals.took);
    }
    assert_eq!(times.len() as u64, runs, "every transfer completes");
    times.sort_unstable();
    times
}

fn lock_step() -> Habits {
    Habits {
        asks: vec![Ask::Tsize(0)],
        ..window(models::cisco, 1)
    }
}

fn window(model: fn() -> Habits, windowsize: u16) -> Habits {
    let slow = models::uboot();
    Habits {
        asks: vec![Ask::Windowsize(windowsize), Ask::Blksize(512)],
        probes_with: None,
        request_pace: slow.request_pace,
        read_pace: slow.read_pace,
        ..model()
    }
}
