//! A transfer step by step: what is sent, when, and when it ends.

use super::*;
use crate::limits::{GIVE_UP, PAUSE_TIMER, RETRY_FLOOR};
use crate::transfer::Rollover;

const T0: Nanos = Nanos::from_secs(100);

fn at(millis: u64) -> Nanos {
    T0 + Nanos::from_millis(millis)
}

fn send(first: u64, count: u32) -> Step {
    Step::Send(BlockRange { first, count })
}

fn lock_step(size: u64) -> ReadTransfer {
    let mut transfer = ReadTransfer::new(Terms::default(), size, false, T0);
    assert_eq!(transfer.first_answer(T0), send(1, 1));
    transfer
}

/// Window of 4, OACK acknowledged after 10 ms, blocks 1 to 4 under way at 10 ms.
fn windowed(size: u64) -> ReadTransfer {
    with_window(4, size)
}

/// The same with another window.
fn with_window(windowsize: u16, size: u64) -> ReadTransfer {
    let terms = Terms {
        windowsize,
        ..Terms::default()
    };
    let mut transfer = ReadTransfer::new(terms, size, true, T0);
    assert_eq!(transfer.first_answer(T0), Step::Oack);
    assert_eq!(transfer.ack(at(10), 0), send(1, windowsize.into()));
    transfer
}

#[test]
fn lock_step_runs_to_a_short_or_empty_last_block() {
    for (size, blocks) in [(0, 1), (1, 1), (511, 1), (512, 2), (1630, 4)] {
        let mut transfer = lock_step(size);
        for block in 1..blocks {
            assert_eq!(transfer.ack(at(1), block), send(u64::from(block) + 1, 1));
        }
        assert_eq!(transfer.ack(at(2), blocks), Step::Completed);
        assert_eq!(transfer.acked_bytes(), size);
        assert_eq!(transfer.resends(), 0);
    }
}

#[test]
fn a_duplicate_ack_in_lock_step_causes_nothing() {
    let mut transfer = lock_step(5_000);
    assert_eq!(transfer.ack(at(1), 1), send(2, 1));
    assert_eq!(transfer.ack(at(900), 1), Step::Nothing);
    assert_eq!(transfer.ack(at(900), 0), Step::Nothing);
    assert_eq!(transfer.ack(at(900), 3), Step::Nothing);
}

#[test]
fn an_ack_inside_the_window_resumes_behind_it_once() {
    let mut transfer = windowed(100_000);
    assert_eq!(transfer.ack(at(20), 2), send(3, 4));
    assert_eq!(transfer.ack(at(21), 2), Step::Nothing);
    assert_eq!(transfer.ack(at(40), 2), Step::Nothing);
    assert_eq!(transfer.resends(), 2);
    assert_eq!(transfer.ack(at(41), 6), send(7, 4));
}

#[test]
fn what_waits_for_the_disk_goes_with_what_follows_and_is_no_round_trip() {
    let mut transfer = windowed(100_000);
    let range = |first, count| BlockRange { first, count };
    transfer.ack(at(20), 4);
    transfer.park(at(20), range(5, 4));
    let before = transfer.round_trip();
    // An ACK of the same place, late: what is asked for joins what waits.
    assert_eq!(transfer.with_parked(range(7, 2)), range(5, 4));
    assert_eq!(transfer.ack(at(30), 8), Step::Nothing, "never sent");
    assert_eq!(transfer.loaded(at(3_000)), send(5, 4));
    assert_eq!(transfer.loaded(at(3_000)), Step::Nothing);
    assert_eq!(transfer.with_parked(range(5, 4)), range(5, 4));
    assert!(
        transfer.deadline() <= at(3_200),
        "its answer is awaited from now"
    );
    assert_eq!(transfer.ack(at(3_010), 8), send(9, 4));
    assert_eq!(transfer.round_trip(), before);
    assert_eq!(transfer.resends(), 0);
}

/// The end of a window met a full socket, and by the time that there was room a cold part of the file.
#[test]
fn what_left_before_the_blocks_that_wait_may_be_acknowledged() {
    let mut transfer = windowed(100_000);
    assert_eq!(transfer.ack(at(20), 4), send(5, 4));
    transfer.park(at(21), BlockRange { first: 7, count: 2 });
    assert_eq!(transfer.ack(at(30), 8), Step::Nothing, "never sent");
    assert_eq!(transfer.ack(at(30), 6), send(7, 4));
    assert_eq!(transfer.resends(), 0);
}

/// Blocks that wait for the disk are resent once, however many gaps are told of meanwhile.
#[test]
fn a_gap_among_blocks_that_wait_for_the_disk_counts_them_once() {
    let mut transfer = with_window(16, 100_000);
    assert_eq!(transfer.ack(at(20), 5), send(6, 8));
    transfer.park(at(20), BlockRange::between(6, 13));
    assert_eq!(transfer.ack(at(30), 8), send(9, 8));
    assert_eq!(transfer.resends(), 11);
}

#[test]
fn a_slow_disk_is_asked_again_and_not_for_ever() {
    let mut transfer = lock_step(100_000);
    transfer.ack(at(1), 1);
    transfer.park(at(1), BlockRange { first: 2, count: 1 });
    let reason = loop {
        match transfer.expired(transfer.deadline()) {
            Step::Send(blocks) => assert_eq!(blocks.first, 2),
            Step::GiveUp(reason) => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason, "the disk did not deliver the file");
    assert!(transfer.deadline() >= at(1) + GIVE_UP);
}

/// The disk's time is no progress of the client's.
#[test]
fn a_client_that_vanished_is_given_up_however_often_the_disk_is_asked() {
    let mut transfer = with_window(16, 1 << 20);
    let mut now = at(20);
    loop {
        now = now.max(transfer.deadline());
        match transfer.expired(now) {
            Step::Send(blocks) => transfer.park(now, blocks),
            Step::GiveUp(_) => break,
            other => panic!("{other:?}"),
        }
        now = now + Nanos::from_millis(10);
        transfer.loaded(now);
        assert!(now < at(60_000), "still there after a minute");
    }
}

#[test]
fn time_on_the_disk_is_not_held_against_the_client() {
    let mut transfer = lock_step(1 << 30);
    for block in 1..100_u16 {
        let now = T0 + Nanos::from_secs(20).times(u64::from(block));
        transfer.ack(now, block);
        transfer.park(
            now,
            BlockRange {
                first: u64::from(block) + 1,
                count: 1,
            },
        );
        let later = now + Nanos::from_secs(19);
        assert!(matches!(transfer.loaded(later), Step::Send(_)));
        assert_eq!(transfer.hopeless(later), None);
    }
}

#[test]
fn a_lost_first_block_is_filled_once_but_not_for_an_early_duplicate() {
    let mut transfer = windowed(100_000);
    // A network duplicate of ACK 0, 1 ms after the flight, with a round trip of 10 ms.
    assert_eq!(transfer.ack(at(11), 0), Step::Nothing);
    assert_eq!(transfer.ack(at(20), 0), send(1, 4));
    assert_eq!(transfer.ack(at(30), 0), Step::Nothing);
}

/// EDK2 acknowledges each block that it has already, and counts its window from there.
#[test]
fn the_echo_of_a_resent_block_is_no_gap() {
    let mut transfer = windowed(100_000);
    // Block 3 came late: one fill, of which the client has blocks 3 and 4 already.
    assert_eq!(transfer.ack(at(20), 2), send(3, 4));
    assert_eq!(transfer.ack(at(30), 4), send(7, 2));
    assert_eq!(transfer.ack(at(31), 4), Step::Nothing);
    assert_eq!(transfer.resends(), 2);
    assert_eq!(transfer.ack(at(41), 8), send(9, 4));
    assert_eq!(transfer.resends(), 2);
}

/// With many losses in a window each gap is filled a round trip after the one before it.
#[test]
fn a_gap_among_resent_blocks_is_filled_as_well() {
    let mut transfer = windowed(100_000);
    assert_eq!(transfer.ack(at(20), 1), send(2, 4));
    assert_eq!(transfer.ack(at(30), 3), send(4, 4));
    assert_eq!(transfer.ack(at(40), 7), send(8, 4));
}

/// A client that acknowledges each old block by its own number, one by one, is mistaken once; then
/// the window slides.
#[test]
fn blocks_acknowledged_one_by_one_are_not_missing() {
    let mut transfer = windowed(100_000);
    assert_eq!(transfer.ack(at(20), 1), send(2, 4));
    assert_eq!(transfer.ack(at(30), 2), send(3, 4));
    assert_eq!(transfer.ack(at(40), 3), send(7, 1));
    assert_eq!(transfer.ack(at(50), 4), send(8, 1));
    assert_eq!(transfer.resends(), 6);
}

#[test]
fn a_window_that_is_never_lost_leaves_at_once() {
    let mut transfer = with_window(16, 1 << 20);
    for nth in 1..100_u16 {
        let first = u64::from(nth) * 16 + 1;
        assert_eq!(
            transfer.ack(at(10 + 10 * u64::from(nth)), nth * 16),
            send(first, 16)
        );
    }
}

#[test]
fn after_a_gap_a_window_leaves_in_bursts_that_grow_again() {
    let mut transfer = with_window(16, 1 << 20);
    assert_eq!(transfer.ack(at(20), 5), send(6, 8), "half");
    let next = transfer.deadline();
    assert!(next > at(20) && next < at(22), "{next:?}");
    assert_eq!(transfer.expired(next), send(14, 8));
    assert!(transfer.deadline() >= next + RETRY_FLOOR, "now for the ACK");
    assert_eq!(transfer.resends(), 11);
    let (mut acked, mut now, mut burst) = (21_u64, at(31), 0);
    while burst < 16 {
        let Step::Send(blocks) = transfer.ack(now, Rollover::ToZero.wire(acked)) else {
            panic!("no burst");
        };
        assert!(
            blocks.first == acked + 1 && blocks.count > burst,
            "{blocks:?}"
        );
        burst = blocks.count;
        let mut last = blocks.last();
        while last < acked + 16 {
            let Step::Send(more) = transfer.expired(transfer.deadline()) else {
                panic!("no further burst");
            };
            assert_eq!(more.first, last + 1);
            last = more.last();
        }
        acked = last;
        now = now + Nanos::from_millis(20);
        assert!(acked < 400);
    }
    assert_eq!(transfer.resends(), 11);
}

/// A timer's tick would be longer than the round trip that a resend takes.
#[test]
fn where_round_trips_are_short_no_burst_waits() {
    let micros = |micros| T0 + Nanos::from_micros(micros);
    let terms = Terms {
        windowsize: 16,
        ..Terms::default()
    };
    let mut transfer = ReadTransfer::new(terms, 1 << 20, true, T0);
    transfer.first_answer(T0);
    assert_eq!(transfer.ack(micros(200), 0), send(1, 16));
    assert_eq!(transfer.ack(micros(500), 5), send(6, 16));
}

#[test]
fn the_window_ends_with_the_file() {
    let mut transfer = windowed(512 * 5);
    assert_eq!(transfer.ack(at(20), 4), send(5, 2));
    assert_eq!(transfer.ack(at(30), 6), Step::Completed);
}

#[test]
fn a_lost_packet_costs_a_round_trip_and_backs_off() {
    let mut transfer = lock_step(100_000);
    for block in 1..40 {
        transfer.ack(at(u64::from(block)), block);
    }
    let wait = transfer.deadline() - at(39);
    assert!(wait <= Nanos::from_millis(10), "{wait:?}");
    let first = transfer.deadline();
    assert_eq!(transfer.expired(first), send(40, 1));
    let second = transfer.deadline();
    assert_eq!(second - first, wait.times(2));
    assert_eq!(transfer.resends(), 1);
}

/// A crowd's queue makes round trips longer than they ever were: first sendings are answered, but only
/// after they were sent again, which tells nothing of the round trip.
#[test]
fn round_trips_that_grow_are_learned_and_not_answered_by_sending_all_twice() {
    for windowsize in [1, 4] {
        let mut transfer = with_window(windowsize, 10_000_000);
        let mut now = at(10);
        let mut round = |transfer: &mut ReadTransfer, millis: u64, block: u64| {
            let answer = now + Nanos::from_millis(millis);
            while transfer.deadline() < answer {
                let due = transfer.deadline();
                transfer.expired(due);
            }
            now = answer;
            transfer.ack(now, u16::try_from(block).expect("one lap"));
        };
        let window = u64::from(windowsize);
        for nth in 1..=50 {
            round(&mut transfer, 2, nth * window);
        }
        assert_eq!(transfer.resends(), 0);
        for nth in 51..=150 {
            round(&mut transfer, 40, nth * window);
        }
        let resends = transfer.resends();
        assert!(resends <= 16 * u32::from(windowsize), "{resends} resends");
    }
}

#[test]
fn an_unproven_peer_gets_few_datagrams_and_is_forgotten() {
    for (oack, expected) in [(true, UNPROVEN_OACKS), (false, UNPROVEN_DATA)] {
        let mut transfer = ReadTransfer::new(Terms::default(), 9_999, oack, T0);
        transfer.first_answer(T0);
        let mut resends = 0;
        loop {
            match transfer.expired(transfer.deadline()) {
                Step::GiveUp(_) => break,
                Step::Nothing => {}
                Step::Send(blocks) => {
                    assert_eq!(blocks.count, 1);
                    resends += 1;
                }
                _ => resends += 1,
            }
        }
        assert_eq!(resends, expected);
        assert_eq!(transfer.deadline(), T0 + UNPROVEN_LIFETIME);
    }
}

#[test]
fn a_silent_client_is_given_up_after_its_patience() {
    let mut transfer = lock_step(100_000);
    transfer.ack(at(1), 1);
    let mut resends = 0;
    while transfer.expired(transfer.deadline()) != Step::GiveUp("the client fell silent") {
        resends += 1;
        assert!(resends < 100);
    }
    assert!(transfer.deadline() >= at(1) + GIVE_UP);
}

/// Resends until there is a pause of seconds; says when it began and when it would end.
fn into_the_pause(transfer: &mut ReadTransfer) -> (Nanos, Nanos) {
    let mut now = T0;
    for _ in 0..20 {
        let next = transfer.deadline();
        if next - now > PAUSE_TIMER {
            return (now, next);
        }
        now = next;
        transfer.expired(now);
    }
    panic!("no pause");
}

#[test]
fn resends_pause_for_a_client_that_ignores_them() {
    let mut transfer = lock_step(100_000);
    transfer.ack(at(1), 1);
    let (began, ends) = into_the_pause(&mut transfer);
    assert!(began < at(1_000) && ends > began + PAUSE_TIMER);
    // Its timer repeats the ACK that was lost.
    assert_eq!(transfer.ack(began + PAUSE_TIMER, 2), send(3, 1));
}

/// Its repeated ACK causes no DATA, but who sends it waits for some.
#[test]
fn a_client_that_is_heard_ends_the_pause() {
    let mut transfer = lock_step(100_000);
    transfer.ack(at(1), 1);
    let (began, ends) = into_the_pause(&mut transfer);
    assert_eq!(
        transfer.ack(began + Nanos::from_millis(20), 1),
        Step::Nothing
    );
    assert!(
        transfer.deadline() < began + Nanos::from_secs(1),
        "{ends:?}"
    );
    assert!(transfer.deadline() > began + Nanos::from_millis(20));
}

/// It closes its port with its last ACK, of which the kernel tells later than of a refused resend.
#[test]
fn a_closed_port_waits_for_the_last_ack_where_all_has_left() {
    let mut transfer = lock_step(1_000);
    assert_eq!(transfer.ack(at(1), 1), send(2, 1));
    assert!(transfer.port_closed(at(2)) && transfer.is_closing());
    assert!(transfer.deadline() <= at(2) + LAST_ACK);
    let end = transfer.deadline();
    assert!(transfer.port_closed(at(3)));
    assert_eq!(transfer.deadline(), end, "once");
    assert_eq!(transfer.ack(at(3), 2), Step::Completed);
    let mut transfer = lock_step(10_000);
    transfer.ack(at(1), 1);
    assert!(!transfer.port_closed(at(2)) && !transfer.is_closing());
}

/// tftp-hpa's utimeout may be 10 ms; 3,000 windows would go to a client that is not there.
#[test]
fn a_short_timeout_does_not_flood_a_client_that_vanished() {
    let terms = Terms {
        windowsize: 64,
        timeout: Some(Nanos::from_millis(10)),
        ..Terms::default()
    };
    let mut transfer = ReadTransfer::new(terms, 1 << 30, true, T0);
    transfer.first_answer(T0);
    transfer.ack(at(1), 0);
    let mut blocks = 0;
    while let Step::Send(burst) = transfer.expired(transfer.deadline()) {
        blocks += burst.count;
    }
    assert!(transfer.deadline() >= at(1) + GIVE_UP);
    assert!(blocks < 150 * 64, "{blocks} blocks");
}

#[test]
fn a_client_that_crawls_is_given_up() {
    let mut transfer = lock_step(1 << 30);
    let mut now = T0;
    let mut block = 2;
    transfer.ack(at(1), 1);
    let reason = loop {
        now = now + Nanos::from_secs(20);
        while transfer.deadline() < now {
            match transfer.expired(transfer.deadline()) {
                Step::GiveUp(_) => break,
                _ => continue,
            }
        }
        if let Step::GiveUp(reason) = transfer.expired(now) {
            break reason;
        }
        transfer.ack(now, block);
        block += 1;
        assert!(block < 100);
    };
    assert_eq!(reason, "the client gets on too slowly");
}

#[test]
fn blocks_wrap_to_zero_and_to_one() {
    for rollover in [Rollover::ToZero, Rollover::ToOne] {
        let terms = Terms {
            blksize: 8,
            rollover,
            ..Terms::default()
        };
        let size = 8 * 140_000;
        let mut transfer = ReadTransfer::new(terms, size, false, T0);
        transfer.first_answer(T0);
        for block in 1..=140_000_u64 {
            assert_eq!(transfer.ack(T0, rollover.wire(block)), send(block + 1, 1));
        }
        assert_eq!(transfer.ack(T0, rollover.wire(140_001)), Step::Completed);
    }
}

/// Windows' variable window: each ACK says how large the next one is, within what was agreed.
#[test]
fn the_client_chooses_the_next_window_where_that_was_agreed() {
    let start = |variable_window| {
        let terms = Terms {
            windowsize: 4,
            variable_window,
            ..Terms::default()
        };
        let mut transfer = ReadTransfer::new(terms, 512 * 400, true, T0);
        assert_eq!(transfer.first_answer(T0), Step::Oack);
        transfer
    };
    let mut transfer = start(true);
    assert_eq!(transfer.ack_wanting(at(10), 0, Some(8)), send(1, 8));
    assert_eq!(transfer.ack_wanting(at(20), 8, None), send(9, 8));
    assert_eq!(transfer.ack_wanting(at(30), 16, Some(255)), send(17, 255));
    assert_eq!(transfer.ack_wanting(at(40), 271, Some(2)), send(272, 2));
    // A number that no block has changes nothing.
    assert_eq!(transfer.ack_wanting(at(45), 299, Some(9)), Step::Nothing);
    assert_eq!(transfer.ack_wanting(at(50), 273, Some(0)), send(274, 1));
    assert_eq!(transfer.ack_wanting(at(60), 274, Some(3)), send(275, 3));
    // A gap in the window: the next one is as large as this ACK says.
    assert_eq!(transfer.ack_wanting(at(70), 276, Some(5)), send(277, 5));

    let mut fixed = start(false);
    assert_eq!(fixed.ack_wanting(at(10), 0, Some(8)), send(1, 4));
    assert_eq!(fixed.ack_wanting(at(20), 4, Some(1)), send(5, 4));
}
