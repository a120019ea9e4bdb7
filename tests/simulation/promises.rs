//! Single promises, each in worlds made for it.
//! It never leaves anything to chance but the order of small delays.

use ringboot::transfer::Nanos;
use ringboot::wire::OptionSet;

use crate::client::habits::Habits;
use crate::client::models;
use crate::ledger::{Class, Totals};
use crate::network::Weather;
use crate::scenario::Scenario;
use crate::world;

const BLOCKS: u64 = 300;
/// Twice round the 16 bits.
const MANY_BLOCKS: u64 = 132_000;

/// RFC 1123, section 4.2.3.1: no Sorcerer's Apprentice, with windows either.
#[test]
fn every_ack_twice_costs_no_block() {
    for model in models::ALL {
        let weather = Weather {
            echo_to_server: true,
            ..lan()
        };
        let class = class_of(&fetch(model(), weather));
        assert_eq!((class.resends, class.timeouts), (0, 0), "{}", model().name);
    }
}

#[test]
fn nothing_is_resent_where_nothing_is_lost() {
    for model in models::ALL {
        for micros in [25, 2_000, 40_000] {
            let weather = Weather {
                delay: Nanos::from_micros(micros),
                ..Weather::default()
            };
            let class = class_of(&fetch(model(), weather));
            assert_eq!(class.resends, 0, "{} at {micros} us", model().name);
        }
    }
}

/// EDK2 answers each block that it has already. Once, one doubled block had the server resend
/// half of the file.
#[test]
fn a_doubled_or_late_block_costs_no_more_than_its_window() {
    for model in [
        models::edk2,
        models::edk2_wide,
        models::uboot_wide,
        models::windows,
        models::window_64,
    ] {
        let doubled = Weather {
            duplicate: 10_000,
            ..lan()
        };
        let late = Weather {
            straggle: 10_000,
            straggle_by: Nanos::from_millis(2),
            ..lan()
        };
        for weather in [doubled, late] {
            let habits = model();
            let window = u64::from(habits.windowsize());
            let class = class_of(&fetch(habits, weather));
            assert!(class.harms > 0, "the network did nothing");
            assert!(
                class.resends <= class.harms * window,
                "{}: {class:?}",
                model().name
            );
        }
    }
}

/// Windows' boot manager, whose ACKs say how large the next window is: whatever the network does, the
/// file arrives, and no window is larger than was asked for.
#[test]
fn windows_of_the_clients_choice_arrive_whole() {
    for (loss, duplicate, straggle) in [(0, 0, 0), (10_000, 0, 0), (0, 20_000, 20_000)] {
        for seed in 0..50 {
            let weather = Weather {
                loss,
                duplicate,
                straggle,
                straggle_by: Nanos::from_millis(2),
                ..lan()
            };
            let mut habits = models::windows_variable();
            habits.stall = Nanos::ZERO;
            let size = BLOCKS * habits.blksize() + seed;
            let mut scenario = Scenario::single(seed, weather, habits, size);
            scenario.server.policy.refused = OptionSet::NONE;
            let ending = world::run(scenario, false);
            assert!(ending.fault.is_none(), "{seed}: {:?}", ending.fault);
            let totals = ending.totals;
            assert_eq!((totals.completed, totals.tainted), (1, 0), "{seed}");
        }
    }
}

#[test]
fn block_numbers_wrap_to_0_and_to_1() {
    for model in [models::wrap_to_0, models::rollover] {
        let weather = Weather {
            loss: 1_000,
            straggle: 1_000,
            straggle_by: Nanos::from_millis(1),
            ..lan()
        };
        let totals = fetch_blocks(model(), weather, MANY_BLOCKS);
        assert_eq!((totals.completed, totals.tainted), (1, 0));
    }
}

/// atftp answers one repeat of a block. Where an ACK and that answer are lost, its own timer has to
/// come up, which each further repeat puts off: once, such a transfer hung until it was given up.
#[test]
fn a_client_that_ignores_repeats_is_not_kept_from_its_own_timer() {
    let weather = Weather {
        loss: 30_000,
        ..lan()
    };
    let mut paused = 0;
    for seed in 0..60 {
        let size = BLOCKS * models::atftp().blksize();
        let ending = world::run(
            Scenario::single(seed, weather, models::atftp(), size),
            false,
        );
        assert!(ending.fault.is_none(), "seed {seed}: {:?}", ending.fault);
        let took = ending.totals.took.first().expect("it completes");
        assert!(*took < Nanos::from_secs(20), "seed {seed}: {took:?}");
        paused += u32::from(*took >= Nanos::from_secs(5));
    }
    assert!(paused > 0, "the network was too kind");
}

fn lan() -> Weather {
    Weather {
        delay: Nanos::from_micros(100),
        jitter: Nanos::from_micros(50),
        ..Weather::default()
    }
}

fn fetch(habits: Habits, weather: Weather) -> Totals {
    fetch_blocks(habits, weather, BLOCKS)
}

fn fetch_blocks(mut habits: Habits, weather: Weather, blocks: u64) -> Totals {
    habits.stall = Nanos::ZERO;
    let size = blocks * habits.blksize();
    let scenario = Scenario::single(7, weather, habits, size);
    let ending = world::run(scenario, false);
    assert!(ending.fault.is_none(), "{:?}", ending.fault);
    ending.totals
}

fn class_of(totals: &Totals) -> Class {
    let mut sum = Class::default();
    for class in totals.classes.values() {
        sum.add(class);
    }
    sum
}
