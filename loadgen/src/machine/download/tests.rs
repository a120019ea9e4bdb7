use super::*;
use crate::machine::Identity;
use crate::scenario::{Ask, Expect, Habits, Numbers, Patience, Step};
use ringboot::wire::packet::data_header;
use std::time::Duration;

const SERVER: [u8; 4] = [192, 0, 2, 1];
const MS: Nanos = 1_000_000;

/// Content of which every byte is known.
struct Pattern(u64);

impl Oracle for Pattern {
    fn find(&self, _: &str, _: bool) -> Option<FileId> {
        Some(FileId(0))
    }

    fn expected_len(&self, _: FileId) -> u64 {
        self.0
    }

    fn check(&self, _: FileId, offset: u64, bytes: &[u8]) -> bool {
        let known = (offset..self.0).map(|at| at as u8);
        bytes.iter().copied().eq(known.take(bytes.len()))
    }
}

/// A client and its surroundings.
struct Bench {
    recipe: Recipe,
    oracle: Pattern,
    tally: Tally,
    now: Nanos,
    download: Download,
}

impl Bench {
    fn new(len: u64, options: &[(&str, &str)], change: impl FnOnce(&mut Habits)) -> Self {
        let ask = |&(name, value): &(&str, &str)| Ask {
            name: name.into(),
            value: value.into(),
        };
        let mut habits = Habits {
            options: options.iter().map(ask).collect(),
            strict_oack: Some(8),
            ..Habits::default()
        };
        change(&mut habits);
        let recipe = Recipe::new(&Step {
            label: "file".into(),
            file: "file".into(),
            habits,
            expect: Expect::File,
            pause: Duration::ZERO,
            restarts: 0,
        });
        let download = Download::begin(0, &recipe, Some((FileId(0), len)));
        Self {
            recipe,
            oracle: Pattern(len),
            tally: Tally::default(),
            now: 0,
            download,
        }
    }

    fn scene(&mut self) -> (&mut Download, Scene<'_>) {
        let scene = Scene {
            now: self.now,
            recipe: &self.recipe,
            oracle: Some(&self.oracle),
            server: SERVER.into(),
            tally: &mut self.tally,
        };
        (&mut self.download, scene)
    }

    fn packet_from(&mut self, port: u16, bytes: &[u8]) -> Reaction {
        let inbound = Inbound {
            from: (SERVER, port).into(),
            bytes,
            len: bytes.len(),
        };
        let (download, mut scene) = self.scene();
        download.handle(&mut scene, inbound)
    }

    fn packet(&mut self, bytes: &[u8]) -> Reaction {
        self.packet_from(4000, bytes)
    }

    /// DATA with the right bytes for this block.
    fn data(&mut self, block: u64, blksize: u64) -> Reaction {
        let end = self.oracle.0.min(block * blksize);
        let bytes = ((block - 1) * blksize..end).map(|at| at as u8);
        let mut packet = data_header(block as u16).to_vec();
        packet.extend(bytes);
        self.packet(&packet)
    }

    fn wait(&mut self) -> Reaction {
        self.now = self.download.deadline();
        let (download, mut scene) = self.scene();
        download.waited(&mut scene)
    }
}

#[test]
fn a_plain_transfer_in_lock_step() {
    let mut bench = Bench::new(1024 + 3, &[], |_| {});
    let first = bench.data(1, 512);
    assert_eq!((first.say, first.first_block), (Say::Ack(1), true));
    bench.now = 7 * MS;
    let second = bench.data(2, 512);
    assert_eq!((second.say, second.round_trip), (Say::Ack(2), Some(7 * MS)));
    let last = bench.data(3, 512);
    assert_eq!((last.say, last.end), (Say::Ack(3), Some(End::Completed)));
    assert_eq!((bench.tally.blocks, bench.tally.bytes), (3, 1027));
}

#[test]
fn a_file_of_whole_blocks_ends_with_an_empty_one() {
    let mut bench = Bench::new(512, &[], |_| {});
    assert_eq!(bench.data(1, 512).end, None);
    assert_eq!(bench.packet(&data_header(2)).end, Some(End::Completed));
}

#[test]
fn wrong_bytes_and_wrong_lengths_are_told_apart() {
    let mut bench = Bench::new(3, &[], |_| {});
    assert_eq!(bench.packet(b"\0\x03\0\x01abc").end, Some(End::Corrupt));
    let mut short = Bench::new(3, &[], |_| {});
    assert_eq!(
        short.packet(b"\0\x03\0\x01\0\x01").end,
        Some(End::WrongLength)
    );
    let mut long = Bench::new(1, &[], |_| {});
    assert_eq!(
        long.packet(b"\0\x03\0\x01\0\x01").end,
        Some(End::WrongLength)
    );
}

#[test]
fn an_endless_file_is_stopped() {
    let mut bench = Bench::new(512, &[], |_| {});
    let block = |n: u16| [&data_header(n)[..], &[0; 512]].concat();
    let _ = bench.data(1, 512);
    let _ = bench.packet(&block(2));
    let reaction = bench.packet(&block(3));
    assert_eq!(reaction.say, Say::Error(0));
    assert_eq!(reaction.end, Some(End::WrongLength));
}

#[test]
fn a_tsize_that_is_not_kept_is_a_wrong_length() {
    let mut bench = Bench::new(3, &[("tsize", "0")], |_| {});
    assert_eq!(bench.packet(b"\0\x06tsize\x004\0").say, Say::Ack(0));
    assert_eq!(bench.data(1, 512).end, Some(End::WrongLength));
}

#[test]
fn a_tsize_that_answers_no_question_is_not_believed() {
    let mut bench = Bench::new(3, &[("tsize", "61183")], |_| {});
    assert_eq!(bench.packet(b"\0\x06tsize\x0061183\0").say, Say::Ack(0));
    assert_eq!(bench.data(1, 512).end, Some(End::Completed));
}

#[test]
fn windows_are_acknowledged_at_their_end_and_once_for_a_gap() {
    let mut bench = Bench::new(8 * 8 + 1, &[("blksize", "8"), ("windowsize", "3")], |_| {});
    assert_eq!(
        bench.packet(b"\0\x06blksize\x008\0windowsize\x003\0").say,
        Say::Ack(0)
    );
    assert_eq!(bench.data(1, 8).say, Say::Nothing);
    assert_eq!(bench.data(2, 8).say, Say::Nothing);
    assert_eq!(bench.data(3, 8).say, Say::Ack(3));
    assert_eq!(bench.data(5, 8).say, Say::Ack(3));
    assert_eq!(bench.data(6, 8).say, Say::Nothing, "one ACK for a gap");
    assert_eq!(bench.data(4, 8).say, Say::Nothing);
    assert_eq!(bench.data(5, 8).say, Say::Nothing);
    assert_eq!(bench.data(6, 8).say, Say::Ack(6));
    assert_eq!(bench.data(6, 8).say, Say::Ack(6), "that ACK was lost");
    assert_eq!(bench.data(5, 8).say, Say::Nothing);
    assert_eq!((bench.tally.out_of_order, bench.tally.duplicates), (2, 2));
}

#[test]
fn edk2_acknowledges_each_packet_behind_a_gap() {
    let options = [("blksize", "8"), ("windowsize", "4")];
    let mut bench = Bench::new(80, &options, |habits| habits.acks = Acks::EveryGap);
    let _ = bench.packet(b"\0\x06blksize\x008\0windowsize\x004\0");
    assert_eq!(bench.data(1, 8).say, Say::Nothing);
    assert_eq!(bench.data(3, 8).say, Say::Ack(1));
    assert_eq!(bench.data(4, 8).say, Say::Ack(1));
}

#[test]
fn ipxe_acknowledges_everything() {
    let mut bench = Bench::new(2000, &[], |habits| habits.acks = Acks::Every);
    assert_eq!(bench.data(1, 512).say, Say::Ack(1));
    assert_eq!(bench.data(1, 512).say, Say::Ack(1));
    assert_eq!(bench.data(3, 512).say, Say::Ack(1));
}

#[test]
fn another_port_is_told_so_and_changes_nothing() {
    let mut bench = Bench::new(1000, &[], |_| {});
    let _ = bench.data(1, 512);
    let stranger = bench.packet_from(4001, b"\0\x03\0\x02abc");
    assert_eq!(stranger, Reaction::say(Say::UnknownTransfer));
    assert_eq!(
        bench.packet_from(4001, b"\0\x05\0\x00no\0"),
        Reaction::NOTHING
    );
    assert_eq!(bench.tally.strangers, 2);
    assert_eq!(bench.data(2, 512).end, Some(End::Completed));
}

#[test]
fn an_unasked_option_is_refused_by_strict_clients_only() {
    let oack = b"\0\x06blksize\x008\0timeout\x001\0";
    let mut strict = Bench::new(9, &[("blksize", "8")], |_| {});
    let reaction = strict.packet(oack);
    assert_eq!(
        (reaction.say, reaction.end),
        (Say::Error(8), Some(End::Violated))
    );
    let mut easy = Bench::new(9, &[("blksize", "8")], |habits| habits.strict_oack = None);
    assert_eq!(easy.packet(oack).say, Say::Ack(0));
}

#[test]
fn a_block_longer_than_agreed_is_a_violation() {
    let too_long = |block| [&data_header(block)[..], &[0; 513]].concat();
    let mut bench = Bench::new(1000, &[], |_| {});
    let _ = bench.data(1, 512);
    assert_eq!(bench.packet(&too_long(2)).end, Some(End::Violated));
    // As a first answer it may be of an earlier transfer: the client waits for a better one.
    let mut bench = Bench::new(1000, &[], |_| {});
    assert_eq!(bench.packet(&too_long(1)), Reaction::NOTHING);
    let end = (0..10).find_map(|_| bench.wait().end);
    assert_eq!(end, Some(End::Violated));
}

#[test]
fn a_size_probe_stops_at_the_oack() {
    let mut bench = Bench::new(9, &[("tsize", "0")], |habits| {
        habits.stop = Stop::AfterOack {
            code: 8,
            text: "User aborted the transfer".into(),
        };
    });
    let reaction = bench.packet(b"\0\x06tsize\x009\0");
    assert_eq!(
        (reaction.say, reaction.end),
        (Say::Error(8), Some(End::Stopped))
    );
}

#[test]
fn requests_and_acks_are_repeated_until_patience_ends() {
    let mut bench = Bench::new(2000, &[], |habits| {
        habits.request = Patience::fixed(Duration::from_millis(10), 1);
        habits.data = Patience::fixed(Duration::from_millis(20), 2);
    });
    assert_eq!(bench.wait().say, Say::Request);
    let _ = bench.data(1, 512);
    assert_eq!(bench.wait().say, Say::Ack(1));
    assert_eq!(bench.wait().say, Say::Ack(1));
    assert_eq!(bench.wait().end, Some(End::TimedOut));
    assert_eq!(bench.now, 10 * MS + 3 * 20 * MS);
    assert_eq!(
        (bench.tally.requests_repeated, bench.tally.acks_repeated),
        (1, 2)
    );
}

#[test]
fn a_slow_client_acknowledges_when_it_is_done() {
    let mut bench = Bench::new(2000, &[], |habits| {
        habits.block_time = Duration::from_millis(5);
    });
    assert_eq!(bench.data(1, 512).say, Say::Nothing);
    assert_eq!(bench.download.deadline(), 5 * MS);
    assert_eq!(bench.wait().say, Say::Ack(1));
}

#[test]
fn a_machine_that_vanishes_says_nothing() {
    let mut bench = Bench::new(2000, &[], |habits| habits.stop = Stop::Vanish { blocks: 2 });
    let _ = bench.data(1, 512);
    let reaction = bench.data(2, 512);
    assert_eq!(
        (reaction.say, reaction.end),
        (Say::Nothing, Some(End::Vanished))
    );
}

#[test]
fn a_raspberry_pi_cannot_count_beyond_65_535() {
    let mut bench = Bench::new(70_000 * 8, &[("blksize", "8")], |habits| {
        habits.numbers = Numbers::End;
    });
    let _ = bench.packet(b"\0\x06blksize\x008\0");
    let end = (1..=65_535).find_map(|block| bench.data(block, 8).end);
    assert_eq!(end, Some(End::WrongLength));
}

#[test]
fn a_repeated_last_block_is_acknowledged_again() {
    let mut bench = Bench::new(3, &[], |_| {});
    let _ = bench.data(1, 512);
    let (download, scene) = bench.scene();
    let past = download.past(&scene).expect("a peer");
    assert!(past.is_from((SERVER, 4000).into()));
    assert_eq!(past.handle(MS, b"\0\x03\0\x01\0\x01\x02"), Say::Ack(1));
    assert_eq!(past.handle(MS, b"\0\x03\0\x02"), Say::Nothing);
}

#[test]
fn the_request_is_what_the_habits_say() {
    let bench = Bench::new(1, &[("tsize", "0"), ("blksize", "1408")], |habits| {
        habits.trailing_junk = vec![0xff];
    });
    let identity = Identity {
        number: 0,
        address: SERVER.into(),
    };
    let mut bytes = Vec::new();
    bench
        .recipe
        .encode(&bench.recipe.name_for(&identity), &mut bytes);
    assert_eq!(
        bytes,
        b"\0\x01file\0octet\0tsize\x000\0blksize\x001408\0\xff"
    );
}

#[test]
fn a_slow_client_with_a_queue_acknowledges_ahead_of_its_work() {
    let mut bench = Bench::new(512 * 10, &[], |habits| {
        habits.block_time = Duration::from_millis(10);
        habits.queue = 3;
    });
    // Two blocks wait for the reader: their ACKs leave at once. The third is one too many.
    assert_eq!(bench.data(1, 512).say, Say::Ack(1));
    assert_eq!(bench.data(2, 512).say, Say::Ack(2));
    assert_eq!(bench.data(3, 512).say, Say::Nothing);
    assert_eq!(bench.download.deadline(), 10 * MS);
    assert_eq!(bench.wait().say, Say::Ack(3));
}

#[test]
fn a_transfer_that_takes_too_long_is_given_up_however_it_goes() {
    let mut bench = Bench::new(512 * 10, &[], |habits| {
        habits.limit = Some(Duration::from_secs(30));
        habits.data = Patience::fixed(Duration::from_secs(20), 9);
    });
    bench.data(1, 512);
    bench.now = 25_000 * MS;
    bench.data(2, 512);
    assert_eq!(bench.download.deadline(), 30_000 * MS);
    assert_eq!(bench.wait().end, Some(End::TimedOut));
}

#[test]
fn what_comes_again_is_answered_as_each_firmware_does() {
    for (acks, repeated, older, ahead) in [
        (Acks::Window, Say::Ack(3), Say::Nothing, Say::Ack(3)),
        (Acks::Every, Say::Ack(3), Say::Ack(3), Say::Ack(3)),
        (Acks::EveryGap, Say::Ack(3), Say::Ack(3), Say::Ack(3)),
        (Acks::Gap, Say::Nothing, Say::Nothing, Say::Ack(3)),
        (Acks::Received, Say::Ack(3), Say::Ack(1), Say::Nothing),
        (Acks::New, Say::Nothing, Say::Nothing, Say::Nothing),
    ] {
        let mut bench = Bench::new(512 * 10, &[], |habits| habits.acks = acks);
        for block in 1..=3 {
            assert_eq!(
                bench.data(block, 512).say,
                Say::Ack(block as u16),
                "{acks:?}"
            );
        }
        assert_eq!(bench.data(3, 512).say, repeated, "{acks:?}, the last again");
        assert_eq!(bench.data(1, 512).say, older, "{acks:?}, an older one");
        assert_eq!(bench.data(5, 512).say, ahead, "{acks:?}, behind a gap");
    }
}
