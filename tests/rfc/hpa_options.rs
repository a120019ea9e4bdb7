//! The options of tftp-hpa that no RFC has: blksize2, utimeout, rollover.

use crate::support::packet::error;
use crate::support::{Conversation, Fetch, Root, Server, pattern};

matrix! {
    /// blksize2: the largest power of two that is no larger than asked.
    fn blksize2_is_a_power_of_two(setup) {
        let data = pattern(5000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for (asked, granted) in [("8", "8"), ("1468", "1024"), ("512", "512"), ("65464", "32768"), ("15", "8")] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("blksize2", asked)]);
            client.expect_oack(&[("blksize2", granted)]);
            client.ack(0);
            client.receive_rest(&data, granted.parse().unwrap(), 1);
        }
    }

    /// utimeout: microseconds, echoed.
    fn utimeout_is_echoed(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        for utimeout in ["10000", "500000", "1000000", "255000000"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("utimeout", utimeout)]);
            client.expect_oack(&[("utimeout", utimeout)]);
            client.ack(0);
            client.expect_data(1, b"content");
            client.ack(1);
        }
        for bad in ["0", "1", "256000000", "x", "-10000"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("utimeout", bad)]);
            client.expect_data(1, b"content");
            client.ack(1);
        }
    }

    /// rollover: the number behind 65,535.
    fn rollover_says_where_numbers_go_on(setup) {
        let data = pattern(8 * 65_600 + 3, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for rollover in ["0", "1"] {
            let options = [("rollover", rollover), ("blksize", "8"), ("windowsize", "60")];
            let fetched = Fetch::new(&server, "file", &options).wraps_to(rollover.parse().unwrap()).complete();
            assert_eq!(fetched.oack[0], ("rollover".to_string(), rollover.to_string()));
            assert!(fetched.data == data, "the same bytes");
        }
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("rollover", "2"), ("blksize", "8")]);
        client.expect_oack(&[("blksize", "8")]);
        client.send(&error(8, "enough"));
    }
}
