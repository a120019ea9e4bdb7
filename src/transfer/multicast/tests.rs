//! A group step by step: elections, requests, silence.

use super::*;
use crate::limits::{PAUSE_MARGIN, PAUSE_TIMER, RESENDS_BEFORE_PAUSE};

const T0: Nanos = Nanos::from_secs(1);
const MS: Nanos = Nanos::from_millis(1);

fn block(first: u64) -> GroupStep {
    GroupStep::Send(BlockRange { first, count: 1 })
}

#[test]
fn a_master_is_told_then_asks_block_by_block() {
    let mut group = GroupTransfer::new(512, 1024, T0);
    assert_eq!(group.elect(T0, 0), GroupStep::Oack);
    assert_eq!(group.ack(T0 + MS, 0), block(1));
    assert_eq!(group.ack(T0 + MS, 1), block(2));
    assert_eq!(group.ack(T0 + MS, 2), block(3));
    assert_eq!(group.ack(T0 + MS, 3), GroupStep::MasterDone);
}

#[test]
fn a_repeated_ack_causes_no_data() {
    let mut group = GroupTransfer::new(512, 10_000, T0);
    group.elect(T0, 0);
    assert_eq!(group.ack(T0 + MS, 0), block(1));
    assert_eq!(group.ack(T0 + MS, 0), GroupStep::Nothing);
    assert_eq!(group.ack(T0 + MS, 1), block(2));
    assert_eq!(group.ack(T0 + MS, 0), GroupStep::Nothing);
    assert_eq!(group.ack(T0 + MS, 21), GroupStep::Nothing, "behind the end");
}

#[test]
fn a_new_master_starts_where_it_likes_and_leaps() {
    let mut group = GroupTransfer::new(512, 10_000, T0);
    group.elect(T0, 0);
    assert_eq!(group.ack(T0, 7), block(8));
    assert_eq!(group.ack(T0, 15), block(16));
    group.elect(T0, 0);
    assert_eq!(group.ack(T0, 3), block(4), "the next one is behind");
    group.elect(T0, 0);
    assert_eq!(group.ack(T0, 20), GroupStep::MasterDone, "it heard all");
}

#[test]
fn silence_is_met_by_resends_and_then_by_an_election() {
    let mut group = GroupTransfer::new(512, 10_000, T0);
    group.elect(T0, 0);
    let mut now = group.deadline();
    let mut told = 0;
    let lost = loop {
        match group.expired(now) {
            GroupStep::Oack => told += 1,
            step => break step,
        }
        assert!(group.deadline() > now);
        now = group.deadline();
    };
    assert_eq!(lost, GroupStep::MasterAbsent);
    assert_eq!(told, MASTER_OACKS);
    group.elect(now, 0);
    let quick = group.deadline() - now;
    group.elect(now, 2);
    assert_eq!(
        group.deadline() - now,
        quick.times(16),
        "later it has longer"
    );
    group.elect(now, 0);
    assert_eq!(group.ack(now, 0), block(1));
    let silent_since = now;
    loop {
        now = group.deadline();
        match group.expired(now) {
            step @ GroupStep::Send(_) => assert_eq!(step, block(1)),
            step => break assert!(matches!(step, GroupStep::MasterLost(_)), "{step:?}"),
        }
    }
    assert!(now - silent_since >= MASTER_PATIENCE);
}

#[test]
fn a_master_that_ignores_repeats_gets_time_to_repeat_its_ack() {
    let mut group = GroupTransfer::new(512, 10_000, T0);
    group.elect(T0, 0);
    group.ack(T0 + MS, 0);
    let longest = (0..RESENDS_BEFORE_PAUSE + 1)
        .map(|_| {
            let now = group.deadline();
            assert_eq!(group.expired(now), block(1));
            group.deadline() - now
        })
        .max();
    assert_eq!(longest, Some(PAUSE_TIMER + PAUSE_MARGIN));
    assert_eq!(group.ack(group.deadline() - MS, 1), block(2));
}

#[test]
fn only_files_whose_numbers_do_not_wrap_suit() {
    assert!(GroupTransfer::suits(512, 512 * 65_535 - 1));
    assert!(!GroupTransfer::suits(512, 512 * 65_535));
    assert_eq!(
        GroupTransfer::new(512, 512 * 65_535 - 1, T0).last_block(),
        65_535
    );
}

#[test]
fn a_slow_master_stands_back_unless_it_is_alone() {
    let mut group = GroupTransfer::new(512, 1_000_000, T0);
    group.elect(T0, 0);
    let mut now = T0;
    let mut asked = 0;
    while group.ack(now, asked) == block(u64::from(asked) + 1) {
        asked += 1;
        now = now + MASTER_BLOCK.times(2);
    }
    assert!(now - T0 >= MASTER_TERM);
    assert_eq!(group.go_on(now), block(u64::from(asked) + 1));
    assert_eq!(group.ack(now, asked + 1), block(u64::from(asked) + 2));
}

#[test]
fn a_block_waits_for_the_disk() {
    let mut group = GroupTransfer::new(512, 10_000, T0);
    group.elect(T0, 0);
    assert_eq!(group.ack(T0, 0), block(1));
    group.park(T0 + MS);
    assert_eq!(group.deadline(), T0 + MS);
    assert_eq!(group.expired(T0 + MS), block(1));
    assert_eq!(group.loaded(T0 + MS), block(1));
    assert_eq!(group.loaded(T0 + MS), GroupStep::Nothing);
}
