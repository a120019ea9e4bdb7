//! A slow interface and a small send buffer: what is put off comes later, once, and nothing spins.

use std::process::Command;
use std::thread;

use super::busy::make_busy;
use super::harness::{
    BACKENDS, Harness, Seen, client, content, data, image, plan, receive, sockets, train,
};
use crate::shard::{IoChoice, options};
use crate::transfer::Nanos;

/// Runs `body` on a thread with a loopback of its own, slowed down to 8 Mbit/s. Where the user may
/// not do that, or the host lacks `ip` and `tc`, nothing is tested.
fn with_slow_loopback(body: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(move || {
        // SAFETY: only this thread moves to a new network namespace.
        let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
        let run = |words: &str| {
            let mut words = words.split(' ');
            let program = words.next().unwrap_or_default();
            Command::new(program)
                .args(words)
                .status()
                .is_ok_and(|status| status.success())
        };
        let slow = "tc qdisc add dev lo root tbf rate 8mbit burst 4kb limit 4mb";
        if moved && run("ip link set lo up") && run(slow) {
            body();
        }
    });
    thread.join().expect("no panic");
}

#[test]
fn a_full_socket_buffer_puts_sends_off() {
    for choice in BACKENDS {
        for busy in [false, true] {
            with_slow_loopback(move || put_off_and_deliver(choice, busy));
        }
    }
}

fn put_off_and_deliver(choice: IoChoice, busy: bool) {
    const BLOCKS: u64 = 120;
    const WINDOW: u32 = 4;
    let bytes = content(BLOCKS as usize * 1024 - 1);
    let image = image(&bytes);
    let sockets = sockets(&plan("127.0.0.1:0"));
    for (_, fd) in sockets.open() {
        options::set(fd, libc::SOL_SOCKET, libc::SO_SNDBUF, 8 << 10).expect("set");
    }
    let mut harness = Harness::with(choice, sockets);
    let client = client("127.0.0.1:0");
    if busy {
        make_busy(&mut harness, &client);
    }
    let route = harness.route(client.local_addr().expect("bound"));
    for first in (1..=BLOCKS).step_by(WINDOW as usize) {
        harness
            .outbox
            .push_train(&route, &image, &train(first, WINDOW, 1024));
        harness.outbox.push_packet(&route, &first.to_be_bytes());
    }
    let packets = BLOCKS / u64::from(WINDOW);
    let mut put_off = 0;
    harness.turn_while_pushing(BLOCKS + packets, |seen, outbox| match seen {
        Seen::Congested(blocks) => {
            put_off += blocks.count;
            let again = train(blocks.first, blocks.count, 1024);
            outbox.push_train(&route, &image, &again);
        }
        other => panic!("{choice:?}: {other:?}"),
    });
    let mut got: Vec<_> = (0..BLOCKS + packets).map(|_| receive(&client).0).collect();
    let mut expected: Vec<_> = (1..=BLOCKS).map(|n| data(&bytes, n, 1024)).collect();
    expected.extend(
        (1..=BLOCKS)
            .step_by(WINDOW as usize)
            .map(|n| n.to_be_bytes().to_vec()),
    );
    got.sort();
    expected.sort();
    assert!(
        got == expected,
        "{choice:?}: something is missing or came twice"
    );
    let counters = harness.backend.counters();
    assert!(
        put_off > 0 && counters.congested > 0,
        "{choice:?}: the buffer was never full"
    );
    assert_eq!(counters.lost, 0, "{choice:?}");
    assert!(
        counters.turns < 2000,
        "{choice:?} spins: {} turns",
        counters.turns
    );
    assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
}
