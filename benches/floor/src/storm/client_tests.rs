//! The client's rules, one by one: windows, gaps, duplicates, wrap, locked ports.
//! Never opens a socket.

use super::*;

const PORT: u16 = 4000;

struct Bench {
    wish: Wish,
    client: Client,
    tally: Tally,
}

impl Bench {
    fn new(windowsize: u16, size: u64) -> Bench {
        let mut client = Client::idle();
        client.ask();
        let wish = Wish {
            blksize: 8,
            windowsize,
            tsize: true,
            size,
            content: None,
        };
        Bench {
            wish,
            client,
            tally: Tally::default(),
        }
    }

    fn open(windowsize: u16, size: u64) -> Bench {
        let mut bench = Bench::new(windowsize, size);
        assert_eq!(
            bench.oack(Some(8), (windowsize > 1).then_some(windowsize.into()), None),
            Step::Ack(0)
        );
        bench
    }

    fn oack(&mut self, blksize: Option<u64>, windowsize: Option<u64>, tsize: Option<u64>) -> Step {
        self.from(
            PORT,
            &wire::oack(Options {
                blksize,
                windowsize,
                tsize,
                unknown: false,
            }),
        )
    }

    fn from(&mut self, port: u16, packet: &[u8]) -> Step {
        self.client
            .handle(&self.wish, port, packet, packet.len(), &mut self.tally)
    }

    fn data(&mut self, block: u16, len: usize) -> Step {
        let mut packet = wire::header(wire::DATA, block).to_vec();
        packet.resize(HEADER + len, 7);
        self.from(PORT, &packet)
    }
}

#[test]
fn lock_step_acknowledges_every_block() {
    let mut b = Bench::open(1, 20);
    assert_eq!(b.data(1, 8), Step::Ack(1));
    assert_eq!(b.data(2, 8), Step::Ack(2));
    assert_eq!(b.data(3, 4), Step::Finished(3));
    assert_eq!(
        (b.tally.blocks, b.tally.bytes, b.tally.duplicates),
        (3, 20, 0)
    );
}

#[test]
fn a_window_is_acknowledged_at_its_end_and_at_the_last_block() {
    let mut b = Bench::open(3, 33);
    assert_eq!(b.data(1, 8), Step::Took);
    assert_eq!(b.data(2, 8), Step::Took);
    assert_eq!(b.data(3, 8), Step::Ack(3));
    assert_eq!(b.data(4, 8), Step::Took);
    assert_eq!(b.data(5, 1), Step::Finished(5));
}

#[test]
fn a_gap_is_told_once_and_starts_a_new_window() {
    let mut b = Bench::open(4, 800);
    assert_eq!(b.data(1, 8), Step::Took);
    assert_eq!(b.data(3, 8), Step::Ack(1));
    assert_eq!(b.data(4, 8), Step::Nothing);
    for block in 2..5 {
        assert_eq!(b.data(block, 8), Step::Took);
    }
    assert_eq!(b.data(5, 8), Step::Ack(5));
    // A second gap is a gap of its own.
    assert_eq!(b.data(7, 8), Step::Ack(5));
    assert_eq!((b.tally.ahead, b.tally.blocks), (3, 5));
}

#[test]
fn a_window_that_lost_its_first_block_repeats_the_last_ack() {
    let mut b = Bench::open(4, 800);
    assert_eq!(b.data(2, 8), Step::Ack(0));
    assert_eq!(b.data(3, 8), Step::Nothing);
    assert_eq!(b.data(1, 8), Step::Took);
}

#[test]
fn a_repeated_window_after_a_lost_ack_is_answered_once() {
    let mut b = Bench::open(3, 800);
    for block in 1..4 {
        b.data(block, 8);
    }
    let again: Vec<Step> = (1..4).map(|block| b.data(block, 8)).collect();
    assert_eq!(again, [Step::Nothing, Step::Nothing, Step::Ack(3)]);
    assert_eq!((b.tally.duplicates, b.tally.repeated_acks), (3, 1));
}

#[test]
fn a_half_received_window_sent_again_ends_in_one_ack() {
    let mut b = Bench::open(4, 800);
    b.data(1, 8);
    b.data(2, 8);
    let steps: Vec<Step> = (1..5).map(|block| b.data(block, 8)).collect();
    assert_eq!(
        steps,
        [Step::Nothing, Step::Nothing, Step::Took, Step::Ack(4)]
    );
}

#[test]
fn block_numbers_wrap_to_zero() {
    let mut b = Bench::open(1, 8 * 70_000);
    for block in 1..=65_535u32 {
        assert_eq!(b.data(block as u16, 8), Step::Ack(block as u16));
    }
    assert_eq!(b.data(0, 8), Step::Ack(0));
    assert_eq!(b.data(0, 8), Step::Ack(0));
    assert_eq!(b.data(1, 8), Step::Ack(1));
    assert_eq!((b.tally.blocks, b.tally.duplicates), (65_537, 1));
}

#[test]
fn a_window_across_the_wrap_sees_gaps_and_duplicates() {
    let mut b = Bench::open(4, 8 * 70_000);
    for block in 1..=65_534u32 {
        b.data(block as u16, 8);
    }
    assert_eq!(b.data(0, 8), Step::Ack(65_534));
    assert_eq!(b.data(65_535, 8), Step::Took);
    assert_eq!(b.data(65_533, 8), Step::Nothing);
    assert_eq!(b.data(0, 8), Step::Took);
}

#[test]
fn the_first_answer_locks_the_port() {
    let mut b = Bench::open(1, 800);
    let packet = wire::header(wire::DATA, 1);
    assert_eq!(b.from(PORT + 1, &packet), Step::Foreign);
    assert_eq!(b.tally.foreign, 1);
    assert_eq!(b.client.peer(), PORT);
}

#[test]
fn data_without_oack_means_no_options() {
    let mut b = Bench::new(4, 512);
    assert_eq!(b.data(2, 8), Step::Nothing);
    assert_eq!(b.data(1, 512), Step::Ack(1));
    assert_eq!(b.data(2, 0), Step::Finished(2));
    // Its ACK was lost: it is repeated although the transfer is over.
    assert_eq!(b.data(2, 0), Step::Ack(2));
}

#[test]
fn an_oack_may_not_invent() {
    let bad = Step::Failed(Failure::BadOack);
    assert_eq!(Bench::new(4, 9).oack(Some(16), None, None), bad);
    assert_eq!(Bench::new(4, 9).oack(Some(8), Some(5), None), bad);
    assert_eq!(Bench::new(1, 9).oack(Some(8), Some(1), None), bad);
    assert_eq!(Bench::new(4, 9).oack(Some(8), Some(0), None), bad);
    assert_eq!(Bench::new(4, 9).oack(Some(8), Some(4), Some(10)), bad);
    assert_eq!(
        Bench::new(4, 9).oack(Some(8), Some(2), Some(9)),
        Step::Ack(0)
    );
}

#[test]
fn size_and_content_are_checked() {
    assert_eq!(
        Bench::open(1, 20).data(1, 4),
        Step::Failed(Failure::WrongSize)
    );
    assert_eq!(
        Bench::open(1, 20).data(1, 9),
        Step::Failed(Failure::WrongSize)
    );
    let mut b = Bench::open(1, 20);
    b.wish.content = Some(vec![7; 20]);
    assert_eq!(b.data(1, 8), Step::Ack(1));
    b.wish.content = Some(vec![8; 20]);
    assert_eq!(b.data(2, 8), Step::Failed(Failure::WrongContent));
}

#[test]
fn an_error_ends_the_transfer() {
    let mut b = Bench::new(1, 20);
    assert_eq!(
        b.from(PORT, &wire::error(1, "no such file")),
        Step::Failed(Failure::Refused(1))
    );
    assert_eq!(b.data(1, 8), Step::Nothing);
}
