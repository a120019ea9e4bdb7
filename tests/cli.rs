//! The contract of the command line: the ready line, exit statuses, what is said when it cannot
//! start, signals, and the log's form.

#[macro_use]
mod support;

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::netns::{Netns, privileged};
use support::programs;
use support::server::{PROGRAM, run_to_end, wants};
use support::{Conversation, Fetch, Io, Root, Server, Setup, pattern};

/// The one line in which a refusal to start is said.
fn refusal(args: &[&str]) -> String {
    let output = run_to_end(args);
    let said = String::from_utf8(output.stderr).expect("a text");
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(said.starts_with("ringboot: "), "{said}");
    said
}

backends! {
    /// `ringboot: ready on 127.0.0.1:6969 io=uring shards=2`, with the port that was really bound.
    fn the_ready_line_names_addresses_backend_and_shards(setup) {
        let root = Root::new();
        for shards in [1, 3] {
            let server = Server::on(root.path(), setup).shards(shards).start();
            assert_ne!(server.addr().port(), 0);
            let expected = format!("ringboot: ready on {} io={} shards={shards}", server.addr(), setup.io.as_str());
            assert_eq!(server.ready(), expected);
            server.stop();
        }
    }

    /// SIGTERM on an idle server: exit 0, at once.
    fn sigterm_ends_an_idle_server(setup) {
        let root = Root::new();
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = Server::start(root.path(), setup);
            let start = Instant::now();
            server.signal(signal);
            assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(0));
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        }
    }

    /// SIGHUP, which others read their maps at, ends nothing.
    fn sighup_is_survived(setup) {
        let root = Root::with("file", b"content");
        let mut server = Server::start(root.path(), setup);
        server.signal(Signal::HUP);
        server.find_line(Duration::from_secs(10), |line| line.contains("SIGHUP")).expect("a word about SIGHUP");
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        assert!(server.alive());
    }

    /// A second SIGTERM ends at once, the client is told, the status is still clean.
    fn a_second_sigterm_ends_at_once(setup) {
        let data = pattern(3000, 2);
        let root = Root::with("file", &data);
        let mut server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        server.signal(Signal::TERM);
        server.find_line(Duration::from_secs(10), |line| line.contains("SIGTERM")).expect("a word about SIGTERM");
        assert!(server.alive(), "waits for its transfer");
        let start = Instant::now();
        server.signal(Signal::TERM);
        assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(server.transfer_with(client.local()).outcome(), "aborted");
        client.expect_error(0);
    }

    /// `--drain-timeout` ends the wait.
    fn draining_ends(setup) {
        let data = pattern(3000, 3);
        let root = Root::with("file", &data);
        let mut server = Server::on(root.path(), setup).args(&["--drain-timeout", "1"]).start();
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        server.signal(Signal::TERM);
        assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(0));
        assert_eq!(server.transfer_with(client.local()).outcome(), "aborted");
    }

    /// The next server can have the port as soon as the last one is gone, however it went.
    fn the_port_is_free_again(setup) {
        let root = Root::with("file", b"content");
        let mut server = Server::start(root.path(), setup);
        let addr = server.addr().to_string();
        for signal in [Signal::TERM, Signal::KILL, Signal::KILL, Signal::TERM] {
            server.signal(signal);
            server.wait_exit(Duration::from_secs(10));
            server = Server::on(root.path(), setup).listen(&addr).start();
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[]);
            client.expect_data(1, b"content");
            client.ack(1);
        }
        server.stop();
    }

    /// The port of another ringboot is not shared silently, though both would use SO_REUSEPORT.
    fn two_servers_do_not_share_a_port(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let addr = server.addr().to_string();
        let said = refusal(&["serve", "--root", root.path().to_str().unwrap(), "--listen", &addr, "--io", setup.io.as_str()]);
        assert!(said.contains(&addr) && said.contains("another program"), "{said}");
        server.stop();
    }

    /// One JSON line for each finished transfer, with the promised fields.
    fn the_log_is_json_where_no_terminal_is(setup) {
        let data = pattern(5000, 4);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("blksize", "1000"), ("windowsize", "2")]);
        client.expect_oack(&[("blksize", "1000"), ("windowsize", "2")]);
        client.ack_slowly(0);
        for block in 1..=5 {
            client.expect_data(block, &data[usize::from(block - 1) * 1000..][..1000]);
            if block % 2 == 0 {
                client.ack(block);
            }
        }
        client.expect_data(6, b"");
        client.ack(6);
        let line = server.transfer_with(client.local());
        assert_eq!(line.text("client"), client.local().to_string());
        assert_eq!(line.text("file"), "file");
        assert_eq!(line.outcome(), "completed");
        assert_eq!(line.number("bytes"), 5000);
        assert_eq!(line.number("blksize"), 1000);
        assert_eq!(line.number("windowsize"), 2);
        assert!(line.number("resends") <= 2, "{}", line.0);
        assert!(line.millis("duration_ms") >= 100.0, "{}", line.0);
        assert!(line.millis("round_trip_ms") > 0.0, "{}", line.0);
        let said = server.stop();
        for line in said.lines().filter(|line| !line.starts_with("ringboot: ")) {
            assert!(line.starts_with('{'), "JSON alone beside the ready line: {line}");
        }
    }

    /// `--log text`: the same for people.
    fn the_log_is_text_when_asked(setup) {
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup).args(&["--log", "text"]).start();
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
        let line = server.find_line(Duration::from_secs(10), |line| line.contains("completed")).expect("a line");
        assert!(!line.starts_with('{') && line.contains(&client.local().to_string()), "{line}");
        assert!(!line.contains('\x1b'), "no colours in a file: {line:?}");
        server.stop();
    }

    /// More shards than cores work too.
    fn more_shards_than_cores(setup) {
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup).shards(8).start();
        for _ in 0..64 {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[]);
            client.expect_data(1, b"content");
            client.ack(1);
        }
        server.stop();
    }
}

matrix! {
    /// SIGTERM drains: running transfers end well, new requests are not taken.
    fn sigterm_drains(setup) {
        let data = pattern(5000, 1);
        let root = Root::with("file", &data);
        let mut server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        server.signal(Signal::TERM);
        server.find_line(Duration::from_secs(10), |line| line.contains("SIGTERM")).expect("a word about SIGTERM");
        // Each shard hears of it by its own mail, some time after the line.
        std::thread::sleep(Duration::from_millis(300));
        let mut late = Conversation::with(&server);
        late.rrq("file", "octet", &[]);
        assert!(late.listen_for(Duration::from_millis(200)).is_empty(), "no new transfer");
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        assert_eq!(server.wait_exit(Duration::from_secs(10)).code(), Some(0));
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }
}

/// No `--listen`, no `--shards`, no `--io`: port 69 on all addresses of both kinds, every core.
#[test]
fn serve_alone_works() {
    if !privileged() {
        return;
    }
    let netns = Netns::new();
    let root = Root::with("file", b"content");
    let server = Server::on(root.path(), Setup::EPOLL)
        .netns(&netns)
        .default_listen()
        .start();
    let addrs: Vec<_> = server.addrs().iter().map(ToString::to_string).collect();
    assert_eq!(addrs, ["0.0.0.0:69", "[::]:69"]);
    for (from, to) in [("127.0.0.1:0", "127.0.0.1:69"), ("[::1]:0", "[::1]:69")] {
        let mut client = Conversation::between(netns.socket(from), to.parse().unwrap());
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
    }
    server.stop();
}

#[test]
fn a_missing_root_is_one_line_and_status_1() {
    let said = refusal(&[
        "serve",
        "--root",
        "/no/such/directory",
        "--listen",
        "127.0.0.1:0",
    ]);
    assert!(
        said.contains("/no/such/directory") && said.contains("--root"),
        "{said}"
    );
}

#[test]
fn a_file_as_root_is_one_line_and_status_1() {
    let root = Root::new();
    let file = root.write("file", b"");
    let said = refusal(&[
        "serve",
        "--root",
        file.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert!(said.contains("directory"), "{said}");
}

#[test]
fn a_taken_port_is_one_line_and_status_1() {
    let root = Root::new();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = other.local_addr().unwrap().to_string();
    let said = refusal(&[
        "serve",
        "--root",
        root.path().to_str().unwrap(),
        "--listen",
        &addr,
    ]);
    assert!(
        said.contains(&addr) && said.contains("another program") && said.contains("--listen"),
        "{said}"
    );
}

#[test]
fn too_few_data_ports_are_one_line_and_status_1() {
    let root = Root::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let range = format!("{port}-{port}");
    let said = refusal(&[
        "serve",
        "--root",
        root.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--data-ports",
        &range,
    ]);
    assert!(
        said.contains(&format!("--data-ports {range}")) && said.contains("widen"),
        "{said}"
    );
}

#[test]
fn an_address_of_another_host_is_one_line_and_status_1() {
    let root = Root::new();
    let said = refusal(&[
        "serve",
        "--root",
        root.path().to_str().unwrap(),
        "--listen",
        "192.0.2.77:0",
    ]);
    assert!(
        said.contains("192.0.2.77") && said.contains("no such address"),
        "{said}"
    );
}

/// Without privileges: what to do about port 69, and about a root that may not be read.
#[test]
fn what_needs_privileges_is_said() {
    if !privileged() {
        return;
    }
    let netns = Netns::new();
    let open = Root::new();
    // The program and its root have to be in reach of nobody.
    let program = open.path().join("ringboot");
    std::fs::copy(PROGRAM, &program).unwrap();
    let mode = |path: &Path, mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(open.path(), 0o755);
    mode(&program, 0o755);
    let closed = open.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    mode(&closed, 0o700);
    let unprivileged = |args: &[&str]| {
        let mut argv = vec![
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--no-new-privs",
            program.to_str().unwrap(),
            "serve",
        ];
        argv.extend(args);
        let output = netns.run(Path::new("/"), &argv);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "one line: {said}");
        said
    };
    let said = unprivileged(&["--root", open.path().to_str().unwrap()]);
    assert!(
        said.contains(":69") && said.contains("CAP_NET_BIND_SERVICE"),
        "{said}"
    );
    let said = unprivileged(&[
        "--root",
        closed.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert!(said.contains("permission denied"), "{said}");
}

#[test]
fn wrong_usage_is_status_2() {
    let cases: [&[&str]; 12] = [
        &[],
        &["serve"],
        &["serve", "--root"],
        &["serve", "--root", "/", "--no-such-option"],
        &["serve", "--root", "/", "--io", "magic"],
        &["serve", "--root", "/", "--shards", "0"],
        &["serve", "--root", "/", "--shards", "two"],
        &["serve", "--root", "/", "--max-blksize", "7"],
        &["serve", "--root", "/", "--max-windowsize", "0"],
        &["serve", "--root", "/", "--data-ports", "9-8"],
        &["serve", "--root", "/", "--listen", "nowhere"],
        &["juggle"],
    ];
    for args in cases {
        let output = run_to_end(args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn help_and_version_are_status_0() {
    for args in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let output = run_to_end(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{args:?}"
        );
    }
}

/// `--io auto` takes one of the two and says which.
#[test]
fn auto_takes_what_works() {
    let root = Root::with("file", b"content");
    let mut argv = vec!["timeout", "-s", "TERM", "1", PROGRAM, "serve", "--root"];
    argv.extend([root.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let output = programs::run(root.path(), &argv);
    let said = String::from_utf8(output.stderr).unwrap();
    let ready = said
        .lines()
        .find(|line| line.starts_with("ringboot: ready on "));
    let ready = ready.unwrap_or_else(|| panic!("a ready line: {said}"));
    // Where io_uring is not to be tested, it may be there or not.
    let works = ready.contains("io=uring") || !wants(Io::Uring) && ready.contains("io=epoll");
    assert!(works, "{ready}");
}
