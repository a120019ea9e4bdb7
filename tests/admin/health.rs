//! `/livez` and `/readyz`: a shard that stands still, a server that drains.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::freeze::Frozen;
use super::http::Watched;
use crate::support::server::PATIENCE;
use crate::support::{Conversation, Root, Setup};

/// What README promises: `/livez` fails so soon after a shard stopped, with a second for this test.
const STATED: Duration = Duration::from_secs(5 + 1);

fn until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

fn a_frozen_shard(setup: Setup) {
    let root = Root::with("file", b"content");
    let watched = Watched::start(&root, setup, &[]);
    // Idle shards turn, too.
    thread::sleep(STATED + Duration::from_secs(1));
    assert_eq!(watched.get("/livez").body, "live\n");
    let frozen = Frozen::thread(&watched.server, "ringboot-1");
    assert_eq!(watched.get("/livez").status, 200, "not at once");
    assert!(until(STATED, || watched.get("/livez").status == 503));
    let answer = watched.get("/livez");
    assert!(
        answer.body.starts_with("shard 1 has not turned for "),
        "{answer:?}"
    );
    drop(frozen);
    assert!(until(PATIENCE, || watched.get("/livez").status == 200));
    assert!(watched.server.stop().contains("SIGTERM"));
}

#[test]
fn a_frozen_shard_is_told_from_an_idle_one_with_uring() {
    Setup::URING.run(a_frozen_shard);
}

#[test]
fn a_frozen_shard_is_told_from_an_idle_one_with_epoll() {
    Setup::EPOLL.run(a_frozen_shard);
}

#[test]
fn a_server_that_drains_is_live_and_not_ready() {
    let root = Root::with("file", &[7; 2000]);
    let mut watched = Watched::start(&root, Setup::EPOLL, &[]);
    let ready = watched.get("/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "octet", &[]);
    client.expect_data(1, &[7; 512]);
    watched.server.signal(Signal::TERM);
    assert!(until(PATIENCE, || watched.get("/readyz").status == 503));
    assert_eq!(watched.get("/readyz").body, "draining\n");
    assert_eq!(watched.get("/livez").status, 200);
    // One shard has ended, which is no freeze.
    thread::sleep(STATED);
    assert_eq!(watched.get("/livez").status, 200);
    for block in 1..=4 {
        client.ack(block);
    }
    watched.server.wait_exit(PATIENCE);
}
