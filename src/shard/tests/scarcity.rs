//! Too little locked memory, a file cut short, one port for all.

use std::fs::File;
use std::io::Write;
use std::thread;

use rustix::process::{Resource, Rlimit, Uid, geteuid, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, gettid, set_capabilities, set_thread_res_uid};

use super::harness::{
    BACKENDS, Harness, Seen, client, content, data, image, plan, receive, sockets, train,
};
use crate::endpoint::{Local, SocketId};
use crate::files::{Catalog, RelPath, Root};
use crate::shard::{IoChoice, Plan, Waker, ZeroCopy, open};
use crate::transfer::Nanos;

/// Runs `body` where locked memory counts: without the capability that lifts the limit. Only this
/// thread loses it, so tests beside it do not notice. Says nothing where it was not there to lose.
/// Locked memory is accounted for by real user: the thread becomes one of its own, so that rings of
/// other tests do not count.
fn with_memlock(bytes: u64, body: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(move || {
        let mut mine = capabilities(None).expect("capabilities");
        if !mine.effective.contains(CapabilitySet::IPC_LOCK) {
            return;
        }
        set_thread_res_uid(own_account(), geteuid(), geteuid()).expect("a real user of its own");
        mine.effective.remove(CapabilitySet::IPC_LOCK);
        set_capabilities(None, mine).expect("fewer capabilities");
        let before = getrlimit(Resource::Memlock);
        let limit = Rlimit {
            current: Some(bytes),
            maximum: before.maximum,
        };
        setrlimit(Resource::Memlock, limit).expect("a lower limit");
        body();
        setrlimit(Resource::Memlock, before).expect("the old limit");
    });
    thread.join().expect("no panic");
}

fn own_account() -> Uid {
    Uid::from_raw(1_000_000 + gettid().as_raw_nonzero().get().cast_unsigned())
}

/// One test, because the limit is the process's: two at a time would undo each other.
#[test]
fn scarce_locked_memory_makes_a_small_ring_or_none() {
    with_memlock(0, || {
        let waker = Waker::new().expect("an eventfd");
        let refused = open(
            IoChoice::Uring,
            ZeroCopy::Auto,
            sockets(&plan("127.0.0.1:0")),
            waker.clone(),
        );
        let why = refused.map(|_| ()).expect_err("no ring without memory");
        assert!(why.contains("RLIMIT_MEMLOCK is 0 KiB"), "{why}");
        let opened = open(
            IoChoice::Auto,
            ZeroCopy::Auto,
            sockets(&plan("127.0.0.1:0")),
            waker,
        )
        .expect("epoll");
        assert_eq!(opened.backend.name(), "epoll");
        assert_eq!(opened.fallback, Some(why));
    });
    with_memlock(64 << 10, || {
        let bytes = content(100_000);
        let mut harness = Harness::new(IoChoice::Uring);
        let client = client("127.0.0.1:0");
        let route = harness.route(client.local_addr().expect("bound"));
        // Far more sends than the small ring has places.
        for _ in 0..1000 {
            harness
                .outbox
                .push_train(&route, &image(&bytes), &train(3, 1, 512));
        }
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
        for _ in 0..1000 {
            assert_eq!(receive(&client).0, data(&bytes, 3, 512));
        }
        // And more datagrams than it has buffers.
        for _ in 0..2000 {
            client
                .send_to(&[0, 4, 0, 1], harness.data_addr())
                .expect("sent");
        }
        let seen = harness.turn_while(|seen| seen.len() == 2000);
        assert_eq!(seen.len(), 2000);
    });
}

#[test]
fn blocks_behind_the_end_of_a_truncated_file_are_unreadable() {
    for choice in BACKENDS {
        let bytes = content(100_000);
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        File::create(&path)
            .and_then(|mut file| file.write_all(&bytes))
            .expect("written");
        let root = Root::open(dir.path()).expect("a root");
        let name = RelPath::parse(b"file").expect("a path");
        let file = root.open_file(&name).expect("there");
        let image = Catalog::default()
            .open(file, false, crate::clock::now())
            .expect("mapped");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(4096))
            .expect("cut");

        let mut harness = Harness::new(choice);
        let client = client("127.0.0.1:0");
        let route = harness.route(client.local_addr().expect("bound"));
        harness
            .outbox
            .push_train(&route, &image, &train(1, 4, 1024));
        harness
            .outbox
            .push_train(&route, &image, &train(20, 4, 1024));
        harness
            .outbox
            .push_train(&route, &image, &train(40, 1, 1024));
        let seen = harness.turn_until(Some(Nanos::ZERO));
        let unreadable: Vec<_> = seen
            .iter()
            .map(|seen| match seen {
                Seen::Failed {
                    blocks,
                    unreadable: true,
                    errno: libc::EFAULT,
                } => blocks.first,
                other => panic!("{choice:?}: {other:?}"),
            })
            .collect();
        assert_eq!(unreadable, [20, 40], "{choice:?}");
        for n in 1..=4 {
            assert_eq!(receive(&client).0, data(&bytes, n, 1024), "{choice:?}");
        }
    }
}

#[test]
fn single_port_serves_requests_and_data_from_one_socket() {
    for choice in BACKENDS {
        let bytes = content(10_000);
        let plan = Plan {
            single_port: true,
            ..plan("0.0.0.0:0")
        };
        let mut harness = Harness::with(choice, sockets(&plan));
        let mut target = harness.listener();
        target.set_ip("127.0.0.2".parse().expect("an address"));
        let client = client("127.0.0.1:0");
        client.send_to(&[1; 1500], target).expect("sent");
        let seen = harness.turn_while(|seen| !seen.is_empty());
        let [
            Seen::Datagram {
                socket: SocketId(0),
                local: Some(arrival),
                truncated: false,
                ..
            },
        ] = &seen[..]
        else {
            panic!("{choice:?}: {seen:?}");
        };
        let mut route = harness.route(client.local_addr().expect("bound"));
        route.local = Local::new(arrival.ip, 0);
        harness
            .outbox
            .push_train(&route, &image(&bytes), &train(1, 8, 1024));
        assert_eq!(harness.turn_until(Some(Nanos::ZERO)), []);
        for n in 1..=8 {
            assert_eq!(
                receive(&client),
                (data(&bytes, n, 1024), target),
                "{choice:?}"
            );
        }
        // Nothing to close: the port is still the transfers'.
        harness.backend.close_listeners().expect("nothing to do");
        client.send_to(&[0, 4, 0, 8], target).expect("sent");
        assert_eq!(harness.turn_while(|seen| !seen.is_empty()).len(), 1);
    }
}
