//! A thousand uploads at a time through a network that loses one packet in a hundred, and what the
//! server's CPU paid for a block: ours, and other servers where `RINGBOOT_PEERS` names them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::sender::{Upload, builder};
use crate::support::netns::{Netns, privileged};
use crate::support::{Conversation, Root, Setup, pattern, programs};

const BLKSIZE: usize = 1_428;

/// A namespace that loses one datagram in a hundred, each way.
fn lossy() -> Netns {
    let netns = Netns::new();
    let rules = "add table ip lossy; \
                 add chain ip lossy input { type filter hook input priority 0; }; \
                 add rule ip lossy input meta l4proto udp numgen random mod 100 < 1 drop";
    let output = netns.run(Path::new("/"), &["nft", rules]);
    assert!(output.status.success(), "{output:?}");
    netns
}

fn name(client: usize) -> String {
    format!("file-{client}")
}

/// All clients at once. Says how long the last one took, and how many came to nothing.
fn upload_all(
    netns: &Netns,
    addr: SocketAddr,
    clients: usize,
    content: &[u8],
) -> (Duration, usize) {
    let begun = Instant::now();
    let upload = |client| {
        let name = name(client);
        let mut talk = Conversation::between(netns.socket("127.0.0.1:0"), addr);
        let upload = Upload::new(&name, content).with(BLKSIZE, 1);
        assert_eq!(upload.send_by(&mut talk), Ok(()), "{name}");
    };
    let failed = thread::scope(|scope| {
        let all: Vec<_> = (0..clients)
            .map(|client| scope.spawn(move || upload(client)))
            .collect();
        all.into_iter().filter_map(|one| one.join().err()).count()
    });
    (begun.elapsed(), failed)
}

fn equal(dir: &Path, clients: usize, content: &[u8]) {
    for client in 0..clients {
        let stored = fs::read(dir.join(name(client))).unwrap_or_default();
        assert!(
            stored == content,
            "{}: {} bytes",
            name(client),
            stored.len()
        );
    }
}

/// Microseconds of CPU that a process and its ended children have used.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields = stat.rsplit_once(") ").expect("a name").1;
    let ticks = fields.split(' ').skip(11).take(4);
    let ticks: f64 = ticks
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum();
    ticks * 1e6 / 100.0
}

fn say(server: &str, clients: usize, len: usize, took: Duration, micros: f64) {
    let blocks = (clients * (len / BLKSIZE + 1)) as f64;
    eprintln!(
        "{server}: {clients} uploads of {len} bytes in {:.1} s, {:.2} us of CPU for each block",
        took.as_secs_f64(),
        micros / blocks
    );
}

fn ours(setup: Setup, clients: usize, len: usize) {
    if !privileged() {
        return;
    }
    let (dir, netns, content) = (Root::new(), lossy(), pattern(len, 1));
    let server = builder(dir.path(), setup, &[]).netns(&netns).start();
    let before = cpu(server.pid());
    let (took, failed) = upload_all(&netns, server.addr(), clients, &content);
    assert_eq!(failed, 0);
    equal(dir.path(), clients, &content);
    let name = format!("ringboot {}", setup.io.as_str());
    say(&name, clients, len, took, cpu(server.pid()) - before);
    server.stop();
}

backends! {
    fn a_hundred_uploads_with_loss(setup) {
        ours(setup, 100, 100_000);
    }
}

/// The promise's own figure.
#[ignore = "a thousand threads on each backend; minutes"]
#[test]
fn a_thousand_uploads_with_loss() {
    for setup in [Setup::URING, Setup::EPOLL] {
        ours(setup, 1_000, 1_000_000);
    }
}

/// Another server that runs as long as it is held.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A cgroup for CPU time only: in.tftpd never waits for its children, so theirs is in no other place.
struct Meter(PathBuf);

impl Meter {
    fn new() -> Self {
        let folder = format!(
            "/sys/fs/cgroup/cpuacct/ringboot-test-{}",
            std::process::id()
        );
        fs::create_dir(&folder).expect("a cgroup (version 1, cpuacct)");
        Self(folder.into())
    }

    fn micros(&self) -> f64 {
        let nanos = fs::read_to_string(self.0.join("cpuacct.usage")).expect("CPU time");
        nanos.trim().parse::<f64>().expect("nanoseconds") / 1e3
    }
}

impl Drop for Meter {
    /// Children of the server may outlive it by a moment.
    fn drop(&mut self) {
        for pid in fs::read_to_string(self.0.join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
        {
            programs::succeed(Path::new("/"), &["kill", pid]);
        }
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The same for other servers, to compare. `RINGBOOT_PEERS` is the folder of `benches/side-by-side`.
#[ignore = "needs RINGBOOT_PEERS=target/peers; minutes"]
#[test]
fn the_same_against_other_servers() {
    let peers = PathBuf::from(std::env::var_os("RINGBOOT_PEERS").expect("RINGBOOT_PEERS"));
    let clients = std::env::var("RINGBOOT_CLIENTS").map_or(1_000, |text| text.parse().unwrap());
    // No -a: its address lookup refuses addresses of a family that no interface but loopback has.
    let hpa: &[&str] = &["-L", "-4", "-c", "-p", "-u", "root", "-s"];
    let atftpd: &[&str] = &[
        "--daemon",
        "--no-fork",
        "--user",
        "root.root",
        "--bind-address",
        "127.0.0.1",
        "--port",
        "69",
        "--maxthread",
        "2000",
    ];
    for (program, args) in [
        ("tftpd-hpa/usr/sbin/in.tftpd", hpa),
        ("atftpd/usr/sbin/atftpd", atftpd),
    ] {
        let (dir, netns, content) = (Root::new(), lossy(), pattern(1_000_000, 1));
        programs::succeed(dir.path(), &["chmod", "777", "."]);
        let meter = Meter::new();
        // Not the other way round: `ip netns exec` hides the cgroups.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"echo $$ > "$0" && exec ip netns exec "$@""#])
            .arg(meter.0.join("cgroup.procs"))
            .arg(netns.name())
            .arg(peers.join(program));
        command.env(
            "LD_LIBRARY_PATH",
            peers.join("lib/usr/lib/x86_64-linux-gnu"),
        );
        command.args(args).arg(dir.path()).stdin(Stdio::null());
        let peer = Peer(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        thread::sleep(Duration::from_secs(1));
        let before = meter.micros();
        let addr = "127.0.0.1:69".parse().unwrap();
        let (took, failed) = upload_all(&netns, addr, clients, &content);
        // Children and buffers take a moment to end.
        thread::sleep(Duration::from_secs(3));
        if failed == 0 {
            equal(dir.path(), clients, &content);
        } else {
            eprintln!("{program}: {failed} of {clients} got no ACK for 20 s");
        }
        say(
            program,
            clients,
            content.len(),
            took,
            meter.micros() - before,
        );
        drop(peer);
    }
}
