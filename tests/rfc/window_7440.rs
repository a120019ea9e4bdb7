//! RFC 7440: the window size.

use std::time::Duration;

use crate::support::packet::error;
use crate::support::{Conversation, Fetch, Packet, Root, Server, pattern};

const QUIET: Duration = Duration::from_millis(150);

fn blocks(packets: &[Packet]) -> Vec<u16> {
    packets.iter().filter_map(Packet::block).collect()
}

fn block(data: &[u8], number: usize) -> &[u8] {
    &data[(number - 1) * 512..(number * 512).min(data.len())]
}

/// A conversation with a window of 4 in which ACK 0 came late and blocks 1 to 4 are here.
fn windowed(server: &Server, data: &[u8]) -> Conversation {
    let mut client = Conversation::with(server);
    client.rrq("file", "octet", &[("windowsize", "4")]);
    client.expect_oack(&[("windowsize", "4")]);
    client.ack_slowly(0);
    for number in 1..=4 {
        client.expect_data(number as u16, block(data, number));
    }
    client
}

matrix! {
    /// Section 4: a window of blocks, then an ACK of the last, then the next window.
    fn a_window_is_sent_for_each_ack(setup) {
        let data = pattern(512 * 10 + 5, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = windowed(&server, &data);
        client.expect_silence(QUIET);
        client.ack(4);
        for number in 5..=8 {
            client.expect_data(number as u16, block(&data, number));
        }
        client.expect_silence(QUIET);
        client.ack(8);
        for number in 9..=11 {
            client.expect_data(number as u16, block(&data, number));
        }
        client.ack(11);
        let transfer = server.transfer_with(client.local());
        assert_eq!(transfer.outcome(), "completed");
        assert_eq!(transfer.number("windowsize"), 4);
    }

    /// Section 3: "less than or equal to the value specified by the client"; the cap is 64.
    fn the_window_is_capped(setup) {
        let data = pattern(512 * 200, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for (asked, granted) in [("1", "1"), ("2", "2"), ("64", "64"), ("65", "64"), ("65535", "64"), ("65536", "64")] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("windowsize", asked)]);
            match client.expect() {
                Packet::Oack(options) => assert_eq!(options, [("windowsize".to_string(), granted.to_string())], "asked {asked}"),
                // 65,536 is no valid value, so leaving the option out is right too.
                Packet::Data { block: 1, .. } if asked == "65536" => {}
                other => panic!("asked {asked}: {other:?}"),
            }
            client.send(&error(8, "enough"));
        }
    }

    /// `--max-windowsize` sets the cap, and no burst is larger.
    fn the_operator_sets_the_cap(setup) {
        let data = pattern(512 * 50, 3);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup).args(&["--max-windowsize", "5"]).start();
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("windowsize", "32")]);
        client.expect_oack(&[("windowsize", "5")]);
        client.ack_slowly(0);
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(250))), [1, 2, 3, 4, 5]);
        client.send(&error(0, "enough"));
    }

    /// Section 4: an ACK inside the window says that the rest was lost; the sender goes on behind
    /// it with a whole window.
    fn an_ack_inside_the_window_resumes_behind_it(setup) {
        let data = pattern(512 * 30, 4);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = windowed(&server, &data);
        client.ack_slowly(2);
        let packets = client.listen_for(Duration::from_millis(200));
        assert_eq!(blocks(&packets), [3, 4, 5, 6]);
        for (packet, number) in packets.iter().zip(3..) {
            assert_eq!(*packet, Packet::Data { block: number, payload: block(&data, number as usize).to_vec() });
        }
        client.send(&error(0, "enough"));
    }

    /// One resend for each gap, however many ACKs the client sends for it: EDK2 and iPXE send one
    /// for each packet behind the gap.
    fn one_resend_for_each_gap(setup) {
        let data = pattern(512 * 30, 5);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = windowed(&server, &data);
        std::thread::sleep(crate::support::conversation::PACE);
        for _ in 0..20 {
            client.ack(2);
        }
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(200))), [3, 4, 5, 6]);
        // Blocks 3 and 4 went out twice, so this may only say that the client had them already.
        for _ in 0..20 {
            client.ack(4);
        }
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(200))), [7, 8]);
        // The next gap is a new one.
        for _ in 0..20 {
            client.ack(6);
        }
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(200))), [7, 8, 9, 10]);
        client.send(&error(0, "enough"));
    }

    /// The first block of a window is lost: the ACK of the block before it comes again.
    fn a_lost_first_block_is_resent(setup) {
        let data = pattern(512 * 30, 6);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = windowed(&server, &data);
        client.ack_slowly(4);
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(160))), [5, 6, 7, 8]);
        client.ack(4);
        client.ack(4);
        client.ack(4);
        assert_eq!(blocks(&client.listen_for(Duration::from_millis(160))), [5, 6, 7, 8]);
        client.send(&error(0, "enough"));
    }

    /// An ACK from before the window changes nothing.
    fn an_old_ack_changes_nothing(setup) {
        let data = pattern(512 * 30, 7);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = windowed(&server, &data);
        client.ack_slowly(4);
        for number in 5..=8 {
            client.expect_data(number as u16, block(&data, number));
        }
        for old in [0, 1, 2, 3, 9, 12, 0xffff] {
            client.ack(old);
        }
        client.expect_silence(QUIET);
        client.ack(8);
        client.expect_data(9, block(&data, 9));
        client.send(&error(0, "enough"));
    }

    /// Windows with blocks of every kind, to the last byte.
    fn windows_of_all_sizes_carry_the_same_bytes(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        for (size, blksize, windowsize) in [
            (0, "512", "4"), (1, "512", "4"), (2048, "512", "4"), (2047, "512", "4"), (2049, "512", "4"),
            (300_000, "1428", "16"), (300_000, "512", "64"), (3_000_000, "65464", "7"), (100_000, "8", "33"),
        ] {
            let data = pattern(size, size as u64);
            root.write("file", &data);
            let options = [("blksize", blksize), ("windowsize", windowsize), ("tsize", "0")];
            let fetched = Fetch::new(&server, "file", &options).complete();
            assert!(fetched.data == data, "{size} bytes, blksize {blksize}, window {windowsize}");
            let transfer = server.transfer_with(fetched.client);
            assert_eq!((transfer.outcome(), transfer.number("bytes")), ("completed", size as u64));
        }
    }

    /// A lossy path costs resends, not the transfer.
    fn windows_survive_loss(setup) {
        let data = pattern(1_000_000, 8);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for (windowsize, seed) in [("1", 1), ("4", 2), ("16", 3), ("64", 4)] {
            let options = [("blksize", "1428"), ("windowsize", windowsize)];
            let fetched = Fetch::new(&server, "file", &options).lossy(50, seed).complete();
            assert!(fetched.lost > 0 && fetched.data == data, "window {windowsize}");
        }
    }
}

matrix! {
    /// Windows' boot manager: off by default; with `--msftwindow` the OACK says 27182, and the fifth
    /// byte of each ACK is the size of the next window.
    fn windows_chooses_its_windows(setup) {
        let data = pattern(512 * 40 + 5, 4);
        let root = Root::with("file", &data);
        let asked = [("tsize", "0"), ("windowsize", "4"), ("msftwindow", "31416")];
        let size = data.len().to_string();
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &asked);
        client.expect_oack(&[("tsize", &size), ("windowsize", "4")]);
        client.send(&error(8, "enough"));

        let server = Server::on(root.path(), setup).args(&["--msftwindow"]).start();
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &asked);
        client.expect_oack(&[("tsize", &size), ("windowsize", "4"), ("msftwindow", "27182")]);
        let mut acked = 0;
        // As large as the client says, whatever came before.
        for next in [4, 1, 9, 20, 2, 5] {
            std::thread::sleep(Duration::from_millis(60));
            client.send(&[0, 4, 0, acked as u8, next]);
            let end = (acked + usize::from(next)).min(41);
            for number in acked + 1..=end {
                client.expect_data(number as u16, block(&data, number));
            }
            acked = end;
        }
        assert_eq!(acked, 41);
        client.ack(41);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }
}
