//! Hostile bytes, strangers and crowds that vanish: the server stays up, its memory goes back to
//! where it was, nothing outside the root is read, and nobody gets an amplifier.

#[macro_use]
mod support;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::conversation::any_port;
use support::fetch::Failed;
use support::packet::{ack, error, request, rrq};
use support::{Conversation, Fetch, Packet, Rng, Root, Server, pattern};

/// Room for thousands of sockets in this process.
fn allow_many_sockets() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit up to the hard one");
}

/// Bytes of a request with one of many things wrong, or of anything else.
fn hostile(rng: &mut Rng) -> Vec<u8> {
    let names = ["file", "none", "../file", "%s%n", "a/b/c", ""];
    let modes = ["octet", "netascii", "mail", "", "OCTET"];
    let options = [
        "blksize",
        "tsize",
        "timeout",
        "windowsize",
        "rollover",
        "blksize2",
        "utimeout",
        "x",
    ];
    let values = [
        "0",
        "1",
        "8",
        "512",
        "65464",
        "65535",
        "-1",
        "18446744073709551616",
        "",
        "%n",
        "999999999999999999999999",
    ];
    let mut bytes = match rng.below(8) {
        0 => {
            let len = rng.below(64) as usize;
            return rng.bytes(len);
        }
        1 => {
            let len = rng.below(2000) as usize;
            return rng.bytes(len);
        }
        2 => {
            // An opcode, then noise.
            let mut bytes = vec![0, rng.below(9) as u8];
            let len = rng.below(600) as usize;
            bytes.extend(rng.bytes(len));
            return bytes;
        }
        3 => {
            // A long name, or long options, without an end.
            let len = rng.below(1400) as usize;
            let mut bytes = vec![0, 1 + rng.below(2) as u8];
            bytes.extend(vec![b'a' + rng.below(26) as u8; len]);
            return bytes;
        }
        _ => {
            let count = rng.below(6);
            let pairs: Vec<_> = (0..count)
                .map(|_| (*rng.pick(&options), *rng.pick(&values)))
                .collect();
            request(
                1 + rng.below(2) as u16,
                rng.pick(&names).as_bytes(),
                rng.pick::<&str>(&modes),
                &pairs,
            )
        }
    };
    // Mutations: cut, flip, append.
    match rng.below(5) {
        0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
        1 => {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        2 => bytes.extend(rng.bytes(16)),
        _ => {}
    }
    bytes
}

/// The server answers, and correctly.
fn still_serves(server: &Server, name: &str, content: &[u8]) {
    let fetched = Fetch::new(server, name, &[("blksize", "1000")]).complete();
    assert!(fetched.data == content, "the same bytes");
}

/// Waits until no transfer is left that had been under way: as many lines as requests.
fn wait_for_lines(server: &Server, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let ended = server.transfer_count();
        if ended >= count {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{ended} of {count} transfers ended"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

matrix! {
    /// 20,000 random and malformed datagrams, to the port for requests and to a transfer's.
    fn random_datagrams_harm_nothing(setup) {
        let mut rng = Rng::seeded(0x7e57);
        let data = pattern(10_000, 1);
        let root = Root::with("file", &data);
        let mut server = Server::start(root.path(), setup);
        let mut running = Conversation::with(&server);
        running.rrq("file", "octet", &[("blksize", "1000")]);
        running.expect_oack(&[("blksize", "1000")]);
        running.ack(0);
        running.expect_data(1, &data[..1000]);
        let targets = [server.addr(), running.tid()];
        let fds = server.fds();
        let mut after = [0; 2];
        for memory in &mut after {
            let sockets: Vec<_> = (0..50).map(|_| any_port(server.addr())).collect();
            for number in 0..10_000 {
                let socket = rng.pick(&sockets);
                let target = *rng.pick(&targets);
                // Some datagrams are refused here already, being too long.
                let _ = socket.send_to(&hostile(&mut rng), target);
                if number % 100 == 0 {
                    assert!(server.alive(), "alive");
                    thread::sleep(Duration::from_millis(2));
                }
            }
            drop(sockets);
            still_serves(&server, "file", &data);
            *memory = server.rss();
        }
        // The transfer that ran meanwhile goes on where it was.
        running.ack(1);
        running.receive_rest(&data, 1000, 2);
        assert!(after[1] < after[0] + 4_096, "{} KiB, then {} KiB", after[0], after[1]);
        assert_eq!(server.fds(), fds, "file descriptors");
        assert!(server.alive());
    }

    /// Packets of 0 to 3 bytes in every state of a transfer.
    fn short_packets_in_every_state(setup) {
        let data = pattern(2500, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let shorts: Vec<Vec<u8>> = (0..=6_u8)
            .flat_map(|opcode| [vec![], vec![0], vec![0, opcode], vec![0, opcode, 0], vec![opcode, 0, 0]])
            // An ERROR without its code may end a transfer, or not.
            .filter(|bytes| bytes.get(1) != Some(&5))
            .collect();
        let mut client = Conversation::with(&server);
        for short in &shorts {
            client.request(short);
        }
        client.rrq("file", "octet", &[("blksize", "1000")]);
        for step in 0..4_u16 {
            match step {
                0 => client.expect_oack(&[("blksize", "1000")]),
                _ => client.expect_data(step, &data[usize::from(step - 1) * 1000..(usize::from(step) * 1000).min(2500)]),
            }
            for short in &shorts {
                client.send(short);
            }
            client.ack(step);
        }
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
        server.stop();
    }

    /// Names that lead out of the root, in all spellings, are ERRORs; nothing outside is read.
    fn nothing_outside_the_root_is_read(setup) {
        let above = Root::with("secret", b"secret");
        let root = above.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("file"), b"content").unwrap();
        symlink(above.path(), root.join("link")).unwrap();
        symlink("/", root.join("slash")).unwrap();
        symlink("..", root.join("sub/up")).unwrap();
        let absolute = above.path().join("secret").to_str().unwrap().to_string();
        let mut names: Vec<String> = [
            "../secret", "..\\secret", "/../secret", "\\..\\secret", "sub/../../secret", "sub\\..\\..\\secret",
            "./../secret", ".//..//secret", "....//secret", "..../secret", ".../secret", "..;/secret", "..%2fsecret",
            "%2e%2e/secret", "..%5csecret", "..%c0%afsecret", "..\u{2215}secret", "..\u{ff0f}secret", "sub/up/../../secret",
            "link/secret", "sub/up/link/secret", "slash/etc/passwd", "/etc/passwd", "\\etc\\passwd", "//etc/passwd", "C:\\secret",
            "C:..\\secret", "\\\\host\\share\\secret", "file/../../secret", "../root/../secret", "|cat ../secret", "$(cat ../secret)",
            "/proc/self/root/etc/passwd", "/proc/self/cwd/secret", "/dev/zero", "../", "..", "sub/..", ".. /secret", "../secret%00", "~root/secret",
        ].map(String::from).to_vec();
        names.push(absolute.clone());
        names.push(absolute.replace('/', "\\"));
        names.push(format!("../../../../../../../../../..{absolute}"));
        names.push(format!("slash{absolute}"));
        for depth in 1..12 {
            names.push(format!("{}secret", "../".repeat(depth)));
            names.push(format!("{}etc/passwd", "..\\".repeat(depth)));
        }
        // With the names alone, and with the kernel behind them.
        for sandbox in ["off", "auto"] {
            let server = Server::on(&root, setup).args(&["--sandbox", sandbox]).start();
            for mode in ["octet", "netascii"] {
                for name in &names {
                    let mut client = Conversation::with(&server);
                    client.rrq(name, mode, &[]);
                    match client.expect() {
                        Packet::Error { code: 1 | 2, text } => assert!(!text.contains("root") && !text.contains("tmp"), "no path of ours: {text}"),
                        other => panic!("{name}: {other:?}"),
                    }
                }
            }
            // A NUL ends a name: what is behind it is the mode.
            let mut client = Conversation::with(&server);
            client.request(b"\0\x01file\0../secret\0octet\0");
            client.expect_error(4);
            server.stop();
        }
    }

    /// Names of 1 byte to a whole datagram; control characters, no text, format strings. Each gets
    /// an answer, and each its own line in the log.
    fn strange_names_are_answered_and_logged_safely(setup) {
        let root = Root::new();
        // A quick machine asks more than ten times a second, of which the log would count the rest.
        let server = Server::on(root.path(), setup).args(&["--log-level", "debug"]).start();
        let mut names: Vec<Vec<u8>> = [
            &b"%s%s%n%n"[..], b"a\nb", b"a\r\nringboot: ready on 6.6.6.6:69", b"\x1b[31mred\x1b[0m", b"\xff\xfe\xfd", b"\"quoted\"", b"{\"outcome\":\"completed\"}",
            b"\x01\x02\x7f", b"caf\xc3\xa9", b"\xe2\x80\xae", b" ", b"\t", b"'", b"\\\\",
        ].map(<[u8]>::to_vec).to_vec();
        for len in [1, 100, 255, 256, 400, 501] {
            names.push(vec![b'n'; len]);
            names.push([b"d/".repeat(len / 2), b"x".to_vec()].concat());
        }
        for name in &names {
            let mut client = Conversation::with(&server);
            client.request(&request(1, name, "octet", &[]));
            match client.expect() {
                Packet::Error { code: 1 | 2, .. } => {}
                other => panic!("{name:?}: {other:?}"),
            }
            let line = server.transfer_with(client.local());
            assert!(["missing", "refused"].contains(&line.outcome()), "{name:?}: {}", line.0);
        }
        for len in [1_000, 1_500, 5_000, 20_000, 65_000] {
            let client = Conversation::with(&server);
            // Too long for a request: an ERROR or silence, both will do.
            client.request_again(&request(1, &vec![b'n'; len], "octet", &[]));
            client.request_again(&rrq("x", "octet", &[("tsize", &"9".repeat(len))]));
        }
        assert!(server.transfers().len() >= names.len());
        let said = server.stop();
        for line in said.lines() {
            assert!(!line.contains('\x1b'), "no escape sequence in the log: {line:?}");
            assert!(line.starts_with('{') || line.starts_with("ringboot: ready on 127.0.0.1"), "one line each: {line:?}");
        }
    }

    /// A stranger's packets at a transfer's port, thousands of them: at most one ERROR 5 a second,
    /// and the transfer does not notice.
    fn strangers_are_answered_once_a_second(setup) {
        let data = pattern(20_000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack_slowly(1);
        client.expect_data(2, &data[512..1024]);
        let start = Instant::now();
        let tid = client.tid();
        let mut stranger = Conversation::between(any_port(tid), tid);
        for round in 0..2_000_u16 {
            stranger.send_to(&ack(round % 5), tid);
            stranger.send_to(&error(0, "stop"), tid);
            stranger.send_to(b"\0\x03\0\x02data", tid);
            if round % 50 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let answers = stranger.listen_for(Duration::from_millis(300));
        let allowed = start.elapsed().as_secs() as usize + 1;
        assert!((1..=allowed).contains(&answers.len()), "{} answers in {:?}", answers.len(), start.elapsed());
        assert!(answers.iter().all(|answer| matches!(answer, Packet::Error { code: 5, .. })), "{answers:?}");
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        let transfer = server.transfer_with(client.local());
        assert_eq!((transfer.outcome(), transfer.number("bytes")), ("completed", 20_000));
        server.stop();
    }

    /// ERRORs are never answered, nor is what is no packet of TFTP: two servers must not talk.
    fn errors_are_never_answered(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        for code in 0..10 {
            client.request(&error(code, "hello"));
        }
        client.request(b"\0\x05");
        client.request(b"\0\x06blksize\x00512\0");
        client.request(b"\0\x07\0\0");
        client.request(b"\x01\0\0\0");
        client.expect_silence(Duration::from_millis(200));
        server.stop();
    }

    /// What an address that has proved nothing can make the server send, over all kinds of
    /// requests: few datagrams, one at a time, whatever window it asked for.
    fn an_unproven_address_gets_little(setup) {
        let root = Root::with("file", &pattern(1_000_000, 1));
        let server = Server::start(root.path(), setup);
        let options: [&[(&str, &str)]; 7] = [
            &[], &[("blksize", "65464")], &[("windowsize", "64")], &[("blksize", "65464"), ("windowsize", "64"), ("tsize", "0")],
            &[("timeout", "1")], &[("utimeout", "10000")], &[("utimeout", "10000"), ("blksize", "65464")],
        ];
        let mut clients: Vec<_> = options.iter().map(|options| {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", options);
            (client, options)
        }).collect();
        thread::sleep(Duration::from_secs(4));
        for (client, options) in &mut clients {
            let packets = client.listen_for(Duration::from_millis(20));
            let sent: usize = packets.iter().map(|packet| match packet {
                Packet::Data { payload, .. } => payload.len() + 4,
                _ => 100,
            }).sum();
            assert!((1..=4).contains(&packets.len()), "{options:?}: {} datagrams", packets.len());
            assert!(sent <= 3 * 516, "{options:?}: {sent} bytes");
            if !options.is_empty() {
                assert!(packets.iter().all(|packet| matches!(packet, Packet::Oack(_))), "{options:?}: {packets:?}");
            }
        }
        drop(clients);
    }

    /// A port that makes ever other requests has one transfer at a time.
    fn one_port_has_one_transfer(setup) {
        let root = Root::with("file", b"content");
        for number in 0..300 {
            root.write(&format!("file-{number}"), b"content");
        }
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        for number in 0..300 {
            client.request(&rrq(&format!("file-{number}"), "octet", &[("blksize", "1000")]));
            if number % 20 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let _ = client.listen_for(Duration::from_millis(300));
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
        assert_eq!(server.wait_for(|transfer| transfer.text("file") == "file").outcome(), "completed");
        let completed = server.transfers().iter().filter(|transfer| transfer.outcome() == "completed").count();
        assert_eq!(completed, 1);
        server.stop();
    }

    /// Requests to write, a thousand of them: refused, nothing appears, nothing stays.
    fn write_requests_leave_nothing(setup) {
        let root = Root::with("file", b"content");
        let server = Server::start(root.path(), setup);
        let socket = any_port(server.addr());
        for number in 0..1_000 {
            let name = format!("new-{number}");
            socket.send_to(&request(2, name.as_bytes(), "octet", &[("tsize", "18446744073709551615")]), server.addr()).unwrap();
            if number % 50 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        still_serves(&server, "file", b"content");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        server.stop();
    }
}

backends! {
    /// 3,000 clients that ask and vanish, half with their port closed, half silent, with the
    /// largest wishes: all are forgotten, and the second crowd costs no memory over the first.
    fn vanished_clients_cost_nothing(setup) {
        allow_many_sockets();
        let root = Root::with("file", &pattern(1_000_000, 1));
        let mut server = Server::start(root.path(), setup);
        let fds = server.fds();
        let wishes: [&[(&str, &str)]; 3] = [&[], &[("blksize", "1428"), ("tsize", "0")], &[("blksize", "65464"), ("windowsize", "64")]];
        let mut after = [0; 2];
        for (crowd, memory) in (1..).zip(&mut after) {
            let mut silent = Vec::new();
            for number in 0..3_000 {
                let socket = any_port(server.addr());
                // The number makes each request a different one, should a port be given out twice.
                let nth = number.to_string();
                let wish = [wishes[number % 3], &[("x-nth", nth.as_str())]].concat();
                socket.send_to(&rrq("file", "octet", &wish), server.addr()).unwrap();
                if number % 2 == 0 {
                    silent.push(socket);
                }
                if number % 100 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            wait_for_lines(&server, crowd * 3_000);
            *memory = server.rss();
        }
        for transfer in server.transfers() {
            // A port that was free again may have been given to the next of the crowd: aborted. Or to the
            // server of another test, to whom our DATA is a stranger's: peer_error.
            let outcomes = ["timed_out", "peer_gone", "aborted", "peer_error"];
            assert!(outcomes.contains(&transfer.outcome()), "{}", transfer.0);
        }
        assert!(after[1] < after[0] + 4_096, "{} KiB, then {} KiB", after[0], after[1]);
        // A shard that sleeps may still hold the file of its last transfer.
        assert!(server.fds() <= fds + 2, "{fds} file descriptors became {}", server.fds());
        still_serves(&server, "file", &pattern(1_000_000, 1));
        assert!(server.alive());
    }

    /// A transfer's port is hard to guess; so an ACK at the well-known port, whose sender is as easily
    /// forged as a request, must not move it on.
    fn the_listening_port_takes_no_acks(setup) {
        let data = pattern(5000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.request_again(&ack(1));
        for packet in client.listen_for(Duration::from_millis(200)) {
            assert_ne!(packet.block(), Some(2), "moved on by an ACK to the wrong port");
        }
        client.request_again(&error(0, "stop"));
        client.ack(1);
        client.receive_rest(&data, 512, 2);
        server.stop();
    }

    /// A flood of requests for missing files from one port does not keep others waiting.
    fn a_flood_does_not_starve_others(setup) {
        let data = pattern(20_000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let addr = server.addr();
        let stop = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let flood: UdpSocket = any_port(addr);
                let bytes = rrq("missing", "octet", &[]);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    for _ in 0..20 {
                        let _ = flood.send_to(&bytes, addr);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let results: Vec<_> = (0..10)
                .map(|_| Fetch::new(&server, "file", &[("blksize", "1000")]).run())
                .collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            for result in results {
                match result {
                    Ok(fetched) => assert!(fetched.data == data, "the same bytes"),
                    Err(Failed::Error { code, text }) => panic!("ERROR {code}: {text}"),
                    Err(Failed::Silence) => panic!("starved"),
                }
            }
        });
        server.stop();
    }
}
