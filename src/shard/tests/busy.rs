//! A socket that is busy for many turns, and what comes after: silence, errors, other sockets.

use core::net::SocketAddr;
use core::time::Duration;
use std::net::UdpSocket;
use std::thread;

use super::harness::{BACKENDS, Harness, Seen, client, plan, sockets};
use crate::clock;
use crate::limits::{BATCHES_PER_TURN, BUSY_DATAGRAMS, BUSY_TURNS};
use crate::shard::{IoChoice, Plan};
use crate::transfer::Nanos;

/// Keeps the data socket busy for much longer than a backend needs to notice: now and then a turn
/// is over before all of its datagrams are there.
pub fn make_busy(harness: &mut Harness, client: &UdpSocket) {
    make_all_busy(harness, client, &[harness.data_addr()]);
}

/// The same for several sockets at once.
fn make_all_busy(harness: &mut Harness, client: &UdpSocket, addrs: &[SocketAddr]) {
    for _ in 0..5 * BUSY_TURNS {
        let sent = 8 * BUSY_DATAGRAMS * addrs.len();
        for addr in addrs.iter().cycle().take(sent) {
            client.send_to(b"ack", addr).expect("sent");
        }
        assert_eq!(
            harness.turn_while(|seen| datagrams(seen) >= sent).len(),
            sent
        );
    }
}

fn datagrams(seen: &[Seen]) -> usize {
    let is_datagram = |seen: &&Seen| matches!(seen, Seen::Datagram { .. });
    seen.iter().filter(is_datagram).count()
}

fn busy(choice: IoChoice) -> (Harness, UdpSocket) {
    let mut harness = Harness::new(choice);
    let client = client("127.0.0.1:0");
    make_busy(&mut harness, &client);
    (harness, client)
}

#[test]
fn what_comes_after_a_pause_is_heard() {
    for choice in BACKENDS {
        let (mut harness, client) = busy(choice);
        for _ in 0..3 {
            let before = harness.backend.counters().turns;
            let end = clock::now() + Nanos::from_millis(30);
            while clock::now() < end {
                assert_eq!(harness.turn_until(Some(end)).len(), 0, "{choice:?}");
            }
            let turns = harness.backend.counters().turns - before;
            assert!(turns < 20, "{choice:?} spins: {turns} turns");
            // It comes while the backend waits, and ends the wait.
            let (late, addr) = (client.try_clone().expect("cloned"), harness.data_addr());
            let sender = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                late.send_to(b"ack", addr).expect("sent");
            });
            let seen = harness.turn_until(Some(clock::now() + Nanos::from_secs(5)));
            assert_eq!(datagrams(&seen), 1, "{choice:?}");
            sender.join().expect("sent");
        }
    }
}

#[test]
fn a_vanished_client_is_reported() {
    for choice in BACKENDS {
        let (mut harness, client) = busy(choice);
        let gone = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let lost = harness.route(gone.local_addr().expect("bound"));
        drop(gone);
        harness.outbox.push_packet(&lost, &[0, 5, 0, 0, 0]);
        client.send_to(b"ack", harness.data_addr()).expect("sent");
        let expected = Seen::Unreachable(lost.socket, lost.peer);
        let seen = harness.turn_while(|seen| seen.contains(&expected));
        assert!(seen.contains(&expected), "{choice:?}: {seen:?}");
    }
}

#[test]
fn requests_and_other_threads_have_their_turn() {
    for choice in BACKENDS {
        let (mut harness, client) = busy(choice);
        client
            .send_to(b"request", harness.listener())
            .expect("sent");
        harness.waker.wake();
        let both = |seen: &[Seen]| seen.contains(&Seen::Woken) && count(seen, b"request") == 1;
        let addr = harness.data_addr();
        let seen = harness.turn_while(|seen| {
            keep_busy(&client, addr);
            both(seen)
        });
        assert!(both(&seen), "{choice:?}: {seen:?}");
    }
}

#[test]
fn one_that_paused_is_heard_beside_one_that_did_not() {
    for choice in BACKENDS {
        let mut harness = Harness::with(choice, sockets(&two_addresses()));
        let (busy, paused) = two_data_sockets(&harness);
        let client = client("127.0.0.1:0");
        make_all_busy(&mut harness, &client, &[busy, paused]);
        let mut turns = 0;
        let seen = harness.turn_while(|seen| {
            keep_busy(&client, busy);
            if turns == 6 {
                client.send_to(b"late", paused).expect("sent");
            }
            turns += 1;
            count(seen, b"late") == 1
        });
        assert_eq!(count(&seen, b"late"), 1, "{choice:?}");
    }
}

/// Requests beyond a turn's share are not forgotten because another socket is busy.
#[test]
fn what_a_look_left_is_read_in_the_next_turns() {
    for choice in BACKENDS {
        let (mut harness, client) = busy(choice);
        let sent = 3 * BATCHES_PER_TURN * 64;
        for _ in 0..sent {
            client
                .send_to(b"request", harness.listener())
                .expect("sent");
        }
        let end = clock::now() + Nanos::from_secs(5);
        let mut asked = 0;
        while asked < sent {
            assert!(clock::now() < end, "{choice:?}: {asked}");
            let behind = asked == 0 || harness.backend.behind();
            assert!(behind, "{choice:?}: {asked}");
            keep_busy(&client, harness.data_addr());
            asked += count(&harness.turn(), b"request");
        }
        assert_eq!(asked, sent, "{choice:?}");
    }
}

/// As many datagrams as keep a socket busy for a turn.
fn keep_busy(client: &UdpSocket, addr: SocketAddr) {
    for _ in 0..BUSY_DATAGRAMS {
        client.send_to(b"ack", addr).expect("sent");
    }
}

/// Datagrams with these bytes.
fn count(seen: &[Seen], wanted: &[u8]) -> usize {
    let is_it = |seen: &&Seen| matches!(seen, Seen::Datagram { bytes, .. } if bytes == wanted);
    seen.iter().filter(is_it).count()
}

fn two_addresses() -> Plan {
    let mut plan = plan("127.0.0.1:0");
    plan.listen.extend(self::plan("127.0.0.2:0").listen);
    plan
}

fn two_data_sockets(harness: &Harness) -> (SocketAddr, SocketAddr) {
    let layout = &harness.layout;
    let mut listeners = layout.ids().filter(|&id| layout.is_listener(id));
    let mut next = || {
        let listener = listeners.next().expect("two listeners");
        let data = layout.reply_socket(listener);
        layout.addr(data).expect("an address")
    };
    (next(), next())
}
