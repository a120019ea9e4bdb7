//! Crowds at one shard: who is served when. The loop is the real one, the kernel a simulated one.
//! It never measures time: sends have a cost, and that is what passes.

use std::collections::{HashMap, HashSet};

use super::kernel::{Answers, BATCH, Farm, Sent, run};
use crate::limits::LETTERS_PER_TURN;

/// The first clients are under way when the crowd comes.
const UNDER_WAY: u16 = 50;
const NEWCOMERS: u16 = 20_000;

/// Large enough for everybody to be under way as long as it takes.
const FILE_LEN: usize = 16 << 20;

/// Everybody is served in the order of arrival (within a turn, by socket), and those under way get on:
/// between two of their blocks there are never more than a turn's worth of newcomers.
#[test]
fn a_crowd_is_served_in_order_and_starves_nobody() {
    let (dir, mut answers) = served();
    for client in 1..=UNDER_WAY {
        answers.listener.push_back((client, request(1)));
    }
    let arrival = run(dir.path(), Arrival::default(), answers);
    let places = (UNDER_WAY + 1..).zip(&arrival.answered);
    let displaced = places.map(|(place, &client)| usize::from(place.abs_diff(client)));
    let displaced = displaced.max().expect("newcomers");
    assert!(
        displaced <= LETTERS_PER_TURN,
        "served {displaced} places from the order of arrival"
    );
    assert!(
        arrival.blocks > 20 * u64::from(UNDER_WAY),
        "{}",
        arrival.blocks
    );
    assert!(
        arrival.longest_wait <= LETTERS_PER_TURN + BATCH,
        "{} sends to others between two blocks of a client under way",
        arrival.longest_wait
    );
}

#[derive(Default)]
struct Arrival {
    /// Newcomers by their first answers.
    answered: Vec<u16>,
    seen: HashSet<u16>,
    begun: bool,
    /// Newcomers answered when each client under way was sent its newest block.
    at_block: HashMap<u16, usize>,
    longest_wait: usize,
    /// Blocks to those under way since the crowd came.
    blocks: u64,
}

impl Farm for Arrival {
    fn sent(&mut self, _: u64, client: u16, sent: &Sent, answers: &mut Answers) {
        if client > UNDER_WAY {
            // They answer nothing, so what comes again is a resend.
            if self.seen.insert(client) {
                self.answered.push(client);
            }
            return;
        }
        let block = match sent {
            Sent::Packet => 0,
            Sent::Blocks { last, .. } => *last,
        };
        answers.ack(client, block);
        let answered = self.answered.len();
        if let Some(before) = self.at_block.insert(client, answered) {
            self.longest_wait = self.longest_wait.max(answered - before);
        }
        self.blocks += u64::from(self.begun);
        if !self.begun && self.at_block.len() == usize::from(UNDER_WAY) && block > 10 {
            self.begun = true;
            for number in 1..=NEWCOMERS {
                answers.listener.push_back((UNDER_WAY + number, request(1)));
            }
        }
    }

    fn done(&self) -> bool {
        self.answered.len() == usize::from(NEWCOMERS)
    }
}

/// One greedy client for each in lock-step at most doubles what a block takes.
#[test]
fn greedy_clients_at_most_double_what_a_block_takes() {
    let alone = percentile_99(Mixed::new(50, 0));
    let beside = percentile_99(Mixed::new(50, 50));
    assert!(beside <= 2 * alone, "{alone} ns alone, {beside} ns beside");
    // The greedy ones get their share, too.
    let (dir, _) = served();
    let (farm, answers) = Mixed::new(50, 50);
    let mixed = run(dir.path(), farm, answers);
    assert!(mixed.greedy_blocks > 50 * 100, "{}", mixed.greedy_blocks);
}

/// One in lock-step does not wait behind fifty windows.
#[test]
fn one_in_lock_step_waits_for_one_window_at_a_time() {
    let alone = percentile_99(Mixed::new(1, 0));
    let beside = percentile_99(Mixed::new(1, 50));
    let window = 2 * 3_000 + 62 * 400;
    assert!(
        beside <= alone + 2 * window,
        "{alone} ns alone, {beside} ns beside"
    );
}

fn percentile_99((farm, answers): (Mixed, Answers)) -> u64 {
    let (dir, _) = served();
    let mut times = run(dir.path(), farm, answers).times;
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// The first clients are in lock-step, the others take windows of 64.
struct Mixed {
    lockstep: u16,
    /// When each client in lock-step was sent its newest block.
    sent_at: HashMap<u16, u64>,
    times: Vec<u64>,
    greedy_blocks: u64,
}

impl Mixed {
    fn new(lockstep: u16, greedy: u16) -> (Self, Answers) {
        let mut answers = Answers::default();
        for client in 1..=lockstep + greedy {
            let window = if client <= lockstep { 1 } else { 64 };
            answers.listener.push_back((client, request(window)));
        }
        let farm = Self {
            lockstep,
            sent_at: HashMap::new(),
            times: Vec::new(),
            greedy_blocks: 0,
        };
        (farm, answers)
    }
}

impl Farm for Mixed {
    fn sent(&mut self, now: u64, client: u16, sent: &Sent, answers: &mut Answers) {
        let Sent::Blocks { first, last } = *sent else {
            answers.ack(client, 0);
            return;
        };
        if client <= self.lockstep {
            let before = self.sent_at.insert(client, now);
            // Once everybody is under way.
            if self.sent_at.len() == usize::from(self.lockstep) && last > 20 {
                self.times.extend(before.map(|before| now - before));
            }
            answers.ack(client, last);
        } else {
            self.greedy_blocks += last - first + 1;
            if last % 64 == 0 {
                answers.ack(client, last);
            }
        }
    }

    fn done(&self) -> bool {
        self.times.len() > 200 * usize::from(self.lockstep)
    }
}

fn request(window: u16) -> Vec<u8> {
    format!("\0\x01f\0octet\0blksize\x001468\0windowsize\x00{window}\0").into_bytes()
}

fn served() -> (tempfile::TempDir, Answers) {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("f"), vec![b'x'; FILE_LEN]).expect("written");
    (dir, Answers::default())
}
