//! Trains without a copy: on where the device does not copy, off where the kernel says that it did,
//! and harmless whatever happens to the file meanwhile. In namespaces of the test's own.
//!
//! An `ifb` device stands for a network card: it takes a whole train and lets go of it without
//! having copied a byte. What it takes goes nowhere, so the clients behind it acknowledge blindly,
//! by another device.

#[macro_use]
mod support;

use std::net::UdpSocket;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ringboot::clock;
use ringboot::endpoint::{Local, Peer, Route, Ticket, Train};
use ringboot::files::{Catalog, Image, Loader, RelPath};
use ringboot::limits::FRAME_AFTER;
use ringboot::shard::{
    Backend, IoChoice, Layout, Listen, Outbox, Plan, Waker, ZeroCopy, bind, open,
};
use ringboot::transfer::{BlockRange, Nanos, Rollover};
use rustix::process::Signal;
use support::fetch::Failed;
use support::jail::locks_64_kib;
use support::netns::{Pair, privileged};
use support::packet::{ack, rrq};
use support::server::{PATIENCE, wants};
use support::{Fetch, Io, Root, Server, Setup, pattern};

const OPTIONS: [(&str, &str); 2] = [("blksize", "1428"), ("windowsize", "16")];
const FILE_LEN: usize = 600_000;

/// Clients at 192.0.2.2 behind a cable (veth), where the kernel must copy, and at 198.51.100.x
/// behind an `ifb`, where it need not.
struct Lab {
    pair: Pair,
    root: Root,
    data: Vec<u8>,
}

impl Lab {
    /// `None` where it cannot be had and the caller said that this is known.
    fn new(seed: u64) -> Option<Self> {
        if !wants(Io::Uring) || !privileged() {
            return None;
        }
        let pair = Pair::new();
        for device in ["all", "eth0"] {
            pair.server.inside(|| {
                let path = format!("/proc/sys/net/ipv4/conf/{device}/rp_filter");
                std::fs::write(path, "0").expect("no filter of source addresses");
            });
        }
        pair.server.ip(&["link", "add", "ifb0", "type", "ifb"]);
        pair.server.ip(&["link", "set", "ifb0", "up"]);
        pair.server
            .ip(&["route", "add", "198.51.100.0/24", "dev", "ifb0"]);
        pair.client.address("eth0", "198.51.100.7/24");
        let data = pattern(FILE_LEN, seed);
        let root = Root::with("file", &data);
        Some(Self { pair, root, data })
    }

    /// One shard, and one port, so that blind clients know where to send ACKs.
    fn server(&self) -> support::server::Builder {
        Server::on(self.root.path(), Setup::URING_SINGLE)
            .netns(&self.pair.server)
            .listen("192.0.2.1:69")
            .shards(1)
    }

    fn fetch(&self, server: &Server) -> Fetch {
        let socket = self.pair.client.socket("192.0.2.2:0");
        Fetch::from(socket, server.addr(), "file", &OPTIONS)
    }

    /// Makes packets wait in front of a device of the server's.
    fn hold(&self, device: &str, rate: &str) {
        let args = [
            "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate,
        ];
        let args = [&args[..], &["burst", "70kb", "limit", "64mb"]].concat();
        let argv = [&["tc"], &args[..]].concat();
        let output = self.pair.server.run(Path::new("/"), &argv);
        assert!(output.status.success(), "{output:?}");
    }

    fn let_go(&self, device: &str) {
        let argv = ["tc", "qdisc", "del", "dev", device, "root"];
        let output = self.pair.server.run(Path::new("/"), &argv);
        assert!(output.status.success(), "{output:?}");
    }
}

/// Packets that wait keep their ring, its locked memory and the whole namespace for as long as the slow
/// device takes: half an hour, in which tests with scarce locked memory fail.
impl Drop for Lab {
    fn drop(&mut self) {
        let argv = ["tc", "qdisc", "del", "dev", "ifb0", "root"];
        let _ = self.pair.server.run(Path::new("/"), &argv);
    }
}

/// A client that never sees an answer, and acknowledges what must have come by now.
struct Blind {
    socket: UdpSocket,
    server: std::net::SocketAddr,
}

impl Blind {
    fn ask(lab: &Lab, server: &Server) -> Self {
        let socket = lab.pair.client.socket("198.51.100.7:0");
        let server = server.addr();
        let blind = Self { socket, server };
        blind.send(&rrq("file", "octet", &OPTIONS));
        blind
    }

    fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).expect("sent");
    }

    /// Acknowledges every window. One that comes too early counts for nothing, and all behind it.
    fn acknowledge_all(&self) {
        let blocks = FILE_LEN / 1428 + 1;
        let windows = (0..blocks).step_by(16);
        for block in windows.chain([blocks]) {
            self.send(&ack(block as u16));
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Until the server believes that all has arrived.
    fn finish(&self, server: &Server) {
        let me = self.socket.local_addr().expect("bound");
        let end = Instant::now() + PATIENCE;
        let done = |server: &Server| {
            let mut ended = server.transfers().into_iter();
            ended.any(|it| it.text("client") == me.to_string() && it.outcome() == "completed")
        };
        while !done(server) {
            assert!(Instant::now() < end, "the blind client never ended");
            self.acknowledge_all();
        }
    }
}

/// The three figures of the line that sums up: trains without a copy, copied, under way.
fn summary(said: &str) -> [u64; 3] {
    let line = said.lines().find(|line| line.contains("zero-copy for "));
    let line = line.unwrap_or_else(|| panic!("no summary in\n{said}"));
    let (_, figures) = line.split_once("trains: ").expect("figures");
    let mut numbers = figures
        .split(", ")
        .map(|part| part.split(' ').next().expect("a number").parse());
    core::array::from_fn(|_| numbers.next().expect("three").expect("a number"))
}

#[test]
fn it_is_on_where_the_device_does_not_copy_and_off_where_the_kernel_does() {
    let Some(lab) = Lab::new(1) else { return };
    let server = lab.server().start();
    for _ in 0..3 {
        Blind::ask(&lab, &server).finish(&server);
    }
    let on = "zero-copy on towards 198.51.100.0/24";
    assert!(
        server
            .find_line(PATIENCE, |line| line.contains(on))
            .is_some()
    );
    for _ in 0..10 {
        assert_eq!(lab.fetch(&server).complete().data, lab.data);
    }
    let off = "zero-copy off towards 192.0.2.0/24";
    assert!(
        server
            .find_line(PATIENCE, |line| line.contains(off))
            .is_some()
    );
    // The one is not hurt by the other.
    Blind::ask(&lab, &server).finish(&server);
    let [spared, copied, rest] = summary(&server.stop());
    assert!(spared > 40, "{spared}");
    assert_eq!(copied, 4, "trials on the cable, and never again");
    assert_eq!(rest, 0);
}

#[test]
fn on_loopback_it_is_tried_four_times() {
    let Some(lab) = Lab::new(2) else { return };
    let server = Server::on(lab.root.path(), Setup::URING).shards(1).start();
    for _ in 0..40 {
        let fetched = Fetch::new(&server, "file", &OPTIONS).complete();
        assert_eq!(fetched.data, lab.data);
        // Frames are laid out meanwhile, on a thread that gives way to others.
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(summary(&server.stop()), [0, 4, 0]);
}

#[test]
fn it_can_be_turned_off() {
    let Some(lab) = Lab::new(3) else { return };
    let server = lab.server().args(&["--zero-copy", "off"]).start();
    for _ in 0..3 {
        Blind::ask(&lab, &server).finish(&server);
    }
    let said = server.stop();
    assert!(!said.contains("zero-copy"), "{said}");
}

/// Small windows are copied: the notification would cost more.
#[test]
fn small_trains_are_copied() {
    let Some(lab) = Lab::new(4) else { return };
    let server = lab.server().start();
    for _ in 0..3 {
        let socket = lab.pair.client.socket("192.0.2.2:0");
        let options = [("blksize", "1428"), ("windowsize", "7")];
        let fetched = Fetch::from(socket, server.addr(), "file", &options).complete();
        assert_eq!(fetched.data, lab.data);
    }
    let said = server.stop();
    assert!(!said.contains("zero-copy"), "{said}");
}

/// Without the right to lock memory trains go out without registered memory, or with a copy.
#[test]
fn scarce_locked_memory_is_said_once_and_hurts_nobody() {
    let Some(lab) = Lab::new(5) else { return };
    let server = lab.server().jail(locks_64_kib).start();
    assert!(server.ready().contains(" io=uring "), "{}", server.ready());
    for _ in 0..4 {
        Blind::ask(&lab, &server).finish(&server);
        assert_eq!(lab.fetch(&server).complete().data, lab.data);
    }
    let said = server.stop();
    assert!(said.matches("RLIMIT_MEMLOCK").count() <= 1, "{said}");
}

/// The trials on the cable wait in its queue while the file is changed under them.
#[test]
fn a_file_that_changes_while_trains_are_under_way() {
    let changes: [fn(&Path); 3] = [
        |file| {
            let file = std::fs::OpenOptions::new().write(true).open(file);
            file.expect("opened").set_len(100).expect("truncated");
        },
        |file| std::fs::write(file, vec![0; FILE_LEN]).expect("overwritten"),
        |file| {
            let other = file.with_extension("new");
            std::fs::write(&other, vec![0; FILE_LEN]).expect("written");
            std::fs::rename(&other, file).expect("replaced");
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let Some(lab) = Lab::new(6) else { return };
        let file = lab.root.path().join("file");
        let server = lab.server().start();
        // Two small ones make frames of the file without a large train.
        for _ in 0..2 {
            let socket = lab.pair.client.socket("192.0.2.2:0");
            let options = [("blksize", "1428"), ("windowsize", "2")];
            Fetch::from(socket, server.addr(), "file", &options).complete();
        }
        lab.hold("eth0", "8mbit");
        let changed = thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    let fetch = lab.fetch(&server);
                    scope.spawn(|| fetch.run())
                })
                .collect();
            thread::sleep(Duration::from_millis(100));
            change(&file);
            clients
                .into_iter()
                .map(|client| client.join().expect("a client"))
                .map(|result| match result {
                    Ok(fetched) => assert_eq!(fetched.data, lab.data, "change {number}"),
                    Err(Failed::Error { .. }) => assert_ne!(number, 2, "it was renamed away"),
                    Err(Failed::Silence) => panic!("change {number}: silence"),
                })
                .count()
        });
        assert_eq!(changed, 4);
        let [spared, copied, rest] = summary(&server.stop());
        assert_eq!((spared, rest), (0, 0));
        assert!(copied > 0, "nothing was under way");
    }
}

/// Trains wait in front of a device that is all but stuck; neither end waits for them.
#[test]
fn the_end_does_not_wait_for_a_device_that_is_stuck() {
    let Some(lab) = Lab::new(7) else { return };
    let mut server = lab.server().start();
    for _ in 0..3 {
        Blind::ask(&lab, &server).finish(&server);
    }
    lab.hold("ifb0", "8kbit");
    let stuck: Vec<_> = (0..4).map(|_| Blind::ask(&lab, &server)).collect();
    for blind in &stuck {
        blind.acknowledge_all();
    }
    std::fs::write(lab.root.path().join("file"), b"short").expect("overwritten");
    server.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(50));
    server.signal(Signal::TERM);
    let status = server.wait_exit(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    let [_, copied, rest] = summary(&server.stderr());
    assert!(rest > 4, "{rest} trains were under way");
    assert_eq!(copied, 0);
    // The port is free at once.
    let again = lab.server().start();
    assert_eq!(lab.fetch(&again).complete().data, b"short");
    again.stop();
}

/// The backend alone, to see who holds on to an image.
#[test]
fn an_image_outlives_its_trains() {
    let Some(lab) = Lab::new(8) else { return };
    lab.hold("ifb0", "8kbit");
    lab.pair.server.inside(|| {
        let mut sender = Sender::new();
        // The first few fit the bucket and are released at once.
        let image = framed(&lab.root);
        let held = Arc::downgrade(&image);
        for _ in 0..8 {
            sender.send_train(&image);
        }
        drop(image);
        assert!(held.strong_count() > 0, "under way, and gone");
        lab.let_go("ifb0");
        let end = Instant::now() + PATIENCE;
        // Registered memory is let go of after a while, too.
        while held.strong_count() > 0 {
            assert!(Instant::now() < end, "released, and kept");
            sender.turn(Nanos::from_millis(100));
        }
        let counters = *sender.backend.counters();
        assert_eq!(counters.zero_copy_spared, counters.zero_copy_sent);
        assert!(counters.zero_copy_sent >= 4);
    });
}

/// The catalog lets go of what a file was as soon as it is asked for what it is: not from under trains.
#[test]
fn an_image_outlives_its_place_in_the_catalog() {
    let Some(lab) = Lab::new(11) else { return };
    lab.hold("ifb0", "8kbit");
    lab.pair.server.inside(|| {
        let mut sender = Sender::new();
        let catalog = Catalog::default();
        let image = framed_by(&catalog, &lab.root);
        let held = Arc::downgrade(&image);
        for _ in 0..8 {
            sender.send_train(&image);
        }
        drop(image);
        displace(&catalog, &lab.root);
        assert!(held.strong_count() > 0, "under way, and gone");
        lab.let_go("ifb0");
        let end = Instant::now() + PATIENCE;
        while held.strong_count() > 0 {
            assert!(Instant::now() < end, "released, and kept");
            sender.turn(Nanos::from_millis(100));
        }
        drop(catalog);
    });
}

#[test]
fn an_image_outlives_a_ring_that_was_closed_over_it() {
    let Some(lab) = Lab::new(9) else { return };
    lab.hold("ifb0", "8kbit");
    let held: Weak<Image> = lab.pair.server.inside(|| {
        let mut sender = Sender::new();
        let image = framed(&lab.root);
        for _ in 0..8 {
            sender.send_train(&image);
        }
        let begin = Instant::now();
        drop(sender);
        assert!(begin.elapsed() < Duration::from_secs(5));
        Arc::downgrade(&image)
    });
    assert!(held.strong_count() > 0, "the kernel may still read it");
    lab.let_go("ifb0");
}

/// Registered memory is let go of by a shard that nobody asks anything of.
#[test]
fn an_idle_shard_lets_go_of_registered_memory() {
    let Some(lab) = Lab::new(10) else { return };
    lab.pair.server.inside(|| {
        let mut sender = Sender::new();
        let image = framed(&lab.root);
        for _ in 0..20 {
            sender.send_train(&image);
        }
        assert!(Arc::strong_count(&image) > 1, "nothing is registered");
        // Nothing else would wake it: once to see what is used, once more to see what no longer is.
        let begin = Instant::now();
        sender.turn(Nanos::from_secs(60));
        sender.turn(Nanos::from_secs(60));
        assert!(begin.elapsed() < Duration::from_secs(40), "never woke");
        sender.turn(Nanos::ZERO);
        assert_eq!(Arc::strong_count(&image), 1, "kept for ever");
    });
}

struct Sender {
    backend: Box<dyn Backend>,
    layout: Layout,
    outbox: Outbox,
}

impl Sender {
    fn new() -> Self {
        let plan = Plan {
            listen: vec![Listen {
                addr: "192.0.2.1:0".parse().expect("an address"),
                optional: false,
            }],
            shards: 1,
            single_port: false,
            data_ports: None,
        };
        let sockets = bind(&plan).expect("free ports").remove(0);
        let layout = sockets.layout().clone();
        let waker = Waker::new().expect("an eventfd");
        let opened = open(IoChoice::Uring, ZeroCopy::Auto, sockets, waker);
        Self {
            backend: opened.unwrap_or_else(|why| panic!("{why}")).backend,
            layout,
            outbox: Outbox::new(),
        }
    }

    fn send_train(&mut self, image: &Arc<Image>) {
        let route = Route {
            peer: Peer::from(
                "198.51.100.7:4000"
                    .parse::<std::net::SocketAddr>()
                    .expect("one"),
            ),
            local: Local::default(),
            socket: self.layout.reply_socket(ringboot::endpoint::SocketId(0)),
        };
        let train = Train {
            ticket: Ticket {
                slot: 1,
                generation: 1,
            },
            blocks: BlockRange {
                first: 1,
                count: 40,
            },
            blksize: 1428,
            lockstep: false,
            rollover: Rollover::ToZero,
        };
        self.outbox.push_train(&route, image, &train);
        self.turn(Nanos::ZERO);
    }

    fn turn(&mut self, wait: Nanos) {
        let deadline = match wait {
            Nanos::ZERO => wait,
            wait => clock::now() + wait,
        };
        let turn = self
            .backend
            .turn(&mut self.outbox, Some(deadline), &mut |_| {});
        turn.expect("a working backend");
    }
}

/// The file of a root, laid out in frames.
fn framed(root: &Root) -> Arc<Image> {
    framed_by(&Catalog::default(), root)
}

fn framed_by(catalog: &Catalog, root: &Root) -> Arc<Image> {
    let root = Arc::new(ringboot::files::Root::open(root.path()).expect("a root"));
    let loader = Loader::start(Vec::new(), 1 << 30).expect("threads");
    let path = RelPath::parse(b"file").expect("a path");
    let file = root.open_file(&path).expect("opened");
    let image = catalog.open(file, false, clock::now());
    let image = image.expect("an image");
    for _ in 0..FRAME_AFTER {
        loader.note_transfer(&image, 1428);
    }
    // Its threads end when they have done what was asked.
    drop(loader);
    assert!(image.framed(1428, 1, 1).is_some(), "not framed");
    image
}

/// Has the catalog let go of the file as it was.
fn displace(catalog: &Catalog, root: &Root) {
    let path = root.path().join("file");
    std::fs::write(&path, b"other").expect("overwritten");
    let file = std::fs::File::open(path).expect("opened");
    let other = catalog.open(file, false, clock::now());
    assert_eq!(other.expect("an image").size(), 5);
    drop(catalog.expire(clock::now()));
}
