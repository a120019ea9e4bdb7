//! The receiving state machine in virtual time, block by block.
//! It never sends a byte.

use super::*;
use crate::limits::{GIVE_UP, RETRY_FLOOR, RETRY_INITIAL};

const FULL: usize = 512;
const MS: Nanos = Nanos::from_millis(1);

fn transfer(windowsize: u16) -> WriteTransfer {
    let terms = Terms {
        windowsize,
        ..Terms::default()
    };
    let mut transfer = WriteTransfer::new(terms, None, false, Nanos::ZERO);
    assert_eq!(transfer.first_answer(Nanos::ZERO), Answer::Greet);
    transfer
}

const fn kept(answer: Answer) -> Taken {
    Taken { keep: true, answer }
}

const fn left(answer: Answer) -> Taken {
    Taken {
        keep: false,
        answer,
    }
}

/// Receives full blocks up to `last`, a millisecond each, and answers when it was.
fn run_to(transfer: &mut WriteTransfer, mut now: Nanos, last: u64) -> Nanos {
    for block in transfer.received + 1..=last {
        now = now + MS;
        let taken = transfer.data(now, transfer.terms.rollover.wire(block), FULL);
        assert!(taken.keep, "block {block}");
    }
    now
}

#[test]
fn lock_step_acknowledges_each_block_and_the_last_one_only_when_it_is_stored() {
    let mut transfer = transfer(1);
    assert_eq!(transfer.data(MS, 1, FULL), kept(Answer::Invite(1)));
    assert_eq!(transfer.data(MS.times(2), 2, 7), kept(Answer::Commit));
    assert_eq!(transfer.deadline(), Nanos::NEVER);
    // The client is impatient, the disk is slow.
    assert_eq!(transfer.data(MS.times(2_000), 2, 7), left(Answer::Nothing));
    assert_eq!(transfer.stored(MS.times(3_000)), Answer::Final(2));
    assert!(transfer.is_done());
    assert_eq!(transfer.received_bytes(), 519);
}

#[test]
fn an_empty_file_and_one_of_whole_blocks_end_with_an_empty_block() {
    let mut empty = transfer(1);
    assert_eq!(empty.data(MS, 1, 0), kept(Answer::Commit));
    let mut whole = transfer(4);
    run_to(&mut whole, Nanos::ZERO, 4);
    assert_eq!(whole.data(MS.times(9), 5, 0), kept(Answer::Commit));
    assert_eq!(whole.received_bytes(), 2_048);
}

#[test]
fn a_window_is_acknowledged_at_its_end() {
    let mut transfer = transfer(3);
    for (block, answer) in [
        (1, Answer::Nothing),
        (2, Answer::Nothing),
        (3, Answer::Invite(3)),
        (4, Answer::Nothing),
    ] {
        assert_eq!(transfer.data(MS, block, FULL), kept(answer));
    }
}

#[test]
fn a_gap_is_reported_once_and_nothing_behind_it_is_kept() {
    let mut transfer = transfer(4);
    let now = run_to(&mut transfer, Nanos::ZERO, 1);
    assert_eq!(transfer.data(now, 3, FULL), left(Answer::Invite(1)));
    assert_eq!(transfer.data(now, 4, FULL), left(Answer::Nothing));
    assert_eq!(transfer.data(now + MS, 2, FULL), kept(Answer::Nothing));
    assert_eq!(transfer.data(now + MS, 4, FULL), left(Answer::Invite(2)));
    // The window is counted from the block that was acknowledged.
    run_to(&mut transfer, now + MS, 5);
    assert_eq!(transfer.data(now + MS, 6, FULL), kept(Answer::Invite(6)));
}

#[test]
fn nothing_beyond_the_invited_window_is_kept() {
    let mut transfer = transfer(2);
    assert_eq!(transfer.data(MS, 3, FULL), left(Answer::Nothing));
    assert_eq!(transfer.data(MS, 65_535, FULL), left(Answer::Nothing));
    assert_eq!(transfer.data(MS, 0, FULL), left(Answer::Nothing));
}

#[test]
fn a_block_that_comes_again_is_acknowledged_again_unless_it_was_doubled_on_its_way() {
    let mut transfer = transfer(1);
    let now = run_to(&mut transfer, Nanos::ZERO, 20);
    assert_eq!(transfer.data(now, 20, FULL), left(Answer::Nothing));
    let later = now + MS.times(5);
    assert_eq!(transfer.data(later, 20, FULL), left(Answer::Invite(20)));
    assert_eq!(transfer.data(later, 19, FULL), left(Answer::Nothing));
    assert_eq!(transfer.repeats(), 1);
}

#[test]
fn silence_repeats_the_ack_ever_less_often_and_ends_the_transfer() {
    let mut transfer = transfer(1);
    let mut now = run_to(&mut transfer, Nanos::ZERO, 50);
    let mut pauses = Vec::new();
    loop {
        let before = now;
        now = transfer.deadline();
        match transfer.expired(now) {
            Answer::Invite(50) => pauses.push(now - before),
            Answer::GiveUp(reason) => {
                assert_eq!(reason, "the client fell silent");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pauses[0], RETRY_FLOOR);
    assert!(pauses.windows(2).all(|two| two[0] <= two[1]));
    assert!(now >= GIVE_UP && now < GIVE_UP + MS.times(3_000));
}

#[test]
fn a_forged_address_gets_a_few_small_answers() {
    let mut transfer = transfer(1);
    let mut answers = 0;
    loop {
        match transfer.expired(transfer.deadline()) {
            Answer::Invite(0) => answers += 1,
            Answer::Nothing => {}
            Answer::GiveUp(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, UNPROVEN_OACKS);
    assert_eq!(transfer.deadline(), UNPROVEN_LIFETIME);
}

#[test]
fn the_first_answer_is_repeated_after_the_initial_wait() {
    let transfer = transfer(1);
    assert_eq!(transfer.deadline(), RETRY_INITIAL);
}

#[test]
fn an_oack_is_repeated_for_a_repeated_request_only() {
    let mut transfer = WriteTransfer::new(Terms::default(), None, true, Nanos::ZERO);
    assert_eq!(transfer.first_answer(Nanos::ZERO), Answer::Greet);
    assert_eq!(transfer.expired(RETRY_INITIAL), Answer::Nothing);
    assert_eq!(transfer.first_answer(MS.times(5_000)), Answer::Greet);
    assert_eq!(
        transfer.data(MS.times(5_001), 1, FULL),
        kept(Answer::Invite(1))
    );
}

#[test]
fn without_room_nothing_is_invited_and_nothing_is_kept() {
    let mut transfer = transfer(1);
    assert_eq!(transfer.data(MS, 1, FULL), kept(Answer::Invite(1)));
    transfer.no_room();
    assert!(transfer.waits_for_us());
    assert_eq!(transfer.deadline(), Nanos::NEVER);
    assert_eq!(transfer.data(MS.times(900), 1, FULL), left(Answer::Nothing));
    assert_eq!(transfer.data(MS.times(901), 2, FULL), left(Answer::Nothing));
    let late = GIVE_UP.times(3);
    assert_eq!(transfer.room(late), Answer::Invite(1));
    // The wait was ours.
    assert_eq!(transfer.expired(transfer.deadline()), Answer::Invite(1));
    assert_eq!(
        transfer.data(late + MS.times(900), 2, FULL),
        kept(Answer::Invite(2))
    );
}

#[test]
fn the_last_ack_is_repeated_while_we_dally_and_then_it_is_over() {
    let mut transfer = transfer(1);
    transfer.data(MS, 1, 3);
    transfer.stored(MS.times(2));
    let lost = MS.times(1_000);
    assert_eq!(transfer.data(lost, 1, 3), left(Answer::Final(1)));
    assert_eq!(transfer.data(lost, 2, 3), left(Answer::Nothing));
    assert_eq!(transfer.deadline(), MS.times(2) + DALLY);
    assert_eq!(transfer.expired(transfer.deadline()), Answer::Over);
}

#[test]
fn more_than_was_announced_is_refused() {
    let mut transfer = WriteTransfer::new(Terms::default(), Some(600), false, Nanos::ZERO);
    transfer.first_answer(Nanos::ZERO);
    assert!(transfer.data(MS, 1, FULL).keep);
    assert_eq!(transfer.data(MS, 2, 89), left(Answer::TooLong));
}

#[test]
fn a_block_larger_than_agreed_is_refused() {
    let mut transfer = transfer(1);
    assert_eq!(transfer.data(MS, 1, 513), left(Answer::Oversized));
}

#[test]
fn numbers_wrap_as_agreed_or_in_lock_step_as_the_client_shows() {
    for (rollover, shown, windowsize) in [
        (Rollover::ToZero, Rollover::ToZero, 8),
        (Rollover::ToOne, Rollover::ToOne, 8),
        (Rollover::ToZero, Rollover::ToOne, 1),
    ] {
        let terms = Terms {
            rollover,
            windowsize,
            ..Terms::default()
        };
        let mut transfer = WriteTransfer::new(terms, None, false, Nanos::ZERO);
        transfer.first_answer(Nanos::ZERO);
        for block in 1..=140_000_u64 {
            let taken = transfer.data(MS.times(block), shown.wire(block), FULL);
            assert!(taken.keep, "{shown:?} block {block}");
            if block.is_multiple_of(u64::from(windowsize)) {
                assert_eq!(taken.answer, Answer::Invite(shown.wire(block)));
            }
        }
    }
}
