//! RFC 1350, 2347, 2348, 2349 and 7440 for write requests.

use std::fs;
use std::time::Duration;

use crate::sender::{Refused, Upload, data, server, wrq};
use crate::support::packet::error;
use crate::support::{Conversation, Packet, Root, pattern};

const QUIET: Duration = Duration::from_millis(150);

/// Nothing but these files lies in the directory, hidden ones included.
pub fn holds(dir: &Root, names: &[&str]) {
    let entries = fs::read_dir(dir.path()).expect("readable");
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names);
}

matrix! {
    /// Sizes around the borders of blocks, an empty file too; by lock-step and by windows.
    fn files_arrive_whole(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        for size in [0, 1, 511, 512, 513, 1024, 40_000, 300_000] {
            for (blksize, windowsize) in [(512, 1), (512, 4), (1428, 8), (8192, 64), (65_464, 3), (8, 1)] {
                if blksize == 8 && size > 1024 {
                    continue;
                }
                let name = format!("{size}-{blksize}-{windowsize}");
                let content = pattern(size, blksize as u64);
                let upload = Upload::new(&name, &content).with(blksize, windowsize).sized();
                assert_eq!(upload.send(server.addr()), Ok(()), "{name}");
                let got = fs::read(dir.path().join(&name)).expect("there before the last ACK");
                assert!(got == content, "{name}: {} bytes", got.len());
            }
        }
        let plain = pattern(2_000, 9);
        assert_eq!(Upload::new("plain", &plain).send(server.addr()), Ok(()));
        let transfer = server.wait_for(|transfer| transfer.text("file") == "plain");
        assert_eq!(transfer.outcome(), "completed");
        assert_eq!(transfer.text("operation"), "write");
        assert_eq!(transfer.number("bytes"), 2_000);
        server.stop();
    }

    /// RFC 1350: the answer to a WRQ is ACK 0, with options an OACK that says what was asked.
    fn a_write_request_is_answered_with_ack_0_or_an_oack(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut client = Conversation::with(&server);
        client.request(&wrq("a", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        client.send(&error(0, "enough"));
        let asked = [("tsize", "1234"), ("timeout", "3"), ("blksize", "1000"), ("windowsize", "7")];
        client.request(&wrq("b", "octet", &asked));
        client.expect_oack(&asked);
        client.send(&error(0, "enough"));
        client.request(&wrq("c", "octet", &[("tsize", "0")]));
        client.expect_oack(&[("tsize", "0")]);
    }

    /// RFC 7440, section 4: an ACK at the window's end, and one where a gap begins.
    fn windows_are_acknowledged_at_their_end_and_at_a_gap(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let content = pattern(512 * 6 + 3, 2);
        let block = |number: usize| &content[(number - 1) * 512..(number * 512).min(content.len())];
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[("windowsize", "3")]));
        client.expect_oack(&[("windowsize", "3")]);
        for number in [1, 2, 3] {
            client.send(&data(number, block(number as usize)));
        }
        assert_eq!(client.expect(), Packet::Ack(3));
        for number in [4, 6, 6] {
            client.send(&data(number, block(number as usize)));
        }
        assert_eq!(client.expect(), Packet::Ack(4));
        for number in [5, 6, 7] {
            client.send(&data(number, block(number as usize)));
        }
        assert_eq!(client.expect(), Packet::Ack(7));
        assert!(fs::read(dir.path().join("f")).unwrap() == content);
    }

    /// The last block's ACK was lost: the client repeats the block and is answered.
    fn the_last_ack_is_repeated(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        client.send(&data(1, b"all"));
        assert_eq!(client.expect(), Packet::Ack(1));
        for _ in 0..2 {
            std::thread::sleep(QUIET);
            client.send(&data(1, b"all"));
            let again = client.next_within(Duration::from_secs(5));
            assert_eq!(again.map(|(packet, _)| packet), Some(Packet::Ack(1)));
        }
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
        // Dallying does not hold up the end.
        server.stop();
    }

    /// A silent client hears the last ACK again: the server has a timer, too.
    fn an_ack_is_repeated_for_a_silent_client(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        client.send(&data(1, &[7; 512]));
        assert_eq!(client.expect(), Packet::Ack(1));
        let again = client.next_within(Duration::from_secs(5));
        assert_eq!(again.map(|(packet, _)| packet), Some(Packet::Ack(1)));
    }

    /// Pairs on both sides of block borders, and a CR that ends the text.
    fn netascii_becomes_local_text(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut text = Vec::new();
        let mut wire = Vec::new();
        while wire.len() < 100_000 {
            text.extend_from_slice(b"line\na\rb\n\n");
            wire.extend_from_slice(b"line\r\na\r\0b\r\n\r\n");
        }
        text.push(b'\r');
        wire.extend_from_slice(b"\r\0");
        for (blksize, windowsize) in [(512, 1), (511, 1), (8, 16), (1428, 8)] {
            let name = format!("text-{blksize}");
            let mut upload = Upload::new(&name, &wire).with(blksize, windowsize).sized();
            upload.mode = "netascii";
            assert_eq!(upload.send(server.addr()), Ok(()));
            assert!(fs::read(dir.path().join(&name)).unwrap() == text, "{name}");
        }
    }

    /// An ERROR from the client ends the upload, and nothing of it remains.
    fn an_error_from_the_client_leaves_nothing(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let fds = server.fds();
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        client.send(&data(1, &[7; 512]));
        assert_eq!(client.expect(), Packet::Ack(1));
        client.send(&error(0, "changed my mind"));
        assert_eq!(server.transfer_with(client.local()).outcome(), "peer_error");
        gone(&dir, &server, fds);
    }

    /// The client's port is closed: ICMP says so, and nothing remains.
    fn a_client_that_vanishes_leaves_nothing(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let fds = server.fds();
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        client.send(&data(1, &[7; 512]));
        assert_eq!(client.expect(), Packet::Ack(1));
        drop(client);
        assert_eq!(server.wait_for(|_| true).outcome(), "peer_gone");
        gone(&dir, &server, fds);
    }

    /// More than tsize announced is ERROR 3, a larger block than agreed ERROR 4.
    fn a_client_is_held_to_what_it_said(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut client = Conversation::with(&server);
        client.request(&wrq("f", "octet", &[("tsize", "600")]));
        client.expect_oack(&[("tsize", "600")]);
        client.send(&data(1, &[7; 512]));
        assert_eq!(client.expect(), Packet::Ack(1));
        client.send(&data(2, &[7; 89]));
        client.expect_error(3);
        client.request(&wrq("f", "octet", &[("blksize", "600")]));
        client.expect_oack(&[("blksize", "600")]);
        client.send(&data(1, &[7; 601]));
        client.expect_error(4);
        holds(&dir, &[]);
    }

    /// Without `--upload` nothing is taken, and mail is no mode.
    fn what_is_not_spoken_is_refused(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        for mode in ["mail", "image"] {
            let mut upload = Upload::new("f", b"");
            upload.mode = mode;
            assert!(matches!(upload.send(server.addr()), Err(Refused(4, _))));
        }
        holds(&dir, &[]);
    }
}

backends! {
    /// Beyond 65,535 blocks, twice.
    fn block_numbers_wrap(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let content = pattern(8 * 140_000 + 3, 5);
        let upload = Upload::new("f", &content).with(8, 64);
        assert_eq!(upload.send(server.addr()), Ok(()));
        assert!(fs::read(dir.path().join("f")).unwrap() == content);
    }

    /// Reads go on beside uploads, and what was uploaded can be read at once.
    fn what_was_uploaded_can_be_fetched(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &["--upload-policy", "overwrite"]);
        for seed in 0..5 {
            let content = pattern(5_000, seed);
            assert_eq!(Upload::new("f", &content).send(server.addr()), Ok(()));
            let mut client = Conversation::with(&server);
            client.rrq("f", "octet", &[]);
            client.receive_rest(&content, 512, 1);
        }
    }
}

/// No file and no descriptor is left of an upload.
fn gone(dir: &Root, server: &crate::support::Server, fds: usize) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while server.fds() > fds && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(server.fds() <= fds, "a descriptor is left");
    holds(dir, &[]);
}
