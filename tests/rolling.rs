//! A new server takes the place of an old one under load: no request is lost, no transfer cut.
//! Clients that have to ask a second time fail their test.

#[macro_use]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::conversation::any_port;
use support::server::run_to_end;
use support::{Conversation, Fetch, Root, Server, Setup, pattern};

/// Clients at a time. Each asks for its next file as soon as it has one.
const CLIENTS: usize = 24;

/// How often the server is replaced.
const SUCCESSORS: usize = 4;

/// Far more than an answer takes; a lost request would never be answered.
const PATIENCE: Duration = Duration::from_secs(8);

fn successor(root: &Path, setup: Setup, addr: SocketAddr) -> Server {
    let addr = addr.to_string();
    Server::on(root, setup)
        .listen(&addr)
        .args(&["--takeover"])
        .start()
}

backends! {
    fn no_request_is_lost(setup) {
        let data = pattern(40_000, 7);
        let root = Root::with("file", &data);
        let mut server = Server::start(root.path(), setup);
        let addr = server.addr();
        let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while !over.load(Relaxed) {
                        let fetch = Fetch::from(any_port(addr), addr, "file", &[("blksize", "1400")]);
                        let fetched = fetch.patience(PATIENCE).complete();
                        assert!(fetched.data == data, "the file as it is");
                        assert_eq!(fetched.requests, 1, "a request was lost");
                        served.fetch_add(1, Relaxed);
                    }
                });
            }
            for _ in 0..SUCCESSORS {
                await_more(&served, 200);
                let next = successor(root.path(), setup, addr);
                await_more(&served, 200);
                assert_eq!(std::mem::replace(&mut server, next).end(), Some(0));
            }
            await_more(&served, 200);
            over.store(true, Relaxed);
        });
        server.stop();
    }

    /// What is under way stays with the old server, to its end.
    fn a_slow_transfer_ends_where_it_began(setup) {
        let data = pattern(2_000, 3);
        let root = Root::with("file", &data);
        let old = Server::start(root.path(), setup);
        let mut client = Conversation::with(&old);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        let new = successor(root.path(), setup, old.addr());
        old.signal(Signal::TERM);
        old.find_line(PATIENCE, |line| line.contains("SIGTERM")).expect("a word about SIGTERM");
        // Whoever asks now meets the new one.
        thread::sleep(Duration::from_millis(200));
        for _ in 0..20 {
            let fetched = Fetch::from(any_port(old.addr()), old.addr(), "file", &[]).patience(PATIENCE).complete();
            new.transfer_with(fetched.client);
        }
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        client.ack(2);
        client.expect_data(3, &data[1024..1536]);
        client.ack(3);
        client.expect_data(4, &data[1536..]);
        client.ack(4);
        assert_eq!(old.transfer_with(client.local()).outcome(), "completed");
        assert_eq!(old.end(), Some(0));
        new.stop();
    }
}

/// Two servers by mistake are refused, as ever.
#[test]
fn nobody_joins_unasked() {
    let root = Root::new();
    let server = Server::start(root.path(), Setup::EPOLL);
    let (addr, path) = (
        server.addr().to_string(),
        root.path().to_str().expect("a text"),
    );
    let output = run_to_end(&["serve", path, "--listen", &addr]);
    let said = String::from_utf8(output.stderr).expect("a text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another program has this port"), "{said}");
    let output = run_to_end(&[
        "serve",
        path,
        "--listen",
        &addr,
        "--takeover",
        "--single-port",
    ]);
    assert_eq!(output.status.code(), Some(2));
}

fn await_more(served: &AtomicUsize, more: usize) {
    let goal = served.load(Relaxed) + more;
    let deadline = Instant::now() + Duration::from_secs(60);
    while served.load(Relaxed) < goal {
        assert!(Instant::now() < deadline, "the clients are stuck");
        thread::sleep(Duration::from_millis(5));
    }
}
