//! Who may ask: lists, rates for each network, transfers at a time with a line to wait in.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use crate::site::{Site, ask};
use crate::support::packet::rrq;
use crate::support::{Conversation, Fetch, Setup, pattern};

fn at(server: std::net::SocketAddr, ip: &str) -> Conversation {
    Conversation::between(
        UdpSocket::bind((ip, 0)).expect("an address of this host"),
        server,
    )
}

matrix! {
    /// `deny` keeps out whom `allow` lets in; who is not served is told so, by reading and writing.
    fn lists_let_in_and_keep_out(setup) {
        let site = Site::new(r"
            [access]
            allow = ['127.0.0.0/28', '127.0.1.0/24']
            deny = '127.0.0.5'
        ").file("root/file");
        let server = site.serve(setup);
        assert_eq!(ask(&server, "127.0.0.4", "file"), Ok("root/file".into()));
        assert_eq!(ask(&server, "127.0.1.7", "file"), Ok("root/file".into()));
        for ip in ["127.0.0.5", "127.0.0.16", "127.0.2.1"] {
            assert_eq!(ask(&server, ip, "file"), Err((2, "Access violation".into())), "{ip}");
            assert_eq!(ask(&server, ip, "nothing"), Err((2, "Access violation".into())), "{ip}: no oracle");
        }
        let refused = server.wait_for(|transfer| transfer.outcome() == "refused");
        assert_eq!(refused.text("reason"), "this address is not to be served");
        server.stop();
    }

    /// A cap makes requests wait, not fail: all of them are served in the end, never more than the
    /// cap at once, on all shards together.
    fn transfers_over_the_cap_wait_for_their_turn(setup) {
        let data = pattern(200_000, 3);
        let site = Site::new("[limits]\ntransfers-per-client = 2\ntransfers = 3\n");
        std::fs::write(site.root().join("file"), &data).expect("a file");
        let server = site.serve(setup);
        let most = thread::scope(|scope| {
            let clients: Vec<_> = (0..8).map(|n| {
                let (server, data) = (&server, &data);
                scope.spawn(move || {
                    let socket = UdpSocket::bind((if n < 5 { "127.0.0.1" } else { "127.0.0.2" }, 0)).expect("a socket");
                    let fetched = Fetch::from(socket, server.addr(), "file", &[]).complete();
                    assert!(fetched.data == *data);
                })
            }).collect();
            clients.into_iter().for_each(|client| client.join().expect("a client"));
            server.transfers()
        });
        let failed: Vec<_> = most.iter().filter(|transfer| transfer.outcome() != "completed").collect();
        assert!(failed.is_empty(), "{failed:?}");
        server.stop();
    }

    /// Who holds the places keeps others waiting, in silence, and a client that asks again is not a
    /// second one in the line; when a place is free the first answer comes by itself.
    fn a_place_that_is_free_goes_to_who_waits(setup) {
        let data = pattern(2_000, 4);
        let site = Site::new("[limits]\ntransfers-per-client = 2\n");
        std::fs::write(site.root().join("file"), &data).expect("a file");
        let server = site.serve(setup);
        let mut holders: Vec<Conversation> = (0..2).map(|_| at(server.addr(), "127.0.0.1")).collect();
        for holder in &mut holders {
            holder.rrq("file", "octet", &[]);
            holder.expect_data(1, &data[..512]);
        }
        let mut third = at(server.addr(), "127.0.0.1");
        third.rrq("file", "octet", &[]);
        third.expect_silence(Duration::from_millis(300));
        third.request_again(&rrq("file", "octet", &[]));
        third.expect_silence(Duration::from_millis(200));
        // Another client has places of its own.
        let mut other = at(server.addr(), "127.0.0.2");
        other.rrq("file", "octet", &[]);
        other.receive_rest(&data, 512, 1);
        holders[0].ack(1);
        holders[0].receive_rest(&data, 512, 2);
        third.receive_rest(&data, 512, 1);
        let own = third.local();
        assert_eq!(server.transfer_with(own).outcome(), "completed");
        assert_eq!(server.transfers().iter().filter(|one| one.text("client") == own.to_string()).count(), 1);
    }
}

backends! {
    /// More requests than a network may make are dropped in silence; other networks do not notice.
    fn a_network_has_a_rate_of_requests(setup) {
        let site = Site::new("[limits]\nrequests-per-second = 1\nrequests-burst = 10\n").file("root/file");
        let server = site.serve(setup);
        let mut answered = 0;
        for _ in 0..30 {
            let mut client = at(server.addr(), "127.0.7.1");
            client.rrq("file", "octet", &[]);
            answered += usize::from(client.next_within(Duration::from_millis(30)).is_some());
        }
        assert!((10..=13).contains(&answered), "{answered}");
        assert_eq!(ask(&server, "127.0.8.1", "file"), Ok("root/file".into()));
        let shed = server.wait_for(|transfer| transfer.outcome() == "shed");
        assert_eq!(shed.text("reason"), "too many requests from this network");
        server.stop();
    }

    /// A client that acknowledges gets its request back: an honest farm never meets that limit.
    fn clients_that_answer_do_not_use_the_rate_up(setup) {
        let site = Site::new("[limits]\nrequests-per-second = 1\nrequests-burst = 5\n").file("root/file");
        let server = site.serve(setup);
        for _ in 0..30 {
            assert_eq!(ask(&server, "127.0.7.1", "file"), Ok("root/file".into()));
        }
        server.stop();
    }

    /// ERRORs to one network are bounded, whatever asks for them: misses, refusals, strange packets.
    fn a_network_has_a_rate_of_errors(setup) {
        let site = Site::new("[limits]\nerrors-per-second = 1\nerrors-burst = 10\n[access]\ndeny = '127.0.8.0/24'\n");
        let server = site.serve(setup);
        for network in ["127.0.7", "127.0.8"] {
            let mut told = 0;
            for n in 0..40 {
                let mut client = at(server.addr(), &format!("{network}.{}", n + 1));
                client.rrq("nothing", "octet", &[]);
                told += usize::from(client.next_within(Duration::from_millis(20)).is_some());
            }
            assert!((8..=14).contains(&told), "{network}: {told}");
        }
        server.stop();
    }
}

/// Single-port mode says what it costs, unless the operator says who may ask.
#[test]
fn single_port_mode_warns_without_a_list() {
    let setup = Setup::EPOLL_SINGLE;
    let site = Site::new("").file("root/file");
    let said = site.serve(setup).stop();
    assert!(said.contains("forged ACKs"), "{said}");
    let site = Site::new("[access]\nallow = '127.0.0.0/8'\n").file("root/file");
    let server = site.serve(setup);
    assert_eq!(ask(&server, "127.0.0.1", "file"), Ok("root/file".into()));
    let said = server.stop();
    assert!(!said.contains("forged ACKs"), "{said}");
}
