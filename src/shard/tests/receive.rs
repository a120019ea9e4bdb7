//! What comes in: datagrams, wake-ups, deadlines, ICMP.

use std::thread;
use std::time::{Duration, Instant};

use super::harness::{BACKENDS, Harness, Seen, client, receive};
use crate::clock;
use crate::endpoint::{Peer, SocketId};
use crate::limits::RECEIVE_FAILURES;
use crate::shard::{Event, IoChoice, Outbox};
use crate::transfer::Nanos;

#[test]
fn a_datagram_comes_with_its_sender_and_arrival() {
    for choice in BACKENDS {
        for (listen, asked) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.2"),
            ("[::]:0", "::1"),
        ] {
            let mut harness = Harness::listening(choice, listen);
            let mut target = harness.listener();
            target.set_ip(asked.parse().expect("an address"));
            let client = client(if target.is_ipv4() {
                "127.0.0.1:0"
            } else {
                "[::1]:0"
            });
            client.send_to(b"hello", target).expect("sent");
            let seen = harness.turn_while(|seen| !seen.is_empty());
            let [
                Seen::Datagram {
                    socket,
                    peer,
                    local: Some(arrival),
                    bytes,
                    truncated: false,
                },
            ] = &seen[..]
            else {
                panic!("{choice:?}: {seen:?}");
            };
            assert_eq!(*socket, SocketId(0));
            assert_eq!(peer.to_addr(), client.local_addr().expect("bound"));
            assert_eq!(arrival.ip, target.ip());
            assert_eq!(arrival.ifindex, 1);
            assert!(!arrival.broadcast);
            assert_eq!(bytes, b"hello");
        }
    }
}

#[test]
fn a_broadcast_is_noticed() {
    for choice in BACKENDS {
        let mut harness = Harness::listening(choice, "0.0.0.0:0");
        let client = client("127.0.0.1:0");
        client.set_broadcast(true).expect("broadcast allowed");
        let target = format!("127.255.255.255:{}", harness.listener().port());
        client.send_to(b"anyone?", target).expect("sent");
        let seen = harness.turn_while(|seen| !seen.is_empty());
        let [
            Seen::Datagram {
                local: Some(arrival),
                ..
            },
        ] = &seen[..]
        else {
            panic!("{choice:?}: {seen:?}");
        };
        assert!(arrival.broadcast);
        assert_eq!(arrival.ip.to_string(), "127.0.0.1");
    }
}

#[test]
fn data_sockets_report_no_arrival() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        client
            .send_to(&[0, 4, 0, 1], harness.data_addr())
            .expect("sent");
        let seen = harness.turn_while(|seen| !seen.is_empty());
        let expected = Seen::Datagram {
            socket: harness.data_socket(),
            peer: Peer::from(client.local_addr().expect("bound")),
            local: None,
            bytes: vec![0, 4, 0, 1],
            truncated: false,
        };
        assert_eq!(seen, [expected], "{choice:?}");
    }
}

#[test]
fn empty_and_oversized_datagrams_are_ordinary() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        client.send_to(&[], harness.listener()).expect("sent");
        client
            .send_to(&[1; 9000], harness.listener())
            .expect("sent");
        client
            .send_to(&[1; 2048], harness.listener())
            .expect("sent");
        let seen = harness.turn_while(|seen| seen.len() == 3);
        let lengths: Vec<_> = seen
            .iter()
            .map(|seen| match seen {
                Seen::Datagram {
                    bytes, truncated, ..
                } => (bytes.len(), *truncated),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths[0], (0, false), "{choice:?}");
        assert!(lengths[1].1 && lengths[1].0 >= 2048, "{choice:?}");
        assert_eq!(lengths[2], (2048, false), "{choice:?}");
        assert_eq!(harness.backend.counters().truncated, 1);
    }
}

#[test]
fn a_burst_of_two_thousand_is_received_whole() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        for n in 0..2000_u32 {
            client
                .send_to(&n.to_be_bytes(), harness.listener())
                .expect("sent");
            client
                .send_to(&n.to_be_bytes(), harness.data_addr())
                .expect("sent");
        }
        let seen = harness.turn_while(|seen| seen.len() >= 4000);
        for socket in [SocketId(0), harness.data_socket()] {
            let mut numbers: Vec<_> = seen
                .iter()
                .filter_map(|seen| match seen {
                    Seen::Datagram {
                        socket: of, bytes, ..
                    } if *of == socket => Some(bytes.clone()),
                    _ => None,
                })
                .collect();
            numbers.sort();
            let expected: Vec<_> = (0..2000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
            assert_eq!(numbers, expected, "{choice:?}");
        }
        assert_eq!(harness.backend.counters().datagrams_received, 4000);
        assert_eq!(harness.backend.kernel_drops(), 0);
    }
}

#[test]
fn a_turn_says_when_it_left_datagrams_behind() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        client.send_to(b"one", harness.data_addr()).expect("sent");
        harness.turn_while(|seen| !seen.is_empty());
        assert!(!harness.backend.behind(), "{choice:?}");
        for _ in 0..2000 {
            client.send_to(b"many", harness.data_addr()).expect("sent");
        }
        let mut seen = harness.turn().len();
        assert!(harness.backend.behind(), "{choice:?}: {seen}");
        while seen < 2000 {
            seen += harness.turn().len();
        }
        harness.turn_until(Some(Nanos::ZERO));
        assert!(!harness.backend.behind(), "{choice:?}");
    }
}

#[test]
fn another_thread_wakes_the_shard_each_time() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        for _ in 0..3 {
            let waker = harness.waker.clone();
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                waker.wake();
                waker.wake();
            });
            let mut seen = harness.turn_until(None);
            thread.join().expect("no panic");
            seen.extend(harness.turn_until(Some(Nanos::ZERO)));
            assert!(
                !seen.is_empty() && seen.iter().all(|seen| *seen == Seen::Woken),
                "{choice:?}: {seen:?}"
            );
        }
    }
}

#[test]
fn a_wake_up_before_the_wait_is_not_lost() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        harness.waker.wake();
        assert_eq!(harness.turn_until(None), [Seen::Woken], "{choice:?}");
    }
}

#[test]
fn a_deadline_ends_the_wait_and_not_too_early() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let deadline = clock::now() + Nanos::from_micros(1500);
        while clock::now() < deadline {
            assert_eq!(harness.turn_until(Some(deadline)), [], "{choice:?}");
        }
        let begin = Instant::now();
        let turns = harness.backend.counters().turns;
        assert!(turns < 100, "{choice:?} spins: {turns} turns");
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
        assert_eq!(harness.turn_until(Some(deadline)), []);
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn a_vanished_client_is_reported() {
    for choice in BACKENDS {
        for (listen, ip) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
            let mut harness = Harness::listening(choice, listen);
            let gone = {
                let client = client(ip);
                client.local_addr().expect("bound")
            };
            let alive = client(ip);
            let (lost, kept) = (
                harness.route(gone),
                harness.route(alive.local_addr().expect("bound")),
            );
            // The pending error of one peer must not cost another one its packet.
            for n in 0..20_u8 {
                harness.outbox.push_packet(&lost, &[0, 5, 0, 0, 0]);
                harness.outbox.push_packet(&kept, &[0, 5, 0, n, 0]);
            }
            let expected = Seen::Unreachable(lost.socket, lost.peer);
            let seen = harness.turn_while(|seen| !seen.is_empty());
            assert!(
                seen.iter().all(|seen| *seen == expected),
                "{choice:?}: {seen:?}"
            );
            assert!(!seen.is_empty(), "{choice:?}");
            for n in 0..20_u8 {
                assert_eq!(receive(&alive).0, [0, 5, 0, n, 0]);
            }
            // And the socket still receives, without spinning.
            alive.send_to(b"ack", harness.data_addr()).expect("sent");
            let is_datagram = |seen: &Seen| matches!(seen, Seen::Datagram { .. });
            let seen = harness.turn_while(|seen| seen.iter().any(is_datagram));
            assert!(seen.iter().any(is_datagram), "{choice:?}: {seen:?}");
            let before = harness.backend.counters().turns;
            let end = clock::now() + Nanos::from_millis(50);
            while clock::now() < end {
                harness.turn_until(Some(end));
            }
            assert!(
                harness.backend.counters().turns - before < 50,
                "{choice:?} spins"
            );
        }
    }
}

#[test]
fn a_farm_that_vanishes_as_one_ends_nothing() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let gone = client("127.0.0.1:0").local_addr().expect("bound");
        let lost = harness.route(gone);
        let expected = Seen::Unreachable(lost.socket, lost.peer);
        for _ in 0..=RECEIVE_FAILURES {
            harness.outbox.push_packet(&lost, &[0, 5, 0, 0, 0]);
            let seen = harness.turn_while(|seen| !seen.is_empty());
            assert_eq!(seen, std::slice::from_ref(&expected), "{choice:?}");
        }
    }
}

#[test]
fn answers_pushed_from_the_handler_go_to_a_second_outbox() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        let mut second = Outbox::new();
        let route = harness.route(client.local_addr().expect("bound"));
        for n in 0..100_u8 {
            client.send_to(&[n], harness.data_addr()).expect("sent");
        }
        let mut answered = 0;
        while answered < 100 {
            let mut on_event = |event: Event<'_>| {
                if let Event::Datagram { bytes, .. } = event {
                    second.push_packet(&route, bytes);
                    answered += 1;
                }
            };
            harness
                .backend
                .turn(&mut harness.outbox, None, &mut on_event)
                .expect("works");
            core::mem::swap(&mut harness.outbox, &mut second);
        }
        harness.turn_until(Some(Nanos::ZERO));
        for n in 0..100_u8 {
            assert_eq!(receive(&client).0, [n], "{choice:?}");
        }
    }
}

#[test]
fn closed_listeners_free_their_port_while_data_goes_on() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        harness.turn_until(Some(Nanos::ZERO));
        harness.backend.close_listeners().expect("closed");
        let successor = std::net::UdpSocket::bind(harness.listener());
        assert!(successor.is_ok(), "{choice:?}: {successor:?}");
        let client = client("127.0.0.1:0");
        client.send_to(b"ack", harness.data_addr()).expect("sent");
        let seen = harness.turn_while(|seen| !seen.is_empty());
        assert_eq!(seen.len(), 1, "{choice:?}: {seen:?}");
    }
}

/// What has come is reported, what comes is the successor's.
#[test]
fn listeners_that_have_left_lose_nothing_and_hear_nothing() {
    for choice in BACKENDS {
        let mut harness = Harness::new(choice);
        harness.turn_until(Some(Nanos::ZERO));
        let client = client("127.0.0.1:0");
        let listener = harness.listener();
        client.send_to(b"before", listener).expect("sent");
        harness.backend.leave_listeners();
        let successor = joining(listener);
        for _ in 0..20 {
            let other = self::client("127.0.0.1:0");
            other.send_to(b"behind", listener).expect("sent");
            assert_eq!(receive(&successor).0, b"behind", "{choice:?}");
        }
        let seen = harness.turn_while(|seen| !seen.is_empty());
        assert_eq!(seen.len(), 1, "{choice:?}: {seen:?}");
        assert!(
            harness.turn_until(Some(Nanos::ZERO)).is_empty(),
            "{choice:?}"
        );
        harness.backend.close_listeners().expect("closed");
    }
}

/// A member of the port's group, as a successor has it.
fn joining(addr: core::net::SocketAddr) -> std::net::UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
    let socket = socket.expect("a socket");
    socket.set_reuse_port(true).expect("set");
    socket.bind(&addr.into()).expect("joined");
    let socket = std::net::UdpSocket::from(socket);
    let wait = core::time::Duration::from_secs(5);
    socket.set_read_timeout(Some(wait)).expect("set");
    socket
}

#[test]
fn ports_are_free_as_soon_as_a_backend_is_dropped() {
    for choice in BACKENDS {
        for _ in 0..5 {
            let mut harness = Harness::new(choice);
            harness.turn_until(Some(Nanos::ZERO));
            let (listener, data) = (harness.listener(), harness.data_addr());
            drop(harness);
            for addr in [listener, data] {
                let again = std::net::UdpSocket::bind(addr);
                assert!(again.is_ok(), "{choice:?} {addr}: {again:?}");
            }
        }
    }
}

#[test]
fn the_choice_is_kept() {
    let harness = Harness::new(IoChoice::Epoll);
    assert_eq!(harness.backend.name(), "epoll");
}
