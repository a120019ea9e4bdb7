//! A farm that boots, told in records and glimpses.

use core::net::SocketAddr;

use super::*;
use crate::endpoint::{Doing, Glimpse, NameEnd, Peer, Ticket};
use crate::limits::{
    BOOT_GAP, DONE_AFTER, FARM_FAILURES, FARM_FILES, FARM_LIVE, SILENT_AFTER, STUCK_AFTER,
};
use crate::wire::Mode;

const START: Nanos = Nanos::from_secs(1_000);

fn at(seconds: u64) -> Nanos {
    START + Nanos::from_secs(seconds)
}

fn client(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("an address"), port)
}

fn ended(ip: &str, file: &str, outcome: Outcome, reason: &str) -> Record {
    let completed = outcome == Outcome::Completed;
    Record {
        client: client(ip, 2000),
        file: file.as_bytes().into(),
        mode: Mode::Octet,
        write: false,
        outcome,
        reason: reason.into(),
        bytes: if completed { 1_000 } else { 0 },
        size: 1_000,
        duration: Nanos::from_millis(100),
        blksize: 512,
        windowsize: 1,
        resends: 1,
        round_trip: Nanos::from_micros(300),
    }
}

fn seen(ip: &str, port: u16, file: &str, doing: Doing, progress_at: Nanos, bytes: u64) -> Glimpse {
    Glimpse {
        ticket: Ticket {
            slot: port.into(),
            generation: 0,
        },
        peer: Peer::from(client(ip, port)),
        since: START,
        write: false,
        doing,
        progress_at,
        bytes,
        size: 1_000_000,
        blksize: 512,
        windowsize: 1,
        resends: 2,
        round_trip: Nanos::from_millis(1),
        name: NameEnd::new(file.as_bytes()),
    }
}

impl Farm {
    fn told(&mut self, now: Nanos) -> Look {
        self.look(now, Summary::default())
    }

    fn state(&mut self, now: Nanos) -> (State, String) {
        self.told(now);
        let row = self.show(now, Summary::default()).rows.remove(0);
        (row.state, row.why)
    }
}

#[test]
fn a_machine_boots() {
    let mut farm = Farm::default();
    let ip = "10.0.0.1";
    for (second, file, outcome) in [
        (1, "pxelinux.0", Outcome::Completed),
        (2, "pxelinux.cfg/01-aa", Outcome::Missing),
        (3, "pxelinux.cfg/default", Outcome::Completed),
        (4, "vmlinuz", Outcome::Completed),
    ] {
        farm.record(&ended(ip, file, outcome, ""), at(second));
        assert_eq!(farm.state(at(second)).0, State::Booting, "{file}");
    }
    let glimpse = seen(ip, 7, "initrd.img", Doing::Sending, at(5), 250_000);
    farm.glimpse(0, &glimpse, at(5));
    assert_eq!(farm.state(at(5)).0, State::Fetching);
    farm.picture_done(0);
    farm.glimpse(
        0,
        &Glimpse {
            bytes: 750_000,
            progress_at: at(6),
            ..glimpse
        },
        at(6),
    );
    farm.picture_done(0);
    let row = farm.told(at(6)).rows.remove(0);
    assert_eq!(
        (row.rate, row.bytes, row.stage),
        (500_000, 750_000, Stage::Initrd)
    );
    assert_eq!((row.files, row.misses, row.resends), (3, 1, 4 + 2));

    let mut done = ended(ip, "initrd.img", Outcome::Completed, "");
    done.client.set_port(7);
    farm.record(&done, at(8));
    assert_eq!(farm.state(at(8)).0, State::Booting);
    assert_eq!(farm.state(at(8) + DONE_AFTER).0, State::Done);
    let look = farm.show(at(20), Summary::default());
    let curve = look.curve.expect("a curve");
    assert_eq!((curve.machines, curve.points.len()), (1, 1));
    assert_eq!(curve.points[0].1, 1);
    let detail = farm.detail(look.rows[0].id, at(20)).expect("a machine");
    let stages: Vec<Stage> = detail.files.iter().map(|file| file.stage).collect();
    assert_eq!(
        stages,
        [
            Stage::Loader,
            Stage::Config,
            Stage::Config,
            Stage::Kernel,
            Stage::Initrd
        ]
    );

    // The power button, a moment later.
    farm.record(&ended(ip, "pxelinux.0", Outcome::Completed, ""), at(30));
    let detail = farm.detail(look.rows[0].id, at(30)).expect("a machine");
    assert_eq!((detail.boots, detail.files.len()), (2, 1));
    // And after a night.
    let next = at(30) + BOOT_GAP + Nanos::from_secs(1);
    farm.record(&ended(ip, "pxelinux.0", Outcome::Completed, ""), next);
    assert_eq!(
        farm.detail(look.rows[0].id, next).expect("a machine").boots,
        3
    );
    // Watched or not.
    let later = next + BOOT_GAP + Nanos::from_secs(1);
    let again = Glimpse {
        since: later,
        ..seen(ip, 9, "pxelinux.0", Doing::Sending, later, 0)
    };
    farm.glimpse(0, &again, later);
    assert_eq!(
        farm.detail(look.rows[0].id, later)
            .expect("a machine")
            .boots,
        4
    );
}

#[test]
fn a_machine_that_stalls_is_stuck_and_says_why() {
    for (doing, state, word) in [
        (Doing::Sending, State::Stuck, "no ACK"),
        (Doing::Loading, State::Stuck, "disk"),
        (Doing::Opening, State::Stuck, "storage"),
        (Doing::Greeting, State::Stuck, "first packet"),
        (Doing::Receiving, State::Stuck, "no block"),
        (Doing::Storing, State::Stuck, "disk"),
        (Doing::Queued, State::Waiting, "caps"),
        (Doing::Listening, State::Fetching, ""),
    ] {
        let mut farm = Farm::default();
        farm.glimpse(0, &seen("10.0.0.1", 7, "vmlinuz", doing, at(1), 0), at(1));
        if state == State::Stuck {
            assert_eq!(farm.state(at(2)).0, State::Fetching, "{doing:?}");
        }
        let late = at(1) + STUCK_AFTER;
        let (told, why) = farm.state(late);
        assert_eq!(told, state, "{doing:?}");
        assert!(why.contains(word), "{doing:?}: {why}");
    }
}

#[test]
fn a_boot_began_with_its_first_transfer_although_nobody_watched() {
    let mut farm = Farm::default();
    let seen = seen("10.0.0.1", 7, "vmlinuz", Doing::Sending, at(20), 9);
    farm.glimpse(0, &seen, at(20));
    let id = farm.told(at(20)).rows[0].id;
    let boot = farm.detail(id, at(20)).expect("a machine").boot;
    assert_eq!(boot, START.0 / 1_000_000);
}

#[test]
fn a_change_of_state_is_told_although_nothing_happened() {
    let mut farm = Farm::default();
    farm.glimpse(
        0,
        &seen("10.0.0.1", 7, "vmlinuz", Doing::Sending, at(1), 0),
        at(1),
    );
    assert_eq!(farm.told(at(1)).rows.len(), 1);
    assert!(farm.told(at(2)).rows.is_empty());
    let look = farm.told(at(1) + STUCK_AFTER);
    assert_eq!(look.rows.len(), 1);
    assert_eq!(look.rows[0].since, millis(at(1)));
    assert_eq!(look.farm.states[0], 1);
}

#[test]
fn what_a_picture_does_not_show_is_over() {
    let mut farm = Farm::default();
    let one = seen("10.0.0.1", 7, "a", Doing::Sending, at(1), 0);
    let other = seen("10.0.0.2", 8, "b", Doing::Sending, at(1), 0);
    farm.glimpse(0, &one, at(1));
    farm.glimpse(1, &other, at(1));
    farm.picture_done(0);
    farm.picture_done(1);
    farm.picture_done(0);
    let live = |farm: &Farm, ip: &str| farm.machines[&ip.parse().expect("an address")].live.len();
    assert_eq!((live(&farm, "10.0.0.1"), live(&farm, "10.0.0.2")), (0, 1));
}

#[test]
fn one_that_is_refused_is_failing_until_something_works() {
    let mut farm = Farm::default();
    let refused = ended(
        "10.0.0.1",
        "vmlinuz",
        Outcome::Refused,
        "this address is not to be served",
    );
    farm.record(&refused, at(1));
    farm.record(&refused, at(2));
    let (state, why) = farm.state(at(3));
    assert_eq!(state, State::Failing);
    assert!(why.contains("not to be served"), "{why}");
    let look = farm.show(at(3), Summary::default());
    let failures = look.failures.expect("failures");
    assert_eq!((failures.len(), failures[0].times), (1, 2));
    assert!(failures[0].advice.contains("--allow"));
    farm.record(&ended("10.0.0.1", "vmlinuz", Outcome::Completed, ""), at(4));
    assert_eq!(farm.state(at(4) + DONE_AFTER).0, State::Done);
}

#[test]
fn one_that_stops_at_a_prompt_is_silent() {
    let mut farm = Farm::default();
    farm.record(
        &ended("10.0.0.1", "pxelinux.0", Outcome::Completed, ""),
        at(1),
    );
    farm.record(
        &ended("10.0.0.1", "pxelinux.cfg/default", Outcome::Missing, ""),
        at(2),
    );
    assert_eq!(farm.state(at(3)).0, State::Booting);
    assert_eq!(farm.state(at(2) + SILENT_AFTER).0, State::Silent);
    // A telephone has no kernel to fetch.
    let mut farm = Farm::default();
    farm.record(
        &ended("10.0.0.2", "SEP0011.tlv", Outcome::Completed, ""),
        at(1),
    );
    assert_eq!(farm.state(at(1) + SILENT_AFTER).0, State::Done);
}

#[test]
fn memory_is_bounded_and_those_who_never_answered_go_first() {
    let mut farm = Farm::default();
    farm.record(
        &ended("192.0.2.1", "vmlinuz", Outcome::Completed, ""),
        at(1),
    );
    for forged in 0..u32::try_from(2 * FARM_MACHINES).expect("small") {
        let ip = core::net::Ipv4Addr::from(0x0a00_0000 + forged).to_string();
        farm.record(
            &ended(&ip, &format!("{forged}"), Outcome::TimedOut, ""),
            at(2),
        );
        assert!(farm.machines.len() <= FARM_MACHINES);
        assert!(farm.failures.list.len() <= FARM_FAILURES);
    }
    assert!(
        farm.machines
            .contains_key(&"192.0.2.1".parse().expect("an address"))
    );
    assert!(!farm.told(at(3)).gone.is_empty());

    let mut farm = Farm::default();
    for nth in 0..3 * FARM_FILES {
        farm.record(
            &ended("10.0.0.1", &format!("{nth}.mod"), Outcome::Completed, ""),
            at(1),
        );
        let port = u16::try_from(nth).expect("small") + 3_000;
        farm.glimpse(
            0,
            &seen("10.0.0.1", port, "x", Doing::Sending, at(1), 0),
            at(1),
        );
    }
    let detail = farm.detail(1, at(2)).expect("a machine");
    assert_eq!(detail.files.len(), FARM_FILES + FARM_LIVE);
    assert_eq!(detail.left_out as usize, 2 * FARM_FILES);
    assert_eq!(detail.files[0].name, "0.mod", "how it began stays");
}

#[test]
fn names_are_looked_up_once_and_again_when_they_are_old() {
    let mut farm = Farm::default();
    let ip = "10.0.0.1".parse().expect("an address");
    farm.record(&ended("10.0.0.1", "a", Outcome::Completed, ""), at(1));
    assert_eq!(farm.nameless(10, at(1)), [ip]);
    farm.name(ip, "52:54:00:12:34:56", "node7", at(1));
    assert!(farm.nameless(10, at(2)).is_empty());
    let row = farm.told(at(2)).rows.remove(0);
    assert_eq!(
        (row.mac.as_str(), row.host.as_str()),
        ("52:54:00:12:34:56", "node7")
    );
    farm.record(&ended("10.0.0.1", "b", Outcome::Completed, ""), at(60));
    assert_eq!(farm.nameless(10, at(60)), [ip]);
}

#[test]
fn the_curve_rises_and_is_short() {
    let mut farm = Farm::default();
    for nth in 0..1_000_u32 {
        let ip = core::net::Ipv4Addr::from(0x0a00_0000 + nth).to_string();
        let when = START + Nanos::from_millis(u64::from(nth) * 10);
        farm.record(&ended(&ip, "vmlinuz", Outcome::Completed, ""), when);
    }
    farm.told(at(100));
    let curve = farm
        .show(at(100), Summary::default())
        .curve
        .expect("a curve");
    assert_eq!(curve.machines, 1_000);
    assert!(curve.points.len() <= FARM_POINTS + 1);
    assert_eq!(curve.points.last().map(|(_, done)| *done), Some(1_000));
    assert!(curve.points.is_sorted());
    // Another storm counts anew.
    let next = at(100) + STORM_GAP;
    farm.record(&ended("192.0.2.1", "vmlinuz", Outcome::Completed, ""), next);
    farm.told(next + DONE_AFTER);
    let curve = farm
        .show(next + DONE_AFTER, Summary::default())
        .curve
        .expect("a curve");
    assert_eq!(curve.machines, 1);
}

#[test]
fn a_look_survives_its_form() {
    let mut farm = Farm::default();
    farm.record(
        &ended(
            "10.0.0.1",
            "a\"\u{1b}[31m<b>",
            Outcome::TimedOut,
            "the client fell silent",
        ),
        at(1),
    );
    let look = farm.show(at(1), Summary::default());
    let text = serde_json::to_string(&look).expect("JSON");
    assert!(!text.contains('\u{1b}') && !text.contains('\n'));
    let read: Look = serde_json::from_str(&text).expect("a look");
    assert_eq!(read.rows, look.rows);
    assert_eq!(read.failures, look.failures);
}
