//! What the server does in a container: its backend, its ports, its end.

use std::time::Duration;

use serde_json::json;

use super::bundle::{Bundle, Container};
use super::possible;
use super::profiles::{default, ours};
use super::support::fetch::Fetch;
use super::support::{Netns, Root, pattern};

/// A port that needs no privilege.
const HIGH: &str = "127.0.0.1:6969";

/// A namespace where port 69 needs CAP_NET_BIND_SERVICE, or does not.
fn network(first_free_port: u16) -> Netns {
    let netns = Netns::new();
    let setting = format!("net.ipv4.ip_unprivileged_port_start={first_free_port}");
    let output = netns.run("/".as_ref(), &["sysctl", "-qw", &setting]);
    assert!(output.status.success(), "{output:?}");
    netns
}

/// Fetches the root's file from inside the container's network.
fn fetch(netns: &Netns, server: &str, name: &str) -> Fetch {
    let server = server.parse().expect("an address");
    Fetch::from(
        netns.socket("127.0.0.1:0"),
        server,
        name,
        &[("blksize", "1024")],
    )
}

/// 40 blocks of 1,024 bytes.
fn content() -> Vec<u8> {
    pattern(40_000, 69)
}

fn serves(container: &Container, netns: &Netns, server: &str) {
    let fetched = netns.inside(|| fetch(netns, server, "file").complete());
    assert!(fetched.data == content(), "the file: {}", container.log());
}

#[test]
fn with_our_profile_it_uses_io_uring() {
    if !possible() {
        return;
    }
    let (root, netns) = (Root::with("file", &content()), network(1024));
    let bundle = Bundle::new(root.path(), &netns, ours());
    let container = bundle.args(&["--listen", HIGH]).start();
    let ready = container.line("ready on");
    assert!(ready.contains("io=uring"), "{}", container.log());
    serves(&container, &netns, HIGH);
}

#[test]
fn under_the_default_profile_it_uses_epoll_and_says_why() {
    if !possible() {
        return;
    }
    // Podman and Debian's package answer ENOSYS, Docker and containerd EPERM.
    for (errno, hint) in [
        (
            38,
            "this kernel or its seccomp profile has no io_uring (ENOSYS)",
        ),
        (
            1,
            "io_uring is not permitted (EPERM), likely by a seccomp profile",
        ),
    ] {
        let mut profile = default();
        profile["defaultErrnoRet"] = json!(errno);
        let (root, netns) = (Root::with("file", &content()), network(1024));
        let bundle = Bundle::new(root.path(), &netns, profile);
        let container = bundle.args(&["--listen", HIGH]).start();
        let ready = container.line("ready on");
        assert!(ready.contains("io=epoll"), "{}", container.log());
        container.line(hint);
        serves(&container, &netns, HIGH);
    }
}

#[test]
fn under_the_default_profile_strict_io_uring_refuses_to_start() {
    if !possible() {
        return;
    }
    let (root, netns) = (Root::new(), network(1024));
    let bundle = Bundle::new(root.path(), &netns, default());
    let bundle = bundle.args(&["--listen", HIGH, "--io", "uring"]);
    let mut container = bundle.run();
    assert_eq!(container.wait().code(), Some(1), "{}", container.log());
    assert!(container.log().contains("seccomp"), "{}", container.log());
}

#[test]
fn port_69_without_the_capability_is_a_clear_error() {
    if !possible() {
        return;
    }
    let (root, netns) = (Root::new(), network(1024));
    let mut container = Bundle::new(root.path(), &netns, ours()).run();
    assert_eq!(container.wait().code(), Some(1), "{}", container.log());
    for word in ["69", "CAP_NET_BIND_SERVICE"] {
        assert!(container.log().contains(word), "{}", container.log());
    }
}

#[test]
fn port_69_works_where_the_namespace_gives_it_to_everybody() {
    if !possible() {
        return;
    }
    // As Docker does by itself for networks of its own, and Kubernetes by a safe sysctl.
    let (root, netns) = (Root::with("file", &content()), network(0));
    let container = Bundle::new(root.path(), &netns, ours()).start();
    serves(&container, &netns, "127.0.0.1:69");
}

#[test]
fn port_69_of_a_host_needs_one_capability_of_root() {
    if !possible() {
        return;
    }
    // The host's network: root with this capability alone, as in the DaemonSet.
    let (root, netns) = (Root::with("file", &content()), network(1024));
    let bundle = Bundle::new(root.path(), &netns, ours());
    let container = bundle.by_root_with(&["CAP_NET_BIND_SERVICE"]).start();
    serves(&container, &netns, "127.0.0.1:69");
}

#[test]
fn it_runs_without_rights_and_on_a_read_only_root() {
    if !possible() {
        return;
    }
    let (root, netns) = (Root::with("file", &content()), network(0));
    let container = Bundle::new(root.path(), &netns, ours()).start();
    serves(&container, &netns, "127.0.0.1:69");
    let status = container.proc("status");
    for line in [
        "Uid:\t65532\t65532\t65532\t65532",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line} in\n{status}");
    }
    let sandbox = container.line("sandbox: ");
    for part in ["user=65532", "capabilities=none", "seccomp=on"] {
        assert!(sandbox.contains(part), "{sandbox}");
    }
    let mounts = container.proc("mountinfo");
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"));
    let options = root.and_then(|line| line.split(' ').nth(5));
    assert!(
        options.is_some_and(|options| options.split(',').any(|option| option == "ro")),
        "{mounts}"
    );
}

#[test]
fn sigterm_drains_a_running_transfer() {
    if !possible() {
        return;
    }
    let (root, netns) = (Root::with("file", &content()), network(0));
    let mut container = Bundle::new(root.path(), &netns, ours()).start();
    let fetched = netns.inside(|| {
        let running = fetch(&netns, "127.0.0.1:69", "file").at(5, {
            // The first process of a container gets no default action: it has to handle the signal itself.
            let terminate = container.terminator();
            move || {
                terminate();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        running.complete()
    });
    assert!(fetched.data == content(), "{}", container.log());
    assert_eq!(container.wait().code(), Some(0), "{}", container.log());
    container.line("completed");
}
