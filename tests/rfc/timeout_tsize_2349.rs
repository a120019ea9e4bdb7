//! RFC 2349: the timeout interval and the transfer size.

use std::fs::File;
use std::time::{Duration, Instant};

use crate::support::packet::error;
use crate::support::{Conversation, Root, Server, pattern};

matrix! {
    /// "the size of the file ... is returned in the OACK". The client's number may be anything.
    fn tsize_is_the_files_size(setup) {
        let root = Root::with("file", &pattern(1_234_567, 1));
        let server = Server::start(root.path(), setup);
        for asked in ["0", "12345", "18446744073709551615"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("tsize", asked)]);
            client.expect_oack(&[("tsize", "1234567")]);
            client.send(&error(0, "enough"));
        }
    }

    /// In netascii the size is that of the translated text: what the client will store space for
    /// and what it will count.
    fn tsize_in_netascii_is_what_travels(setup) {
        let root = Root::with("text", b"one\ntwo\nthree\r\n");
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("text", "netascii", &[("tsize", "0")]);
        client.expect_oack(&[("tsize", "19")]);
        client.ack(0);
        client.expect_data(1, b"one\r\ntwo\r\nthree\r\0\r\n");
        client.ack(1);
    }

    /// Sizes have 64 bits: 5 GiB, and the first blocks of it.
    fn tsize_passes_4_gib(setup) {
        let root = Root::new();
        let size = (5 << 30) + 123_u64;
        let file = File::create(root.path().join("huge")).unwrap();
        file.set_len(size).unwrap();
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("huge", "octet", &[("tsize", "0"), ("blksize", "1428")]);
        client.expect_oack(&[("tsize", "5368709243"), ("blksize", "1428")]);
        client.ack(0);
        for block in 1..=3 {
            client.expect_data(block, &[0; 1428]);
            client.ack(block);
        }
        client.send(&error(0, "enough"));
        assert_eq!(server.transfer_with(client.local()).outcome(), "peer_error");
    }

    /// An empty file has no tsize: curl takes 0 for a failure. Other options are still granted.
    fn an_empty_file_has_no_tsize(setup) {
        let root = Root::with("empty", b"");
        let server = Server::start(root.path(), setup);
        for mode in ["octet", "netascii"] {
            let mut client = Conversation::with(&server);
            client.rrq("empty", mode, &[("tsize", "0")]);
            client.expect_data(1, b"");
            client.ack(1);
            let mut client = Conversation::with(&server);
            client.rrq("empty", mode, &[("tsize", "0"), ("blksize", "1024")]);
            client.expect_oack(&[("blksize", "1024")]);
            client.ack(0);
            client.expect_data(1, b"");
            client.ack(1);
            assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
        }
    }

    /// "the timeout ... MUST match": echoed to the character, 1 to 255.
    fn timeout_is_echoed_exactly(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        for timeout in ["1", "5", "05", "005", "255"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("timeout", timeout)]);
            client.expect_oack(&[("timeout", timeout)]);
            client.ack(0);
            client.expect_data(1, b"content");
            client.ack(1);
        }
    }
}

backends! {
    /// The interval bounds the pauses between resends.
    fn timeout_bounds_the_pauses(setup) {
        let root = Root::with("file", &pattern(3000, 2));
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("timeout", "1")]);
        client.expect_oack(&[("timeout", "1")]);
        client.ack(0);
        client.expect_data(1, &pattern(3000, 2)[..512]);
        let mut before = Instant::now();
        let end = before + Duration::from_millis(4500);
        while Instant::now() < end {
            client.next_within(Duration::from_millis(1800)).expect("a resend each second at least");
            before = Instant::now();
        }
        assert!(before.elapsed() < Duration::from_millis(1800));
    }
}
