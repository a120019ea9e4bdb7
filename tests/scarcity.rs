//! What happens when there is too little: no io_uring, no locked memory, no room for a transfer.
//! The host stays as it is; children and shards of this program alone are short of something.

#[macro_use]
mod support;

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ringboot::endpoint::{Outcome, Policy, Ticket};
use ringboot::files::{Deliver, Opened};
use ringboot::observe::record::{Entry, Record};
use ringboot::shard::{Address, IoChoice};
use support::jail::{Hook, locks_64_kib, locks_nothing, no_io_uring, opens_64_files};
use support::netns::{Netns, privileged};
use support::server::{PATIENCE, PROGRAM, wants};
use support::shard::{How, Shard, directly};
use support::{Conversation, Fetch, Io, Root, Server, Setup, pattern};

#[test]
fn without_io_uring_auto_serves_by_epoll_and_says_why() {
    let data = pattern(100_000, 1);
    let root = Root::with("file", &data);
    let server = Server::on(root.path(), Setup::EPOLL)
        .auto()
        .jail(no_io_uring)
        .start();
    assert!(server.ready().contains(" io=epoll "), "{}", server.ready());
    let why = server.find_line(PATIENCE, |line| line.contains("io=epoll, because"));
    let why = why.expect("the reason");
    assert!(why.contains(culprit_of_eperm()), "{why}");
    assert_eq!(why.matches("because").count(), 1);
    assert_eq!(Fetch::new(&server, "file", &[]).complete().data, data);
    let said = server.stop();
    assert_eq!(
        said.matches("because").count(),
        1,
        "once, not by each shard: {said}"
    );
}

#[test]
fn without_io_uring_a_strict_server_refuses_to_start() {
    let said = refused(no_io_uring);
    assert!(said.contains(culprit_of_eperm()), "{said}");
}

#[test]
fn scarce_locked_memory_makes_a_small_ring_or_none() {
    if !wants(Io::Uring) {
        eprintln!("skipped: RINGBOOT_SKIP_URING is set");
        return;
    }
    let data = pattern(100_000, 2);
    let root = Root::with("file", &data);
    for (hook, io) in [(locks_64_kib as Hook, "uring"), (locks_nothing, "epoll")] {
        let server = Server::on(root.path(), Setup::EPOLL).shards(1).jail(hook);
        let server = server.auto().start();
        assert!(
            server.ready().contains(&format!(" io={io} ")),
            "{}",
            server.stderr()
        );
        let options = [("windowsize", "16")];
        assert_eq!(Fetch::new(&server, "file", &options).complete().data, data);
        server.stop();
    }
    let said = refused(locks_nothing);
    assert!(said.contains("RLIMIT_MEMLOCK is 0 KiB"), "{said}");
}

/// A new ring is tried out by a datagram on loopback, and that may be lost there as anywhere.
#[test]
fn a_lost_probe_is_no_reason_to_do_without_io_uring() {
    if !wants(Io::Uring) || !privileged() {
        return;
    }
    let netns = Netns::new();
    // Two datagrams of 8 bytes, each 36 with its headers.
    netns.drop_arriving("iifname lo udp length 16 quota 72 bytes");
    let root = Root::with("file", b"content");
    let setup = Setup {
        io: Io::Uring,
        single_port: false,
    };
    let server = Server::on(root.path(), setup)
        .netns(&netns)
        .default_listen()
        .start();
    assert!(server.ready().contains(" io=uring "), "{}", server.ready());
    server.stop();
}

/// Each file that is served is an open one, and processes start with a limit of 1,024: it is raised
/// to what the administrator allows.
#[test]
fn more_files_than_the_first_limit() {
    const FILES: u8 = 100;
    let root = Root::new();
    for number in 0..FILES {
        root.write(&number.to_string(), &[number; 600]);
    }
    let server = Server::on(root.path(), Setup::EPOLL).jail(opens_64_files);
    let server = server.start();
    let mut clients: Vec<_> = (0..FILES).map(|_| Conversation::with(&server)).collect();
    for (number, client) in (0..FILES).zip(&mut clients) {
        client.rrq(&number.to_string(), "octet", &[]);
        client.expect_data(1, &[number; 512]);
    }
    drop(clients);
    server.stop();
}

/// A host where io_uring is switched off altogether names that first.
fn culprit_of_eperm() -> &'static str {
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    match sysctl.unwrap_or_default().trim() {
        "1" | "2" => "kernel.io_uring_disabled",
        _ => "seccomp",
    }
}

/// What `--io uring` says before it ends with status 1.
fn refused(hook: Hook) -> String {
    let root = Root::new();
    let mut command = Command::new("timeout");
    command
        .args(["20", PROGRAM, "serve", "--io", "uring", "--shards", "1"])
        .args(["--listen", "127.0.0.1:0", "--root"])
        .arg(root.path());
    // SAFETY: the hooks use prctl and setrlimit only, which are async-signal-safe.
    unsafe { command.pre_exec(hook) };
    let Output { status, stderr, .. } = command.output().expect("timeout starts");
    let said = String::from_utf8(stderr).expect("a text");
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    said
}

/// A full house is silent, for the client asks again by itself; and it says so in the log.
#[test]
fn more_transfers_than_allowed_are_shed() {
    let root = Root::with("file", &pattern(5_000, 3));
    let policy = Policy {
        max_transfers: 2,
        ..Policy::default()
    };
    let how = How {
        io: IoChoice::Epoll,
        policy,
        ..How::default()
    };
    let shard = Shard::start(root.path(), how, directly, || {});
    let guests = [(), ()].map(|()| Asking::start(shard.addr));
    let first = guests.each_ref().map(Asking::answer_from);
    let late = Asking::start(shard.addr);
    let record = wait_for(&shard, |record| record.outcome == Outcome::Shed);
    assert_eq!(&*record.reason, "too many transfers");
    assert_eq!(record.client, late.0.local_addr().unwrap());
    late.hears_nothing();

    guests[0].0.send_to(b"\0\x05\0\0bye\0", first[0]).unwrap();
    wait_for(&shard, |record| record.outcome == Outcome::PeerError);
    late.ask("file", shard.addr);
    late.answer_from();
    shard.stop();
}

/// With the file threads stuck, their queue fills, what comes on top is shed, and afterwards all
/// is well. Another request from the same port replaces the first, so one client will do.
#[test]
fn more_opens_than_fit_the_queue_are_shed() {
    let root = Root::with("file", &pattern(5_000, 4));
    let gate = Arc::new(Gate::default());
    let stuck = Arc::clone(&gate);
    let deliver = move |address| -> Arc<dyn Deliver> {
        Arc::new(Stuck {
            gate: stuck,
            address,
        })
    };
    let how = How {
        io: IoChoice::Epoll,
        ..How::default()
    };
    let shard = Shard::start(root.path(), how, deliver, || {});
    let client = Asking::start(shard.addr);
    let mut asked = 0;
    let record = wait_for_with(
        &shard,
        |record| record.outcome == Outcome::Shed,
        || {
            for _ in 0..2_000 {
                client.ask(&format!("file-{asked}"), shard.addr);
                asked += 1;
            }
        },
    );
    assert_eq!(&*record.reason, "too many files are waiting to be opened");

    gate.open();
    let late = Asking::start(shard.addr);
    let deadline = Instant::now() + PATIENCE;
    while late.answer().is_none() {
        assert!(Instant::now() < deadline, "no answer after the crowd");
        late.ask("file", shard.addr);
    }
    shard.stop();
}

/// A client with one request.
struct Asking(UdpSocket);

impl Asking {
    fn start(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wait = Some(Duration::from_millis(200));
        socket.set_read_timeout(wait).unwrap();
        let client = Self(socket);
        client.ask("file", server);
        client
    }

    fn ask(&self, name: &str, server: SocketAddr) {
        let request = format!("\0\x01{name}\0octet\0");
        self.0.send_to(request.as_bytes(), server).unwrap();
    }

    /// Where DATA 1 came from.
    fn answer(&self) -> Option<SocketAddr> {
        let mut bytes = [0; 600];
        let (len, from) = self.0.recv_from(&mut bytes).ok()?;
        (len == 516 && bytes[..4] == [0, 3, 0, 1]).then_some(from)
    }

    fn answer_from(&self) -> SocketAddr {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(from) = self.answer() {
                return from;
            }
            assert!(Instant::now() < deadline, "no answer");
        }
    }

    fn hears_nothing(&self) {
        assert!(self.0.recv_from(&mut [0; 600]).is_err());
    }
}

/// Holds the file threads up until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.changed.wait_while(open, |open| !*open).unwrap());
    }
}

struct Stuck {
    gate: Arc<Gate>,
    address: Address,
}

impl Deliver for Stuck {
    fn deliver(&self, opened: Opened) {
        self.gate.pass();
        self.address.deliver(opened);
    }

    fn loaded(&self, ticket: Ticket, unchanged: Option<bool>) {
        self.address.loaded(ticket, unchanged);
    }

    fn wake(&self) {
        Deliver::wake(&self.address);
    }
}

fn wait_for(shard: &Shard, wanted: impl Fn(&Record) -> bool) -> Record {
    wait_for_with(shard, wanted, || {})
}

/// Reads the shard's records until the wanted one, and does something in between.
fn wait_for_with(
    shard: &Shard,
    wanted: impl Fn(&Record) -> bool,
    mut meanwhile: impl FnMut(),
) -> Record {
    let deadline = Instant::now() + PATIENCE;
    loop {
        while let Some(Entry::Transfer(record)) = shard.records.try_next() {
            if wanted(&record) {
                return record;
            }
        }
        assert!(Instant::now() < deadline, "no such record");
        meanwhile();
        thread::sleep(Duration::from_millis(5));
    }
}
