//! What goes out: packets, trains, fallbacks, congestion.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::harness::{
    BACKENDS, Harness, Seen, client, content, data, forms, image, plan, receive, sockets, train,
};
use crate::endpoint::Local;
use crate::files::Image;
use crate::shard::{IoChoice, options};
use crate::transfer::{BlockRange, Nanos};

#[test]
fn packets_arrive_as_they_were_pushed() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        let route = harness.route(client.local_addr().expect("bound"));
        for n in 0..3000_u16 {
            harness.outbox.push_packet(&route, &n.to_be_bytes());
        }
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
        for n in 0..3000_u16 {
            let (bytes, from) = receive(&client);
            assert_eq!(bytes, n.to_be_bytes(), "{choice:?}");
            assert_eq!(from, harness.data_addr());
        }
        assert_eq!(harness.backend.counters().datagrams_sent, 3000);
    }
}

/// Windows of every shape: one block, more than one GSO send, a short last block, an empty one.
#[test]
fn trains_carry_the_file() {
    for choice in BACKENDS {
        for (size, blksize, window) in [
            (0, 512, 1),
            (1, 512, 4),
            (512, 512, 4),
            (1428 * 7, 1428, 8),
            (100_000, 1428, 16),
            (1_000_000, 1428, 64),
            (200_000, 512, 300),
            (300_000, 8192, 16),
            (200_000, 65_464, 4),
            (9, 8, 2),
        ] {
            let bytes = content(size);
            let forms = forms(&bytes, blksize as u16);
            assert_eq!(forms.len(), if size == 0 || blksize == 8 { 1 } else { 2 });
            for image in &forms {
                carry(choice, &bytes, image, blksize, window);
            }
        }
    }
}

fn carry(choice: IoChoice, bytes: &[u8], image: &Arc<Image>, blksize: usize, window: u32) {
    let what = format!("{choice:?} {}/{blksize}", bytes.len());
    let mut harness = Harness::new(choice);
    let client = client("127.0.0.1:0");
    let route = harness.route(client.local_addr().expect("bound"));
    let last = (bytes.len() / blksize + 1) as u64;
    let mut first = 1;
    while first <= last {
        let train = train(first, window, blksize as u16);
        harness.outbox.push_train(&route, image, &train);
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), [], "{what}");
        let end = last.min(first + u64::from(window) - 1);
        for n in first..=end {
            let got = receive(&client).0;
            assert_eq!(got, data(bytes, n, blksize), "{what} block {n}");
        }
        first = end + 1;
    }
    let counters = harness.backend.counters();
    assert_eq!(counters.datagrams_sent, last);
    if blksize == 1428 && window > 4 {
        assert!(
            counters.messages_sent < last,
            "{what}: no train was a train"
        );
        assert_eq!(counters.gso_fallbacks, 0);
    }
}

#[test]
fn many_transfers_share_one_turn() {
    for choice in BACKENDS {
        let bytes = content(50_000);
        let forms = forms(&bytes, 1428);
        let mut harness = Harness::new(choice);
        let clients: Vec<_> = (0..300).map(|_| client("127.0.0.1:0")).collect();
        for (n, client) in clients.iter().enumerate() {
            let route = harness.route(client.local_addr().expect("bound"));
            harness.outbox.push_train(
                &route,
                &forms[n % forms.len()],
                &train(1 + n as u64 % 30, 4, 1428),
            );
        }
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
        for (n, client) in clients.iter().enumerate() {
            for block in 0..4 {
                let (got, from) = receive(client);
                assert_eq!(
                    got,
                    data(&bytes, 1 + n as u64 % 30 + block, 1428),
                    "{choice:?}"
                );
                assert_eq!(from, harness.data_addr());
            }
        }
    }
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    for choice in BACKENDS {
        for (listen, ip) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "::1")] {
            let bytes = content(10_000);
            let mut harness = Harness::listening(choice, listen);
            let client = client(if ip == "::1" {
                "[::1]:0"
            } else {
                "127.0.0.1:0"
            });
            let mut route = harness.route(client.local_addr().expect("bound"));
            route.local = Local::new(ip.parse().expect("an address"), 0);
            harness.outbox.push_packet(&route, b"oack");
            harness
                .outbox
                .push_train(&route, &image(&bytes), &train(1, 4, 1024));
            assert_eq!(harness.turn_until(Some(Nanos::ZERO)), [], "{choice:?}");
            for _ in 0..5 {
                assert_eq!(receive(&client).1.ip().to_string(), ip, "{choice:?}");
            }
        }
    }
}

/// Without UDP checksums the kernel refuses to segment (EINVAL or EIO).
#[test]
fn a_refused_train_goes_out_block_by_block() {
    for choice in BACKENDS {
        let bytes = content(40_000);
        let forms = forms(&bytes, 1428);
        assert_eq!(forms.len(), 2);
        forms.iter().for_each(|image| refuse(choice, &bytes, image));
    }
}

fn refuse(choice: IoChoice, bytes: &[u8], image: &Arc<Image>) {
    let sockets = sockets(&plan("127.0.0.1:0"));
    for (_, fd) in sockets.open() {
        options::set(fd.as_fd(), libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).expect("set");
    }
    let mut harness = Harness::with(choice, sockets);
    let client = client("127.0.0.1:0");
    let route = harness.route(client.local_addr().expect("bound"));
    // The first time it is tried in vain; from the second on it is known.
    for round in 0..2 {
        harness
            .outbox
            .push_train(&route, image, &train(1, 29, 1428));
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), [], "{choice:?}");
        for n in 1..=29 {
            assert_eq!(receive(&client).0, data(bytes, n, 1428), "{choice:?}");
        }
        let counters = harness.backend.counters();
        assert_eq!(counters.gso_fallbacks, 1, "{choice:?} round {round}");
        assert_eq!(counters.datagrams_sent, 29 * (round + 1));
    }
}

#[test]
fn what_cannot_be_routed_is_reported_and_hurts_nobody_else() {
    for choice in BACKENDS {
        let bytes = content(5_000);
        let image = image(&bytes);
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        // Bound to 127.0.0.1, a socket cannot send to a multicast... but not to 255.255.255.255.
        let lost = harness.route("255.255.255.255:9".parse().expect("an address"));
        let kept = harness.route(client.local_addr().expect("bound"));
        harness.outbox.push_train(&lost, &image, &train(2, 3, 512));
        harness.outbox.push_train(&kept, &image, &train(1, 3, 512));
        let seen = harness.turn_until(Some(Nanos::ZERO));
        let [
            Seen::Failed {
                blocks,
                unreadable: false,
                ..
            },
        ] = &seen[..]
        else {
            panic!("{choice:?}: {seen:?}");
        };
        assert_eq!(*blocks, BlockRange { first: 2, count: 3 });
        for n in 1..=3 {
            assert_eq!(receive(&client).0, data(&bytes, n, 512));
        }
        assert_eq!(harness.backend.counters().send_errors, 1);
    }
}
