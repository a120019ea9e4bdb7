//! Farms behind a real network device: a cable between two namespaces that the test makes itself.
//! It never leaves them.

mod support;

use std::process::{self, Command, Stdio};
use std::time::Duration;

use support::server::{Server, bytes, root};

const SERVER: &str = "192.0.2.1:6969";
const SERVER_V6: &str = "[2001:db8::1]:6969";

/// Networks of which the client's host takes every address (AnyIP), by a route of the server.
const FARM: &str = "198.18.0.0/16";
const FARM_V6: &str = "2001:db8:2::/64";

#[test]
fn each_machine_has_an_address_of_the_network_it_is_given() {
    let Some(cable) = Cable::new() else { return };
    for (server, farm) in [(SERVER, FARM), (SERVER_V6, FARM_V6)] {
        let printed = cable.boot(server, &["--source-net", farm]);
        assert!(printed.contains("300 transfers: none failed"), "{printed}");
        let first = farm.split('/').next().expect("an address");
        let shown = format!(
            "addresses: {}",
            first.trim_end_matches('0').trim_end_matches(':')
        );
        assert!(printed.contains(&shown), "{printed}");
    }
}

#[test]
fn without_a_network_the_machines_share_an_address_and_have_a_port_each() {
    let Some(cable) = Cable::new() else { return };
    for server in [SERVER, SERVER_V6] {
        let printed = cable.boot(server, &[]);
        assert!(printed.contains("300 transfers: none failed"), "{printed}");
    }
}

#[test]
fn without_a_way_to_the_server_nothing_runs_and_the_error_names_it() {
    let Some(cable) = Cable::new() else { return };
    for (server, alone) in [
        ("203.0.113.9", "203.0.113.9"),
        ("[2001:db8:9::1]:7", "2001:db8:9::1"),
    ] {
        let out = cable.bootstorm(server, &[]).output().expect("ip");
        let told = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{told}");
        assert!(told.contains(&format!("no route to {alone}")), "{told}");
    }
}

#[test]
fn a_cable_that_is_pulled_for_a_moment_costs_time_and_not_the_run() {
    let Some(cable) = Cable::new() else { return };
    let root = root(&[("file", &bytes(20_000))]);
    let _server = Server::inside(&cable.server, root.path(), SERVER);
    // 15 blocks of 40 ms each; a silent server is asked again after 100 ms.
    let patient = ["--slow", "40", "--wait", "0.1", "--tries", "100"];
    let run = cable.bootstorm(SERVER, &patient).spawn().expect("ip");
    for (pause, state) in [(250, "down"), (200, "up")] {
        std::thread::sleep(Duration::from_millis(pause));
        let line = format!("-n {} link set eth0 {state}", cable.client);
        let done = Command::new("ip").args(line.split(' ')).status();
        assert!(done.is_ok_and(|status| status.success()), "{line}");
    }
    let out = run.wait_with_output().expect("it ends");
    let printed = String::from_utf8_lossy(&out.stdout);
    assert!(printed.contains("30 transfers: none failed"), "{printed}");
}

/// Two namespaces, `eth0` in both; gone when dropped.
struct Cable {
    server: String,
    client: String,
}

impl Cable {
    /// Nothing where namespaces cannot be had and the caller says that this is known.
    fn new() -> Option<Self> {
        if std::env::var_os("RINGBOOT_SKIP_PRIVILEGED").is_some() {
            eprintln!("skipped: RINGBOOT_SKIP_PRIVILEGED is set");
            return None;
        }
        let name = |role: &str| {
            let thread = std::thread::current().id();
            let digits: String = format!("{thread:?}")
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            format!("bstest-{}-{digits}-{role}", process::id())
        };
        let cable = Self {
            server: name("s"),
            client: name("c"),
        };
        let (s, c) = (&cable.server, &cable.client);
        for line in [
            format!("netns add {s}"),
            format!("netns add {c}"),
            format!("-n {s} link add eth0 type veth peer name eth0 netns {c}"),
            format!("-n {s} addr add 192.0.2.1/24 dev eth0"),
            format!("-n {c} addr add 192.0.2.2/24 dev eth0"),
            format!("-n {s} addr add 2001:db8::1/64 dev eth0 nodad"),
            format!("-n {c} addr add 2001:db8::2/64 dev eth0 nodad"),
            format!("-n {s} link set eth0 up"),
            format!("-n {c} link set eth0 up"),
            format!("-n {c} link set lo up"),
            format!("-n {c} route add local {FARM} dev lo"),
            format!("-n {c} route add local {FARM_V6} dev lo"),
            format!("-n {s} route add {FARM} via 192.0.2.2"),
            format!("-n {s} route add {FARM_V6} via 2001:db8::2"),
        ] {
            let done = Command::new("ip").args(line.split(' ')).status();
            let hint = "needs root; RINGBOOT_SKIP_PRIVILEGED=1 skips it";
            assert!(
                done.is_ok_and(|status| status.success()),
                "ip {line}: {hint}"
            );
        }
        Some(cable)
    }

    /// 30 machines at the client's end fetch a file, unless told otherwise.
    fn bootstorm(&self, server: &str, more: &[&str]) -> Command {
        let mut command = Command::new("ip");
        let program = env!("CARGO_BIN_EXE_bootstorm");
        command.args(["netns", "exec", &self.client, program]);
        command.args(["run", server, "--file", "file", "--blksize", "1400"]);
        if !more.contains(&"-m") {
            command.args(["-m", "30"]);
        }
        command.args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// 300 machines fetch a file; what the report says.
    fn boot(&self, server: &str, more: &[&str]) -> String {
        let root = root(&[("file", &bytes(20_000))]);
        let _server = Server::inside(&self.server, root.path(), server);
        let check = format!("dir:{}", root.path().display());
        let out = self
            .bootstorm(server, &["-m", "300", "--check", &check])
            .args(more)
            .output()
            .expect("ip");
        let printed = [out.stdout, out.stderr].concat();
        String::from_utf8(printed).expect("text")
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}
