//! What gets through a bad network, in megabits a second: loss, round trip, window and a narrow link
//! with a short queue. The table is a reviewed snapshot, `goodput_table.txt`, in virtual time; it is
//! compared exactly. `RINGBOOT_SIM_UPDATE=1` writes it anew.
//!
//! It never measures the machine; `benches/bad-networks` does, with real sockets.

use std::fmt::Write;

use ringboot::transfer::Nanos;

use crate::client::habits::{Ask, Habits, OnOld};
use crate::client::models;
use crate::network::Weather;
use crate::rng::mix;
use crate::scenario::Scenario;
use crate::snapshot;
use crate::switch::Bottleneck;
use crate::world;

const BLOCKS: u64 = 1_400;
const BLKSIZE: u16 = 1_428;
/// Transfers behind each figure.
const RUNS: u64 = 15;
const WINDOWS: [u16; 4] = [1, 4, 16, 64];
/// Per million, in each direction.
const LOSSES: [u32; 4] = [0, 1_000, 10_000, 50_000];
const ROUND_TRIPS_MICROS: [u64; 3] = [200, 5_000, 50_000];

#[test]
fn goodput_on_bad_networks() {
    snapshot::compare(&table(), "goodput_table.txt");
}

/// The issue's own figure: 16 MB, window 16, 1 % loss each way, 0.2 ms.
#[test]
fn sixteen_megabytes_at_one_percent() {
    let blocks = 16_000_000 / u64::from(BLKSIZE);
    let time = |loss| median(&Bench::new(16, loss, 200, None), blocks).0 as f64 / 1e9;
    let (lossless, lossy) = (time(0), time(10_000));
    assert!(
        lossy <= 2.0 * lossless + 0.5,
        "{lossy:.3} s with loss, {lossless:.3} s without"
    );
}

/// No window gets stuck before a queue that does not hold it, and none wastes most of the link.
#[test]
fn a_queue_smaller_than_the_window_is_no_obstacle() {
    for megabits in [10, 100, 1_000] {
        for queue in [16, 24, 64] {
            for micros in ROUND_TRIPS_MICROS {
                let link = Bottleneck::new(megabits, queue);
                let narrow = median(&Bench::new(64, 0, micros, Some(link)), BLOCKS);
                // What the link and one round trip for each window would allow.
                let packet = Nanos(link.byte_time * (u64::from(BLKSIZE) + 70));
                let windows = BLOCKS.div_ceil(64);
                let ideal = packet.times(BLOCKS) + Nanos::from_micros(micros).times(windows);
                // And a tick of the timers for every eight blocks.
                let ticks = Nanos::from_micros(1_050).times(BLOCKS / 8);
                assert!(
                    narrow <= ideal.times(5) + ticks,
                    "{megabits} Mb/s, queue of {queue}, {micros} us: {narrow:?}, ideal {ideal:?}"
                );
            }
        }
    }
}

fn table() -> String {
    let mut table = String::from(
        "Goodput in Mb/s: median of 15 transfers of 1,400 blocks of 1,428 bytes, loss in each direction, virtual\n\
         time. The client acknowledges whole windows, and each gap once (U-Boot); its own timer takes 5 s.\n\n",
    );
    section(
        &mut table,
        "a gigabit, and queues that hold everything",
        None,
    );
    for (megabits, queue) in [(1_000, 16), (1_000, 64), (100, 16), (100, 64)] {
        let title = format!("{megabits} Mb/s behind a queue of {queue} packets");
        section(&mut table, &title, Some(Bottleneck::new(megabits, queue)));
    }
    table
}

fn section(table: &mut String, title: &str, link: Option<Bottleneck>) {
    let _ = writeln!(table, "{title}");
    let _ = write!(table, "{:>8}{:>8}", "RTT/ms", "loss");
    for window in WINDOWS {
        let _ = write!(table, "{:>12}", format!("window {window}"));
    }
    let _ = writeln!(table);
    for micros in ROUND_TRIPS_MICROS {
        for loss in LOSSES {
            let _ = write!(
                table,
                "{:>8.1}{:>7}%",
                micros as f64 / 1e3,
                f64::from(loss) / 1e4
            );
            for window in WINDOWS {
                let time = median(&Bench::new(window, loss, micros, link), BLOCKS);
                let bits = (BLOCKS * u64::from(BLKSIZE) * 8) as f64;
                let _ = write!(table, "{:>12.2}", bits / (time.0 as f64 / 1e3));
            }
            let _ = writeln!(table);
        }
    }
    let _ = writeln!(table);
}

struct Bench {
    window: u16,
    weather: Weather,
}

impl Bench {
    fn new(window: u16, loss: u32, round_trip: u64, bottleneck: Option<Bottleneck>) -> Self {
        let weather = Weather {
            loss,
            delay: Nanos::from_micros(round_trip / 2),
            bottleneck,
            ..Weather::default()
        };
        Self { window, weather }
    }

    fn habits(&self) -> Habits {
        Habits {
            asks: vec![Ask::Blksize(BLKSIZE), Ask::Windowsize(self.window)],
            think: Nanos::ZERO,
            on_old: OnOld::AckNewest,
            ..models::uboot()
        }
    }
}

fn median(bench: &Bench, blocks: u64) -> Nanos {
    let mut times = Vec::new();
    for run in 0..RUNS {
        let size = blocks * u64::from(BLKSIZE) - 1;
        let scenario = Scenario::single(mix(run), bench.weather, bench.habits(), size);
        let ending = world::run(scenario, false);
        assert!(ending.fault.is_none(), "{:?}", ending.fault);
        times.extend(ending.totals.took);
    }
    assert_eq!(times.len() as u64, RUNS, "every transfer completes");
    times.sort_unstable();
    times[times.len() / 2]
}
