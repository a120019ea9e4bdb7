//! RFC 1350: the protocol without options.

use std::time::Duration;

use crate::support::conversation::any_port;
use crate::support::packet::{ack, error, request, rrq};
use crate::support::{Conversation, Fetch, Packet, Root, Server, pattern};

const QUIET: Duration = Duration::from_millis(150);

/// The netascii form of a text, byte by byte as RFC 764 says.
fn netascii(text: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for byte in text {
        match byte {
            b'\n' => wire.extend(b"\r\n"),
            b'\r' => wire.extend(b"\r\0"),
            other => wire.push(*other),
        }
    }
    wire
}

matrix! {
    /// Section 2: blocks of 512 bytes in lock-step, a shorter one ends the transfer. Section 6:
    /// it is over when the last ACK has come.
    fn a_read_ends_with_a_short_block(setup) {
        let data = pattern(1630, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.receive_rest(&data, 512, 1);
        let transfer = server.transfer_with(client.local());
        assert_eq!(transfer.outcome(), "completed");
        assert_eq!(transfer.number("bytes"), 1630);
        server.stop();
    }

    /// Section 2: a file of whole blocks ends with an empty one.
    fn a_file_of_whole_blocks_ends_with_an_empty_one(setup) {
        let data = pattern(1024, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.receive_rest(&data, 512, 1);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// An empty file is one empty block.
    fn an_empty_file_is_one_empty_block(setup) {
        let root = Root::with("empty", b"");
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("empty", "octet", &[]);
        client.expect_data(1, b"");
        client.ack(1);
        let transfer = server.transfer_with(client.local());
        assert_eq!((transfer.outcome(), transfer.number("bytes")), ("completed", 0));
    }

    /// Section 4: a transfer has its own port, except in single-port mode.
    fn a_transfer_has_its_own_port(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        assert_eq!(client.tid().port() == server.addr().port(), setup.single_port);
        assert_eq!(client.tid().ip(), server.addr().ip());
        client.ack(1);
    }

    /// Section 1: "netascii, octet, or mail, in any case".
    fn mode_names_come_in_any_case(setup) {
        let root = Root::with("file", b"a\nb");
        let server = Server::start(root.path(), setup);
        for (mode, content) in [("OCTET", &b"a\nb"[..]), ("oCtEt", b"a\nb"), ("NetASCII", b"a\r\nb")] {
            let mut client = Conversation::with(&server);
            client.rrq("file", mode, &[]);
            client.expect_data(1, content);
            client.ack(1);
        }
    }

    /// Section 1: mail is obsolete. Appendix: ERROR 4, illegal TFTP operation.
    fn mail_and_unknown_modes_are_refused(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        for mode in ["mail", "MAIL", "image", "", "octets", "binary"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", mode, &[]);
            client.expect_error(4);
            assert_eq!(server.transfer_with(client.local()).outcome(), "refused");
        }
    }

    /// Section 1 (by way of RFC 764): LF is CR LF on the wire, and CR is CR NUL.
    fn netascii_translates_line_ends(setup) {
        let root = Root::with("text", b"one\ntwo\rthree\r\n\n\r\r");
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("text", "netascii", &[]);
        client.expect_data(1, b"one\r\ntwo\r\0three\r\0\r\n\r\n\r\0\r\0");
        client.ack(1);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// A pair falls on both sides of a block border, and no block is longer than blksize.
    fn netascii_pairs_cross_block_borders(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        for before in 505..=513 {
            for line_end in ["\n", "\r", "\r\n", "\n\n\n"] {
                let mut text = vec![b'x'; before];
                text.extend_from_slice(line_end.as_bytes());
                text.extend_from_slice(&[b'y'; 700]);
                let name = format!("text-{before}-{}", line_end.escape_debug().to_string().replace('\\', "_"));
                root.write(&name, &text);
                let mut client = Conversation::with(&server);
                client.rrq(&name, "netascii", &[]);
                client.receive_rest(&netascii(&text), 512, 1);
            }
        }
    }

    /// A text of line ends alone doubles, and a file of exactly one block becomes two.
    fn netascii_grows_into_more_blocks(setup) {
        let text = vec![b'\n'; 1000];
        let root = Root::with("text", &text);
        let server = Server::start(root.path(), setup);
        for blksize in ["8", "9", "511", "512"] {
            let mut client = Conversation::with(&server);
            client.rrq("text", "netascii", &[("blksize", blksize)]);
            client.expect_oack(&[("blksize", blksize)]);
            client.ack(0);
            client.receive_rest(&netascii(&text), blksize.parse().unwrap(), 1);
        }
    }

    /// Appendix, ERROR 1: file not found.
    fn a_missing_file_is_error_1(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("bootsig.bin", "octet", &[("tsize", "0")]);
        let text = client.expect_error(1);
        assert!(!text.contains(root.path().to_str().unwrap()), "no path of ours: {text}");
        let transfer = server.transfer_with(client.local());
        assert_eq!(transfer.outcome(), "missing");
        assert_eq!(transfer.text("file"), "bootsig.bin");
    }

    /// Appendix, ERROR 2: access violation. Writing is off, and nothing appears.
    fn a_write_request_is_error_2(setup) {
        let root = Root::with("there", b"old");
        let server = Server::start(root.path(), setup);
        for name in ["new", "there"] {
            let mut client = Conversation::with(&server);
            client.request(&request(2, name.as_bytes(), "octet", &[("tsize", "3"), ("blksize", "1428")]));
            client.expect_error(2);
            assert_eq!(server.transfer_with(client.local()).outcome(), "refused");
        }
        assert_eq!(std::fs::read(root.path().join("there")).unwrap(), b"old");
        assert!(!root.path().join("new").exists());
    }

    /// Bytes behind a complete request are passed over: old Intel ROMs send 0xff 0xff.
    fn junk_behind_a_request_is_tolerated(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        let junk: [&[u8]; 6] = [b"\xff\xff", b"\0\0\0", b"\xff", b"junk", b"\0junk", b"a\0b\0c"];
        for junk in junk {
            let mut client = Conversation::with(&server);
            let mut bytes = rrq("file", "octet", &[]);
            bytes.extend_from_slice(junk);
            client.request(&bytes);
            client.expect_data(1, b"content");
            client.ack(1);
        }
        let mut client = Conversation::with(&server);
        let mut bytes = rrq("file", "octet", &[("blksize", "1456")]);
        bytes.extend_from_slice(b"\xff\xff");
        client.request(&bytes);
        client.expect_oack(&[("blksize", "1456")]);
        client.ack(0);
        client.expect_data(1, b"content");
        client.ack(1);
    }

    /// Section 4: a packet from a foreign port gets ERROR 5 and does not disturb the transfer.
    fn a_stranger_gets_error_5_and_changes_nothing(setup) {
        let data = pattern(2000, 3);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        let tid = client.tid();
        for intruding in [ack(1), error(0, "stop"), b"\0\x03\0\x01data".to_vec(), b"\0\x06tsize\x001\0".to_vec()] {
            let mut stranger = Conversation::between(any_port(tid), tid);
            stranger.request(&intruding);
            // An ERROR is never answered with an ERROR; an ACK and DATA are.
            match intruding[1] {
                4 => drop(stranger.expect_error(5)),
                _ => drop(stranger.listen_for(Duration::from_millis(20))),
            }
        }
        client.ack(1);
        client.receive_rest(&data, 512, 2);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// Sections 2 and 7: an ERROR ends the transfer and is not answered, even curl's bare four bytes.
    fn an_error_from_the_client_ends_the_transfer(setup) {
        let data = pattern(2000, 4);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for ending in [error(0, "TFTP Aborted"), error(3, "disk full"), vec![0, 5, 0, 7], vec![0, 5, 0, 3, b'n', b'o']] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[]);
            client.expect_data(1, &data[..512]);
            client.ack_slowly(1);
            client.expect_data(2, &data[512..1024]);
            client.send(&ending);
            let transfer = server.transfer_with(client.local());
            assert_eq!(transfer.outcome(), "peer_error");
            client.expect_silence(QUIET);
        }
    }

    /// Section 2: a lost packet is sent again, the same bytes.
    fn a_lost_block_is_sent_again(setup) {
        let data = pattern(2000, 5);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        // No ACK: as if block 2 had been lost. It has to come again, once and once more.
        for _ in 0..2 {
            let (packet, _) = client.next_within(Duration::from_secs(5)).expect("a resend");
            assert_eq!(packet, Packet::Data { block: 2, payload: data[512..1024].to_vec() });
        }
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        let transfer = server.transfer_with(client.local());
        assert_eq!(transfer.outcome(), "completed");
        assert!(transfer.number("resends") >= 2);
    }

    /// Section 5: the ACK's number says which block came; one that was not sent says nothing.
    fn an_ack_of_a_block_not_sent_changes_nothing(setup) {
        let data = pattern(3000, 6);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack_slowly(1);
        client.expect_data(2, &data[512..1024]);
        for block in [3, 4, 0, 0x8000, 0xffff] {
            client.ack(block);
        }
        client.expect_silence(QUIET);
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// ACKs longer than four bytes count: Windows' boot manager appends the next window's size.
    fn an_ack_may_be_longer(setup) {
        let data = pattern(600, 7);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.send(&[0, 4, 0, 1, 8]);
        client.expect_data(2, &data[512..]);
        client.send(&[0, 4, 0, 2, 8, 0xff]);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// Section 5: 16 bits count the blocks. A longer file goes on with block 0.
    fn block_numbers_wrap_to_zero(setup) {
        let data = pattern(8 * 65_600 + 3, 8);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let fetched = Fetch::new(&server, "file", &[("blksize", "8"), ("windowsize", "64")]).complete();
        assert!(fetched.data == data, "the same bytes");
        assert_eq!(server.transfer_with(fetched.client).number("bytes"), data.len() as u64);
    }

    /// The same in lock-step, where every number is acknowledged.
    fn block_numbers_wrap_in_lock_step(setup) {
        let data = pattern(8 * 65_540 + 1, 9);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let fetched = Fetch::new(&server, "file", &[("blksize", "8")]).complete();
        assert!(fetched.data == data, "the same bytes");
    }

    /// A request that comes again before the client has spoken gets the first answer again, and
    /// starts no second transfer.
    fn a_repeated_request_gets_the_first_answer_again(setup) {
        let data = pattern(700, 10);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for options in [&[][..], &[("blksize", "512")]] {
            let mut client = Conversation::with(&server);
            let bytes = rrq("file", "octet", options);
            client.request(&bytes);
            let first = client.expect();
            let tid = client.tid();
            client.request_again(&bytes);
            let (again, from) = client.next_within(Duration::from_secs(5)).expect("the answer again");
            assert_eq!((again, from), (first, tid));
            if !options.is_empty() {
                client.ack(0);
                client.expect_data(1, &data[..512]);
            }
            client.ack(1);
            client.expect_data(2, &data[512..]);
            client.ack(2);
            assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
            let client = client.local().to_string();
            let transfers = server.transfers();
            let mine = transfers.iter().filter(|transfer| transfer.text("client") == client);
            assert_eq!(mine.count(), 1, "one transfer");
        }
    }

    /// Another request from the same port replaces the transfer: the client has started over.
    fn another_request_replaces_the_transfer(setup) {
        let root = Root::with("first", &pattern(2000, 11));
        let second = pattern(700, 12);
        root.write("second", &second);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("first", "octet", &[]);
        client.expect_data(1, &pattern(2000, 11)[..512]);
        client.rrq("second", "octet", &[]);
        client.receive_rest(&second, 512, 1);
        let old = server.wait_for(|transfer| transfer.text("file") == "first");
        assert_eq!(old.outcome(), "aborted");
        let new = server.wait_for(|transfer| transfer.text("file") == "second");
        assert_eq!(new.outcome(), "completed");
    }

    /// Section 5, figure 5-1: names with slashes of either kind, leading ones included, mean the root.
    fn leading_slashes_and_backslashes_mean_the_root(setup) {
        let root = Root::with("boot/grub.cfg", b"menu");
        let server = Server::start(root.path(), setup);
        for name in ["boot/grub.cfg", "/boot/grub.cfg", "//boot//grub.cfg", "\\boot\\grub.cfg", "\\\\boot/grub.cfg", "./boot/./grub.cfg"] {
            let mut client = Conversation::with(&server);
            client.rrq(name, "octet", &[]);
            client.expect_data(1, b"menu");
            client.ack(1);
        }
    }
}
