//! RFC 2347: option negotiation.

use std::time::Duration;

use crate::support::packet::{error, rrq};
use crate::support::{Conversation, Fetch, Packet, Root, Server, pattern};

matrix! {
    /// "The OACK ... MUST contain only options that were requested", in the client's order and
    /// spelling; unknown ones are left out.
    fn the_oack_has_what_was_asked_in_the_clients_order(setup) {
        let data = pattern(3000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let orders: [&[(&str, &str)]; 4] = [
            &[("blksize", "1432"), ("tsize", "0")],
            &[("tsize", "0"), ("blksize", "1432")],
            &[("timeout", "5"), ("tsize", "0"), ("windowsize", "4"), ("blksize", "1432")],
            &[("BLKSIZE", "1432"), ("TSize", "0"), ("WindowSize", "2")],
        ];
        for options in orders {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", options);
            let granted: Vec<_> = options
                .iter()
                .map(|(name, value)| if name.eq_ignore_ascii_case("tsize") { (*name, "3000") } else { (*name, *value) })
                .collect();
            client.expect_oack(&granted);
            client.send(&error(8, "enough"));
        }
    }

    /// Options that nobody knows are left out; when nothing is left, DATA is the answer.
    fn unknown_options_are_ignored(setup) {
        let data = pattern(700, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("multicast", ""), ("x-vendor", "1"), ("msftwindow", "31416")]);
        client.receive_rest(&data, 512, 1);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("msftwindow", "31416"), ("blksize", "600"), ("multicast", "")]);
        client.expect_oack(&[("blksize", "600")]);
        client.ack(0);
        client.receive_rest(&data, 600, 1);
    }

    /// "An option ... MUST be acknowledged with ACK 0": no DATA before that, only the OACK again.
    fn no_data_before_ack_0(setup) {
        let data = pattern(3000, 3);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("windowsize", "16")]);
        client.expect_oack(&[("windowsize", "16")]);
        for packet in client.listen_for(Duration::from_millis(700)) {
            assert!(matches!(packet, Packet::Oack(_)), "only the OACK: {packet:?}");
        }
        client.ack(0);
        client.expect_data(1, &data[..512]);
    }

    /// A lost OACK is sent again.
    fn a_lost_oack_is_sent_again(setup) {
        let root = Root::with("file", &pattern(3000, 4));
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("tsize", "0")]);
        client.expect_oack(&[("tsize", "3000")]);
        let (again, _) = client.next_within(Duration::from_secs(5)).expect("the OACK again");
        assert_eq!(again, Packet::Oack(vec![("tsize".into(), "3000".into())]));
    }

    /// "A malformed option ... is ignored": the request is served as without it.
    fn a_malformed_value_never_loses_the_request(setup) {
        let data = pattern(700, 5);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let malformed: [(&str, &str); 24] = [
            ("blksize", ""), ("blksize", "-1"), ("blksize", "0"), ("blksize", "7"), ("blksize", "0x200"),
            ("blksize", "1e3"), ("blksize", " 512"), ("blksize", "512 "), ("blksize", "+512"),
            ("blksize", "18446744073709551616"), ("blksize", "99999999999999999999999999999"),
            ("timeout", ""), ("timeout", "0"), ("timeout", "256"), ("timeout", "-5"), ("timeout", "1.5"),
            ("tsize", "many"), ("tsize", "-1"), ("tsize", ""),
            ("windowsize", "0"), ("windowsize", ""), ("windowsize", "-4"), ("windowsize", "x"),
            ("", ""),
        ];
        for option in malformed {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[option]);
            match client.expect() {
                Packet::Data { block: 1, payload } => assert!(payload == data[..512], "{option:?}"),
                other => panic!("{option:?}: {other:?}"),
            }
            client.ack(1);
            client.receive_rest(&data, 512, 2);
        }
    }

    /// A malformed option between good ones leaves the good ones.
    fn a_malformed_value_leaves_the_others(setup) {
        let root = Root::with("file", &pattern(700, 6));
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("timeout", "0"), ("blksize", "600"), ("windowsize", "no"), ("tsize", "0")]);
        client.expect_oack(&[("blksize", "600"), ("tsize", "700")]);
        client.send(&error(8, "enough"));
    }

    /// An option list that is cut off anywhere is still a request.
    fn a_truncated_option_list_is_still_a_request(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        let whole = rrq("file", "octet", &[("blksize", "600"), ("tsize", "0")]);
        let mode_end = rrq("file", "octet", &[]).len();
        for len in mode_end..=whole.len() {
            let mut client = Conversation::with(&server);
            client.request(&whole[..len]);
            match client.expect() {
                Packet::Data { block: 1, .. } | Packet::Oack(_) => {}
                other => panic!("{len} bytes: {other:?}"),
            }
            client.send(&error(0, "enough"));
        }
    }

    /// "An option may only be specified once": the answer names it once.
    fn a_repeated_option_is_answered_once(setup) {
        let root = Root::with("file", &pattern(700, 7));
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("blksize", "512"), ("blksize", "1024"), ("BLKSIZE", "8")]);
        match client.expect() {
            Packet::Oack(options) => assert_eq!(options.len(), 1, "{options:?}"),
            other => panic!("{other:?}"),
        }
        client.send(&error(8, "enough"));
    }

    /// The OACK is at most 512 bytes; what does not fit is not granted either.
    fn the_oack_never_passes_512_bytes(setup) {
        let data = pattern(3000, 8);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let zeros = |count: usize, digits: &str| "0".repeat(count) + digits;
        for count in [100, 470, 480, 490, 500, 600] {
            let timeout = zeros(count, "5");
            let options = [("timeout", timeout.as_str()), ("blksize", "1000"), ("tsize", "0"), ("windowsize", "2")];
            // `Packet::read` measures the OACK, and the client goes by what it says.
            let fetched = Fetch::new(&server, "file", &options).complete();
            assert!(fetched.data == data, "the same bytes");
        }
    }

    /// "ERROR 8 ... terminates the transfer": a client that does not like the OACK goes.
    fn a_client_may_refuse_the_oack(setup) {
        let root = Root::with("file", &pattern(3000, 9));
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("blksize", "1432")]);
        client.expect_oack(&[("blksize", "1432")]);
        client.send(&error(8, "no"));
        // It did not ask for the size, so this is no probe.
        assert_eq!(server.transfer_with(client.local()).outcome(), "peer_error");
        client.expect_silence(Duration::from_millis(400));
    }

    /// A size probe: tsize asked, and ERROR 0 or 8 right behind the OACK, or behind the first
    /// DATA when there was none (EDK2, Intel ROMs, PXELINUX).
    fn a_size_probe_is_logged_as_such(setup) {
        let data = pattern(3000, 10);
        let root = Root::with("file", &data);
        root.write("empty", b"");
        let server = Server::start(root.path(), setup);
        for ending in [error(0, "TFTP Aborted"), error(8, "User aborted the transfer"), vec![0, 5, 0, 0]] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("tsize", "0"), ("blksize", "1468")]);
            client.expect_oack(&[("tsize", "3000"), ("blksize", "1468")]);
            client.send(&ending);
            assert_eq!(server.transfer_with(client.local()).outcome(), "probe");

            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("tsize", "0")]);
            client.expect_oack(&[("tsize", "3000")]);
            client.ack(0);
            client.expect_data(1, &data[..512]);
            client.send(&ending);
            assert_eq!(server.transfer_with(client.local()).outcome(), "probe");

            let mut client = Conversation::with(&server);
            client.rrq("empty", "octet", &[("tsize", "0")]);
            client.expect_data(1, b"");
            client.send(&ending);
            assert_eq!(server.transfer_with(client.local()).outcome(), "probe");
        }
    }
}
