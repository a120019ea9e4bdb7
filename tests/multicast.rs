//! RFC 2090 with atftp's client: machines in namespaces of their own on one switch, with loss.
//! It never sends anything outside of them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use support::netns::privileged;
use support::{Io, Netns, Root, Server, Setup, pattern};

const SIZE: usize = 2_000_000;
const BLKSIZE: usize = 1428;

/// A server and machines on one switch.
struct Lan {
    server: Netns,
    machines: Vec<Netns>,
    _switch: Netns,
}

impl Lan {
    fn new(machines: usize) -> Self {
        let switch = Netns::new();
        switch.ip(&[
            "link",
            "add",
            "br0",
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ]);
        switch.ip(&["link", "set", "br0", "up"]);
        let server = Netns::new();
        plug(&server, &switch, 1);
        let machines = (0..machines)
            .map(|nth| {
                let machine = Netns::new();
                plug(&machine, &switch, nth + 2);
                machine
            })
            .collect();
        Self {
            server,
            machines,
            _switch: switch,
        }
    }

    /// One in a hundred packets is lost, each machine's and the server's on their own.
    fn lose(&self) {
        for netns in self.machines.iter().chain([&self.server]) {
            netns.drop_arriving("iifname eth0 numgen random mod 100 == 0");
        }
    }

    /// Bytes of UDP payload that the server sent.
    fn sent(&self) -> u64 {
        let output = self
            .server
            .run(Path::new("/"), &["ip", "-j", "-s", "link", "show", "eth0"]);
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let tx = &stats[0]["stats64"]["tx"];
        let number = |field: &str| tx[field].as_u64().expect("a counter");
        // Ethernet, IPv4 and UDP headers; of IPv6 packets a little more is counted as payload.
        number("bytes") - 42 * number("packets")
    }
}

fn plug(netns: &Netns, switch: &Netns, nth: usize) {
    let port = format!("port{nth}");
    netns.cable(switch, &port);
    switch.ip(&["link", "set", &port, "master", "br0", "up"]);
    netns.host(nth);
}

fn fetch(machine: &Netns, server: &str, dir: &Path, nth: usize) -> Child {
    let local = dir.join(format!("copy-{nth}"));
    let blksize = format!("blksize {BLKSIZE}");
    let prefix = machine.prefix();
    Command::new(prefix[0])
        .args(&prefix[1..])
        .args([
            "atftp",
            "--trace",
            "--option",
            "multicast",
            "--option",
            &blksize,
            "-g",
            "-r",
            "kernel",
            "-l",
        ])
        .arg(&local)
        .args([server, "69"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(words(dir, nth)).expect("a file"))
        .spawn()
        .expect("atftp starts")
}

/// What a machine's client says.
fn words(dir: &Path, nth: usize) -> PathBuf {
    dir.join(format!("words-{nth}"))
}

/// All machines fetch the file at once and get it whole. Says how many copies the server sent.
fn boot(lan: &Lan, io: Io, server_ip: &str) -> f64 {
    let root = Root::new();
    root.write("kernel", &pattern(SIZE, 1));
    let setup = Setup {
        io,
        single_port: false,
    };
    let server = Server::on(root.path(), setup)
        .default_listen()
        .netns(&lan.server)
        .args(&["--multicast", "239.255.7.0/24", "--multicast", "ff15::/112"])
        .start();
    // Fifty clients must be started within the second that a stream gathers beyond the time after which a
    // lost request comes again: not beside another test.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = lan.sent();
    let dir = tempfile::tempdir().expect("a folder");
    let mut clients: Vec<Child> = (lan.machines.iter().enumerate())
        .map(|(nth, machine)| fetch(machine, server_ip, dir.path(), nth))
        .collect();
    let deadline = Instant::now() + Duration::from_secs(120);
    for (nth, client) in clients.iter_mut().enumerate() {
        let status = loop {
            if let Some(status) = client.try_wait().expect("a child") {
                break status;
            }
            if Instant::now() > deadline {
                client.kill().expect("a child of ours");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let said = fs::read_to_string(words(dir.path(), nth)).expect("its words");
        if !status.success() {
            // The log is written in batches.
            std::thread::sleep(Duration::from_millis(100));
            let log = server.stderr();
            let others = log.lines().filter(|line| !line.contains("\"completed\""));
            let others: Vec<&str> = others.collect();
            panic!("machine {nth}: {status}: {said}\nthe server: {others:#?}");
        }
        let got = fs::read(dir.path().join(format!("copy-{nth}"))).expect("a copy");
        assert!(
            got == pattern(SIZE, 1),
            "machine {nth} has {} bytes",
            got.len()
        );
    }
    let copies = (lan.sent() - before) as f64 / SIZE as f64;
    drop(server);
    copies
}

#[test]
fn fifty_machines_with_loss_take_one_copy_and_a_half_at_most() {
    if !privileged() {
        return;
    }
    let lan = Lan::new(50);
    lan.lose();
    let copies = boot(&lan, Io::Uring, "192.0.2.1");
    eprintln!("{copies:.2} copies for 50 machines with 1 % loss");
    assert!(copies <= 1.5, "{copies:.2} copies");
}

#[test]
fn both_families_and_backends_share_a_stream() {
    if !privileged() {
        return;
    }
    let lan = Lan::new(4);
    for (io, ip) in [(Io::Epoll, "192.0.2.1"), (Io::Uring, "2001:db8::1")] {
        let copies = boot(&lan, io, ip);
        // A machine that is a second late on a crowded host takes a copy of its own.
        assert!(copies < 2.5, "{copies:.2} copies over {io:?} to {ip}");
    }
}
