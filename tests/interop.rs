//! Real clients: curl, tftp-hpa, atftp and busybox, on loopback and in network namespaces, and what
//! a host with several addresses, IPv6 and broadcast asks of the server.

#[macro_use]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use support::conversation::any_port;
use support::netns::{Netns, Pair, privileged};
use support::packet::{ack, rrq};
use support::{Conversation, Fetch, Packet, Root, Server, Setup, pattern, programs};

/// Sizes around the borders of blocks of 512, 1024 and 1428 bytes.
const SIZES: [usize; 7] = [0, 1, 511, 512, 1428, 1_024_000, 1_000_003];

/// A server, a router, and a client behind it on a link with an MTU of 1280.
struct NarrowPath {
    server: Netns,
    router: Netns,
    client: Netns,
}

impl NarrowPath {
    fn new() -> Self {
        let path = Self {
            server: Netns::new(),
            router: Netns::new(),
            client: Netns::new(),
        };
        path.server.cable(&path.router, "wide");
        path.client.cable(&path.router, "narrow");
        path.server.host(1);
        path.server
            .ip(&["route", "add", "198.51.100.0/24", "via", "192.0.2.254"]);
        path.client.address("eth0", "198.51.100.2/24");
        path.client
            .ip(&["link", "set", "eth0", "mtu", "1280", "up"]);
        path.client
            .ip(&["route", "add", "default", "via", "198.51.100.254"]);
        path.router.address("wide", "192.0.2.254/24");
        path.router.address("narrow", "198.51.100.254/24");
        path.router.ip(&["link", "set", "wide", "up"]);
        path.router
            .ip(&["link", "set", "narrow", "mtu", "1280", "up"]);
        path.router.inside(|| {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a namespace that routes");
        });
        path
    }
}

/// A root with a file of each size.
fn files() -> Root {
    let root = Root::new();
    for size in SIZES {
        root.write(&name(size), &pattern(size, size as u64));
    }
    root
}

fn name(size: usize) -> String {
    format!("file-{size}")
}

/// The file in `dir` is the one of this size, and the log says so.
fn check(server: &Server, dir: &Path, file: &str, size: usize) {
    let got = fs::read(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(
        got == pattern(size, size as u64),
        "{file}: {} bytes of {size}",
        got.len()
    );
    let transfer = server.wait_for(|transfer| {
        transfer.outcome() == "completed"
            && transfer.text("file").trim_start_matches('/') == name(size)
    });
    assert_eq!(transfer.number("bytes"), size as u64);
}

fn url(addr: SocketAddr, file: &str) -> String {
    format!("tftp://{addr}/{file}")
}

/// tftp-hpa's client; `words` are those behind `-c`.
fn hpa<'a>(addr: &'a SocketAddr, port: &'a str, ip: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let mut argv = vec!["tftp", "-m", "binary"];
    if addr.is_ipv6() {
        argv.push("-6");
    }
    argv.extend([ip, port, "-c"]);
    argv.extend(words);
    argv
}

fn fetch_all_with(setup: Setup, listen: &str, command: impl Fn(SocketAddr, usize) -> Vec<String>) {
    let root = files();
    let server = Server::on(root.path(), setup).listen(listen).start();
    let dir = Root::new();
    for size in SIZES {
        let argv = command(server.addr(), size);
        let argv: Vec<_> = argv.iter().map(String::as_str).collect();
        programs::succeed(dir.path(), &argv);
        check(&server, dir.path(), &name(size), size);
    }
    server.stop();
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

matrix! {
    /// curl: octet with tsize, blksize and timeout.
    fn curl_fetches(setup) {
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            words(&["curl", "-sS", "--max-time", "20", "-O", &url(addr, &name(size))])
        });
    }

    /// curl with large blocks, and without options.
    fn curl_fetches_with_and_without_options(setup) {
        let root = files();
        let server = Server::start(root.path(), setup);
        let dir = Root::new();
        let url = url(server.addr(), &name(1_000_003));
        for options in [&["--tftp-blksize", "65464"][..], &["--tftp-blksize", "8192"], &["--tftp-no-options"]] {
            let mut argv = vec!["curl", "-sS", "--max-time", "20", "-O"];
            argv.extend(options);
            argv.push(&url);
            programs::succeed(dir.path(), &argv);
            check(&server, dir.path(), &name(1_000_003), 1_000_003);
        }
    }

    /// curl says "file not found" by its own status.
    fn curl_is_told_of_a_missing_file(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let output = programs::run(root.path(), &["curl", "-sS", "--max-time", "20", &url(server.addr(), "none")]);
        assert_eq!(output.status.code(), Some(68), "CURLE_TFTP_NOTFOUND");
        assert_eq!(server.wait_for(|_| true).outcome(), "missing");
    }

    /// tftp-hpa's client, octet, no options.
    fn tftp_hpa_fetches(setup) {
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            let port = addr.port().to_string();
            let ip = addr.ip().to_string();
            words(&hpa(&addr, &port, &ip, &["get", &name(size)]))
        });
    }

    /// tftp-hpa's client in netascii: what was a text here is one there.
    fn tftp_hpa_fetches_a_text(setup) {
        let text = "line\nanother line\r and a bare return\r\n".repeat(500);
        let root = Root::with("text", text.as_bytes());
        let server = Server::start(root.path(), setup);
        let dir = Root::new();
        let port = server.addr().port().to_string();
        programs::succeed(dir.path(), &["tftp", "-m", "ascii", "127.0.0.1", &port, "-c", "get", "text"]);
        let got = fs::read_to_string(dir.path().join("text")).unwrap();
        assert!(got == text, "{} bytes of {}", got.len(), text.len());
        server.stop();
    }

    /// tftp-hpa's client may not write.
    fn tftp_hpa_is_told_that_it_may_not_write(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let dir = Root::with("new", b"content");
        let port = server.addr().port().to_string();
        let output = programs::run(dir.path(), &["tftp", "-m", "binary", "127.0.0.1", &port, "-c", "put", "new"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Error code 2"), "{said}");
        assert!(!root.path().join("new").exists());
    }

    /// atftp without options, and with all that it knows, windows included.
    fn atftp_fetches(setup) {
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            let port = addr.port().to_string();
            words(&["atftp", "--get", "-r", &name(size), "-l", &name(size), "127.0.0.1", &port])
        });
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            let port = addr.port().to_string();
            words(&[
                "atftp", "--option", "windowsize 8", "--option", "blksize 1428", "--option", "tsize 0",
                "--option", "timeout 3", "--get", "-r", &name(size), "-l", &name(size), "127.0.0.1", &port,
            ])
        });
    }

    /// The windows of atftp are granted and used.
    fn atftp_gets_its_window(setup) {
        let root = files();
        let server = Server::start(root.path(), setup);
        let dir = Root::new();
        let port = server.addr().port().to_string();
        for windowsize in ["2", "16", "64"] {
            let option = format!("windowsize {windowsize}");
            let file = name(1_000_003);
            programs::succeed(dir.path(), &["atftp", "--option", &option, "--get", "-r", &file, "-l", &file, "127.0.0.1", &port]);
            check(&server, dir.path(), &file, 1_000_003);
            server.wait_for(|transfer| transfer.number("windowsize").to_string() == windowsize);
        }
    }

    /// busybox, with its own block sizes.
    fn busybox_fetches(setup) {
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            let port = addr.port().to_string();
            words(&["busybox", "tftp", "-g", "-r", &name(size), "-l", &name(size), "127.0.0.1", &port])
        });
        fetch_all_with(setup, "127.0.0.1:0", |addr, size| {
            let port = addr.port().to_string();
            words(&["busybox", "tftp", "-b", "1428", "-g", "-r", &name(size), "-l", &name(size), "127.0.0.1", &port])
        });
    }

    /// IPv6, by curl, tftp-hpa and busybox.
    fn clients_fetch_by_ipv6(setup) {
        fetch_all_with(setup, "[::1]:0", |addr, size| {
            words(&["curl", "-sS", "--max-time", "20", "-O", &url(addr, &name(size))])
        });
        fetch_all_with(setup, "[::1]:0", |addr, size| {
            let port = addr.port().to_string();
            words(&hpa(&addr, &port, "::1", &["get", &name(size)]))
        });
        fetch_all_with(setup, "[::1]:0", |addr, size| {
            let port = addr.port().to_string();
            words(&["busybox", "tftp", "-g", "-r", &name(size), "-l", &name(size), "::1", &port])
        });
    }

    /// On a wildcard address, answers come from the address that was asked; a client takes no other.
    fn answers_come_from_the_address_that_was_asked(setup) {
        let data = pattern(2000, 1);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup).listen("0.0.0.0:0").start();
        let port = server.addr().port();
        for asked in ["127.0.0.1", "127.0.0.2", "127.9.8.7"] {
            let asked: SocketAddr = format!("{asked}:{port}").parse().unwrap();
            let mut client = Conversation::between(any_port(asked), asked);
            client.rrq("file", "octet", &[]);
            client.expect_data(1, &data[..512]);
            assert_eq!(client.tid().ip(), asked.ip());
            client.ack(1);
            client.receive_rest(&data, 512, 2);
            // Refusals too.
            let mut client = Conversation::between(any_port(asked), asked);
            client.rrq("none", "octet", &[]);
            client.expect_error(1);
            assert_eq!(client.tid().ip(), asked.ip());
            let mut client = Conversation::between(any_port(asked), asked);
            client.rrq("file", "mail", &[]);
            client.expect_error(4);
            assert_eq!(client.tid().ip(), asked.ip());
        }
        server.stop();
    }

    /// The same on a host with two addresses of each family, on port 69.
    fn a_host_with_several_addresses(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        pair.server.address("eth0", "192.0.2.10/24");
        pair.server.address("eth0", "2001:db8::10/64");
        let root = files();
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        let dir = Root::new();
        let file = name(1_000_003);
        for ip in ["192.0.2.1", "192.0.2.10", "2001:db8::1", "2001:db8::10"] {
            let addr: SocketAddr = (ip.parse::<std::net::IpAddr>().unwrap(), 69).into();
            let (client, unspecified) = if addr.is_ipv4() { ("192.0.2.2:0", "192.0.2.2") } else { ("[2001:db8::2]:0", "2001:db8::2") };
            let mut conversation = Conversation::between(pair.client.socket(client), addr);
            conversation.rrq(&file, "octet", &[("blksize", "1024")]);
            drop(conversation.expect());
            assert_eq!(conversation.tid().ip(), addr.ip());
            conversation.send(&support::packet::error(0, unspecified));
            let output = pair.client.run(dir.path(), &["curl", "-sS", "--max-time", "20", "-O", &url(addr, &file)]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            check(&server, dir.path(), &file, 1_000_003);
        }
        server.stop();
    }

    /// Real clients by port 69 of another host, over an Ethernet MTU.
    fn clients_in_another_namespace(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let root = files();
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        let dir = Root::new();
        let file = name(1_000_003);
        let curl_v6 = url("[2001:db8::1]:69".parse().unwrap(), &file);
        let clients: [&[&str]; 6] = [
            &["curl", "-sS", "--max-time", "20", "--tftp-blksize", "1468", "-O", "tftp://192.0.2.1/file-1000003"],
            &["curl", "-sS", "--max-time", "20", "-O", &curl_v6],
            &["tftp", "-m", "binary", "192.0.2.1", "-c", "get", &file],
            &["atftp", "--option", "windowsize 16", "--option", "blksize 1468", "--get", "-r", &file, "-l", &file, "192.0.2.1"],
            &["busybox", "tftp", "-g", "-r", &file, "-l", &file, "192.0.2.1"],
            &["busybox", "tftp", "-b", "1468", "-g", "-r", &file, "-l", &file, "2001:db8::1"],
        ];
        for argv in clients {
            let _ = fs::remove_file(dir.path().join(&file));
            let output = pair.client.run(dir.path(), argv);
            assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
            check(&server, dir.path(), &file, 1_000_003);
        }
        server.stop();
    }

    /// A broadcast request is answered once, not once for each shard, from the interface's address.
    fn a_broadcast_request_is_answered_once(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let root = Root::with("network-confg", b"hostname switch\n");
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().shards(4).start();
        for to in ["255.255.255.255:69", "192.0.2.255:69"] {
            for _ in 0..8 {
                let socket = pair.client.socket("192.0.2.2:0");
                socket.set_broadcast(true).unwrap();
                let mut switch = Conversation::between(socket, to.parse().unwrap());
                switch.rrq("network-confg", "octet", &[]);
                switch.expect_data(1, b"hostname switch\n");
                assert_eq!(switch.tid().ip().to_string(), "192.0.2.1");
                switch.ack(1);
                assert_eq!(server.transfer_with(switch.local()).outcome(), "completed");
                switch.expect_silence(Duration::from_millis(40));
            }
            // A refusal is one as well.
            let socket = pair.client.socket("192.0.2.2:0");
            socket.set_broadcast(true).unwrap();
            let mut switch = Conversation::between(socket, to.parse().unwrap());
            switch.rrq("ciscortr.cfg", "octet", &[]);
            switch.expect_error(1);
            switch.expect_silence(Duration::from_millis(100));
        }
        assert_eq!(server.transfers().len(), 18, "one line for each request");
        server.stop();
    }

    /// Hundreds of clients at a time, spread over the shards: each gets its own file.
    fn many_clients_at_a_time(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let mut clients = Vec::new();
        for number in 0..400_u64 {
            let data = pattern(3000, number);
            root.write(&format!("client-{number}"), &data);
            clients.push((Conversation::with(&server), data));
        }
        for (number, (client, _)) in (0..).zip(&mut clients) {
            client.rrq(&format!("client-{number}"), "octet", &[("blksize", "1000")]);
        }
        for (client, data) in &mut clients {
            client.expect_oack(&[("blksize", "1000")]);
            client.ack(0);
            client.receive_rest(data, 1000, 1);
        }
        for (client, _) in &clients {
            assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
        }
        server.stop();
    }

    /// One client has several transfers at a time, one for each of its ports.
    fn one_client_reads_several_files_at_a_time(setup) {
        let (one, two) = (pattern(3000, 1), pattern(3000, 2));
        let root = Root::with("one", &one);
        root.write("two", &two);
        let server = Server::start(root.path(), setup);
        let mut first = Conversation::with(&server);
        let mut second = Conversation::with(&server);
        first.rrq("one", "octet", &[]);
        second.rrq("two", "octet", &[]);
        for number in 1..=6_u16 {
            let range = usize::from(number - 1) * 512..(usize::from(number) * 512).min(3000);
            first.expect_data(number, &one[range.clone()]);
            second.expect_data(number, &two[range]);
            first.ack(number);
            second.ack(number);
        }
        server.stop();
    }
}

backends! {
    /// `--data-ports`: every transfer's port is in the range.
    fn data_ports_are_in_the_range(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup)
            .netns(&pair.server)
            .default_listen()
            .args(&["--data-ports", "40000-40007"])
            .start();
        for _ in 0..30 {
            for (from, to) in [("192.0.2.2:0", "192.0.2.1:69"), ("[2001:db8::2]:0", "[2001:db8::1]:69")] {
                let mut client = Conversation::between(pair.client.socket(from), to.parse().unwrap());
                client.rrq("file", "octet", &[]);
                client.expect_data(1, b"content");
                assert!((40000..=40007).contains(&client.tid().port()), "{}", client.tid());
                client.ack(1);
            }
        }
        server.stop();
    }

    /// atftp answers one repeat of a block, and each further one puts off its own timer. Where that
    /// answer is lost as well as the first, resends have to pause, or nothing ever happens again.
    fn atftp_that_ignores_repeats_gets_its_file(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        // The first two ACKs of block 700, 32 bytes each.
        pair.server.drop_arriving("udp length 12 @th,64,16 4 @th,80,16 700 quota 64 bytes");
        let root = files();
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        let dir = Root::new();
        let file = name(1_000_003);
        let output = pair.client.run(dir.path(), &["atftp", "--get", "-r", &file, "-l", &file, "192.0.2.1"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        check(&server, dir.path(), &file, 1_000_003);
        let transfer = server.wait_for(|transfer| transfer.outcome() == "completed");
        assert!(transfer.number("resends") >= 5, "nothing was lost");
        server.stop();
    }

    /// A link-local IPv6 address means nothing without its interface.
    fn link_local_clients(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        for (netns, address) in [(&pair.server, "fe80::a/64"), (&pair.client, "fe80::b/64")] {
            netns.address("eth0", address);
        }
        let root = files();
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        let dir = Root::new();
        let file = name(1_000_003);
        let output = pair.client.run(dir.path(), &["curl", "-sS", "--max-time", "20", "-O", "tftp://[fe80::a%25eth0]/file-1000003"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        check(&server, dir.path(), &file, 1_000_003);
        server.stop();
    }

    /// A server that is bound to one address of several does not hear the others.
    fn a_bound_server_serves_its_address_alone(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        pair.server.address("eth0", "192.0.2.10/24");
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup).netns(&pair.server).listen("192.0.2.10:69").start();
        let mut client = Conversation::between(pair.client.socket("192.0.2.2:0"), "192.0.2.10:69".parse().unwrap());
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        assert_eq!(client.tid().ip().to_string(), "192.0.2.10");
        client.ack(1);
        let mut client = Conversation::between(pair.client.socket("192.0.2.2:0"), "192.0.2.1:69".parse().unwrap());
        client.rrq("file", "octet", &[]);
        client.expect_silence(Duration::from_millis(150));
        server.stop();
    }

    /// With windows and blocks that need fragments, on a narrow path: `--max-blksize` beyond the MTU.
    fn windows_beyond_the_mtu(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let data = pattern(2_000_000, 9);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup)
            .netns(&pair.server)
            .default_listen()
            .args(&["--max-blksize", "65464"])
            .start();
        for blksize in ["1468", "1469", "4096", "32768"] {
            let socket = pair.client.socket("192.0.2.2:0");
            let options = [("blksize", blksize), ("windowsize", "4")];
            let fetched = Fetch::from(socket, "192.0.2.1:69".parse().unwrap(), "file", &options).complete();
            assert!(fetched.data == data, "blksize {blksize}");
        }
        server.stop();
    }

    /// A path narrower than the server's own network: a router says so by ICMP once the first block has
    /// been lost there, and from then on blocks go out in fragments. It does not matter to others.
    fn a_narrow_path_behind_a_router(setup) {
        if !privileged() {
            return;
        }
        let path = NarrowPath::new();
        let data = pattern(300_000, 11);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup)
            .netns(&path.server)
            .default_listen()
            .start();
        for windowsize in ["1", "4"] {
            let options = [("blksize", "1468"), ("windowsize", windowsize)];
            let to = "192.0.2.1:69".parse().unwrap();
            let socket = path.client.socket("198.51.100.2:0");
            let far = Fetch::from(socket, to, "file", &options).complete();
            assert!(far.data == data, "windowsize {windowsize}");
            let socket = path.router.socket("192.0.2.254:0");
            let near = Fetch::from(socket, to, "file", &options).complete();
            assert!(near.data == data, "windowsize {windowsize}");
        }
        server.stop();
    }

    /// Several `--listen`: the ready line names them all, and all of them serve.
    fn several_listening_addresses(setup) {
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup)
            .listen("127.0.0.1:0")
            .listen("[::1]:0")
            .listen("127.0.0.2:0")
            .start();
        assert_eq!(server.addrs().len(), 3, "{}", server.ready());
        for addr in server.addrs() {
            let mut client = Conversation::between(any_port(*addr), *addr);
            client.rrq("file", "octet", &[]);
            client.expect_data(1, b"content");
            assert_eq!(client.tid().ip(), addr.ip());
            client.ack(1);
        }
        server.stop();
    }
}

/// A namespace without IPv6: port 69 of IPv4 alone is served.
#[test]
fn a_host_without_ipv6() {
    if !privileged() {
        return;
    }
    let netns = Netns::new();
    let output = netns.run(
        Path::new("/"),
        &[
            "sh",
            "-c",
            "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
        ],
    );
    assert!(output.status.success());
    let root = Root::with("file", b"content");
    let server = Server::on(root.path(), Setup::EPOLL)
        .netns(&netns)
        .default_listen()
        .start();
    let socket = netns.socket("127.0.0.1:0");
    let mut client = Conversation::between(socket, "127.0.0.1:69".parse().unwrap());
    client.request(&rrq("file", "octet", &[]));
    assert_eq!(
        client.expect(),
        Packet::Data {
            block: 1,
            payload: b"content".to_vec()
        }
    );
    client.send(&ack(1));
    server.stop();
}
