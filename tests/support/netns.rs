//! Network namespaces with documentation addresses, for what loopback cannot show: port 69,
//! broadcast, several addresses, an Ethernet MTU, loss. Nothing leaves them.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{programs, server};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A namespace; deleted on drop.
pub struct Netns {
    name: String,
}

/// Two namespaces joined by a cable: the server's and the client's, `eth0` in both.
pub struct Pair {
    pub server: Netns,
    pub client: Netns,
}

/// Whether namespaces can be had. Panics when not, unless the caller said that this is known.
pub fn privileged() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(
        server::flag("RINGBOOT_SKIP_PRIVILEGED"),
        "this test makes network namespaces and needs root; RINGBOOT_SKIP_PRIVILEGED=1 skips it"
    );
    eprintln!("skipped: RINGBOOT_SKIP_PRIVILEGED is set");
    false
}

impl Netns {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbtest-{}-{number}", process::id());
        ip(&["netns", "add", &name]);
        let netns = Self { name };
        netns.ip(&["link", "set", "lo", "up"]);
        netns
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in this namespace.
    pub fn ip(&self, args: &[&str]) {
        let mut argv = vec!["-n", &self.name];
        argv.extend_from_slice(args);
        ip(&argv);
    }

    pub fn address(&self, device: &str, address: &str) {
        if address.contains(':') {
            // No duplicate address detection: the address must work at once.
            self.ip(&["addr", "add", address, "dev", device, "nodad"]);
        } else {
            self.ip(&["addr", "add", address, "brd", "+", "dev", device]);
        }
    }

    /// A cable from this namespace's `eth0` to a device of another one.
    pub fn cable(&self, other: &Self, device: &str) {
        self.ip(&[
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            device,
            "netns",
            &other.name,
        ]);
    }

    /// Makes `eth0` that of a host: 192.0.2.N and 2001:db8::N.
    pub fn host(&self, number: usize) {
        self.address("eth0", &format!("192.0.2.{number}/24"));
        self.address("eth0", &format!("2001:db8::{number}/64"));
        self.ip(&["link", "set", "eth0", "up"]);
        self.ip(&["route", "add", "default", "dev", "eth0"]);
    }

    /// Drops what a rule of nftables matches, where it arrives: to drop it where it leaves would tell
    /// the sender.
    pub fn drop_arriving(&self, rule: &str) {
        let rules = format!(
            "table inet loss {{
                chain in {{
                    type filter hook input priority 0
                    {rule} drop
                }}
            }}"
        );
        let argv = [&self.prefix()[..], &["nft", "-f", "-"]].concat();
        let output = programs::run_with_input(Path::new("/"), &argv, &rules);
        assert!(output.status.success(), "nft: {output:?}");
    }

    /// The start of a command line that runs in this namespace.
    pub fn prefix(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Runs a program in this namespace.
    pub fn run(&self, dir: &Path, argv: &[&str]) -> process::Output {
        let mut all = self.prefix().to_vec();
        all.extend_from_slice(argv);
        programs::run(dir, &all)
    }

    /// Calls `body` on a thread that lives in this namespace. What it opens stays there.
    pub fn inside<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name)).expect("the namespace");
        thread::scope(|scope| {
            scope
                .spawn(move || {
                    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                        .expect("setns");
                    body()
                })
                .join()
                .expect("the thread in the namespace")
        })
    }

    pub fn socket(&self, addr: &str) -> UdpSocket {
        let addr: SocketAddr = addr.parse().expect("an address");
        self.inside(move || {
            UdpSocket::bind(addr).unwrap_or_else(|error| panic!("cannot bind {addr}: {error}"))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = process::Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

impl Pair {
    /// 192.0.2.1 and 2001:db8::1 for the server, .2 and ::2 for the client.
    pub fn new() -> Self {
        let pair = Self {
            server: Netns::new(),
            client: Netns::new(),
        };
        pair.server.cable(&pair.client, "eth0");
        pair.server.host(1);
        pair.client.host(2);
        pair.wait_until_up();
        pair
    }

    /// A cable takes a moment to carry.
    fn wait_until_up(&self) {
        let a = self.server.socket("192.0.2.1:9");
        let b = self.client.socket("192.0.2.2:0");
        a.set_read_timeout(Some(std::time::Duration::from_millis(50)))
            .expect("a timeout");
        for _ in 0..100 {
            let _ = b.send_to(b"up?", "192.0.2.1:9");
            if a.recv_from(&mut [0; 8]).is_ok() {
                return;
            }
        }
        panic!("the namespaces do not reach each other");
    }
}

fn ip(args: &[&str]) {
    let mut argv = vec!["ip"];
    argv.extend_from_slice(args);
    programs::succeed(Path::new("/"), &argv);
}
