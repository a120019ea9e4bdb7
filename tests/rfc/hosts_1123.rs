//! RFC 1123, section 4.2: what hosts must do better than RFC 1350's forerunner said.

use std::time::{Duration, Instant};

use crate::support::{Conversation, Fetch, Packet, Root, Server, pattern};

matrix! {
    /// 4.2.3.1: "the sender ... must never resend the current DATA packet on receipt of a
    /// duplicate ACK" (the Sorcerer's Apprentice).
    fn a_duplicate_ack_causes_no_data(setup) {
        let data = pattern(5000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack_slowly(1);
        client.expect_data(2, &data[512..1024]);
        for _ in 0..50 {
            client.ack(1);
        }
        client.expect_silence(Duration::from_millis(200));
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        let transfer = server.transfer_with(client.local());
        assert_eq!(transfer.outcome(), "completed");
    }

    /// 4.2.3.1, over a whole transfer: each ACK delivered twice, and no packet more than the
    /// blocks and what timers sent again.
    fn every_ack_twice_costs_no_packet(setup) {
        let data = pattern(512 * 400 + 7, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let fetched = Fetch::new(&server, "file", &[]).ack_copies(2).complete();
        assert!(fetched.data == data, "the same bytes");
        let resends = server.transfer_with(fetched.client).number("resends");
        assert!(resends < 40, "timers alone resend, and seldom: {resends}");
        assert!(fetched.packets as u64 <= 401 + resends, "{} packets, {resends} resends", fetched.packets);
    }

    /// 4.2.3.2: "a TFTP implementation MUST use an adaptive timeout" with exponential backoff.
    fn resends_back_off(setup) {
        let data = pattern(5000, 3);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        let start = Instant::now();
        let mut arrivals = Vec::new();
        while let Some(left) = Duration::from_millis(1500).checked_sub(start.elapsed()) {
            if let Some((packet, _)) = client.next_within(left) {
                assert_eq!(packet.block(), Some(2));
                arrivals.push(start.elapsed());
            }
        }
        assert!((2..=14).contains(&arrivals.len()), "resends at {arrivals:?}");
        assert!(arrivals[0] < Duration::from_millis(700), "adaptive, not a second: {arrivals:?}");
        let early = arrivals[1] - arrivals[0];
        let late = arrivals[arrivals.len() - 1] - arrivals[arrivals.len() - 2];
        assert!(arrivals.len() < 4 || late > early, "the pauses grow: {arrivals:?}");
    }

    /// 4.2.3.1 for the OACK: ACK 0 once more is a duplicate as well.
    fn a_duplicate_ack_0_causes_no_data(setup) {
        let data = pattern(5000, 4);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("blksize", "1000")]);
        client.expect_oack(&[("blksize", "1000")]);
        client.ack_slowly(0);
        client.expect_data(1, &data[..1000]);
        for _ in 0..50 {
            client.ack(0);
        }
        client.expect_silence(Duration::from_millis(200));
        client.ack(1);
        client.receive_rest(&data, 1000, 2);
    }
}

/// A resend carries what was sent before.
#[test]
fn a_resend_is_the_same_packet() {
    let data = pattern(600, 5);
    let root = Root::with("file", &data);
    let server = Server::start(root.path(), crate::support::Setup::EPOLL);
    let mut client = Conversation::with(&server);
    client.rrq("file", "octet", &[]);
    client.expect_data(1, &data[..512]);
    let (again, _) = client
        .next_within(Duration::from_secs(5))
        .expect("a resend");
    let expected = Packet::Data {
        block: 1,
        payload: data[..512].to_vec(),
    };
    assert_eq!(again, expected);
}
