//! The conversations in the documents that the project started from, replayed byte by byte:
//! two packet traces, a walk-through, a monitoring probe, and the oddities seen in the field.

#[macro_use]
mod support;

use std::time::Duration;

use support::netns::{Pair, privileged};
use support::packet::rrq;
use support::{Conversation, Packet, Root, Server, pattern};

/// Burton Rosenberg, "TFTP Protocol Trace": a text in netascii, tcpdump's own output. The text's
/// letters are rotated by 13, for it is somebody's poem; its lengths and line ends are the trace's.
const SMALL_HANDS: &str = include_str!("seeds/small-hands.dump");
/// Don Parker, "Understanding the TFTP Protocol": a file of one block in octet.
const EXAMPLE: &str = include_str!("seeds/example.dump");

/// One datagram of a dump: the UDP payload, and the Ethernet padding behind the IP packet.
struct Dumped {
    payload: Vec<u8>,
    padding: Vec<u8>,
}

/// The datagrams of a tcpdump -X listing.
fn dumped(listing: &str) -> Vec<Dumped> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for line in listing.lines().filter(|line| line.starts_with("0x")) {
        let (offset, rest) = line.split_at(6);
        if offset == "0x0000" {
            frames.push(Vec::new());
        }
        // The hexadecimal column ends where two blanks or a tab follow a group.
        let rest = rest.trim_start_matches([':', ' ', '\t']);
        let end = rest.find("  ").into_iter().chain(rest.find('\t')).min();
        let column = &rest[..end.unwrap_or(rest.len())];
        let digits: Vec<u8> = column.bytes().filter(u8::is_ascii_hexdigit).collect();
        let frame = frames.last_mut().expect("a first line");
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).unwrap();
            frame.push(u8::from_str_radix(pair, 16).unwrap());
        }
    }
    frames.iter().map(|frame| parse(frame)).collect()
}

/// IPv4 without options, then UDP.
fn parse(frame: &[u8]) -> Dumped {
    let number = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    assert_eq!(frame[0], 0x45, "IPv4 without options");
    let (ip_len, udp_len) = (number(2), number(24));
    assert_eq!(ip_len, udp_len + 20);
    Dumped {
        payload: frame[28..ip_len].to_vec(),
        padding: frame[ip_len..].to_vec(),
    }
}

/// What a netascii client makes of the bytes that travelled.
fn from_netascii(wire: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(wire.to_vec()).expect("a text");
    text.replace("\r\n", "\n").into_bytes()
}

/// Replays a dump: client's datagrams are sent, the server's must be equal to the byte.
fn replay(server: &Server, datagrams: &[Dumped], with_padding: bool) {
    let mut client = Conversation::with(server);
    for (number, datagram) in datagrams.iter().enumerate() {
        let mut bytes = datagram.payload.clone();
        if with_padding {
            bytes.extend_from_slice(&datagram.padding);
        }
        match number {
            0 => client.request(&bytes),
            _ if number % 2 == 0 => client.send(&bytes),
            _ => {
                let expected = Packet::read(&datagram.payload);
                assert!(client.expect() == expected, "datagram {number} of the dump");
            }
        }
    }
    assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
}

matrix! {
    /// Two DATA packets, 516 and 452 bytes, line ends as CR LF, one pair next to the border.
    fn the_netascii_trace(setup) {
        let datagrams = dumped(SMALL_HANDS);
        let lens: Vec<_> = datagrams.iter().map(|datagram| datagram.payload.len()).collect();
        assert_eq!(lens, [27, 516, 4, 452, 4], "as tcpdump counted");
        let wire = [&datagrams[1].payload[4..], &datagrams[3].payload[4..]].concat();
        let root = Root::with("small-hands.txt", &from_netascii(&wire));
        let server = Server::start(root.path(), setup);
        replay(&server, &datagrams, false);
        replay(&server, &datagrams, true);
    }

    /// A request of 16 bytes, one DATA of 102, one ACK; also with the NULs by which the Ethernet
    /// frame was filled up.
    fn the_octet_trace(setup) {
        let datagrams = dumped(EXAMPLE);
        let lens: Vec<_> = datagrams.iter().map(|datagram| datagram.payload.len()).collect();
        assert_eq!(lens, [16, 102, 4], "as tcpdump counted");
        assert_eq!(datagrams[0].padding, [0, 0]);
        let root = Root::with("example", &datagrams[1].payload[4..]);
        let server = Server::start(root.path(), setup);
        replay(&server, &datagrams, false);
        replay(&server, &datagrams, true);
    }

    /// "How TFTP works": 1,630 bytes are blocks of 512, 512, 512 and 94 bytes.
    fn the_file_in_four_blocks(setup) {
        let data = pattern(1630, 1);
        let root = Root::with("yamaha-rx100.txt", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("yamaha-rx100.txt", "octet", &[]);
        for (block, len) in [(1, 512), (2, 512), (3, 512), (4, 94)] {
            match client.expect() {
                Packet::Data { block: got, payload } => assert_eq!((got, payload.len()), (block, len)),
                other => panic!("{other:?}"),
            }
            client.ack(block);
        }
        let transfer = server.transfer_with(client.local());
        assert_eq!((transfer.outcome(), transfer.number("bytes")), ("completed", 1630));
        // The server's end has a port above 1023 of its own.
        assert!(client.tid().port() > 1023);
    }

    /// "Error on server : File not found", at once and not by a timeout.
    fn the_missing_file(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("test.txt", "netascii", &[]);
        client.expect_error(1);
        assert_eq!(server.transfer_with(client.local()).outcome(), "missing");
        client.expect_silence(Duration::from_millis(100));
    }

    /// The Dude's probe: `\0\1dude.txt\0octet\0`, and any answer means alive. One answer each.
    fn the_dude_probe(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        for _ in 0..5 {
            let mut dude = Conversation::with(&server);
            dude.request(b"\0\x01dude.txt\0octet\0");
            drop(dude.expect());
            assert_eq!(server.transfer_with(dude.local()).text("file"), "dude.txt");
            dude.expect_silence(Duration::from_millis(50));
        }
    }

    /// The Dude with a real file, which it never acknowledges: a few datagrams, then silence.
    fn the_dude_probe_of_a_file(setup) {
        let root = Root::with("dude.txt", &pattern(5000, 2));
        let server = Server::start(root.path(), setup);
        let mut dude = Conversation::with(&server);
        dude.request(b"\0\x01dude.txt\0octet\0");
        let packets = dude.listen_for(Duration::from_secs(3));
        assert!((1..=4).contains(&packets.len()), "{} packets", packets.len());
        assert!(packets.iter().all(|packet| packet.block() == Some(1)));
    }

    /// "TFTP Oddities", the first trace: a request of 22 bytes in netascii, DATA of 516 and 92 bytes.
    fn the_ports_of_the_oddities(setup) {
        let text = pattern(600, 3).iter().map(|byte| b'a' + byte % 26).collect::<Vec<_>>();
        let root = Root::with("myfile.dat", &text);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        let request = rrq("myfile.dat", "netascii", &[]);
        assert_eq!(request.len(), 22);
        client.request(&request);
        client.expect_data(1, &text[..512]);
        assert_eq!(client.tid().port() == server.addr().port(), setup.single_port);
        client.ack(1);
        client.expect_data(2, &text[512..]);
        client.ack(2);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
    }

    /// "TFTP Oddities", the Aironet access point: it asks 255.255.255.255, is answered by unicast,
    /// and goes on acknowledging to 255.255.255.255. tftp-hpa never hears that; the file must
    /// arrive, without waiting for timers.
    fn the_broadcast_access_point(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let data = pattern(20_000, 4);
        let root = Root::with("c1200-k9w7-tar.default", &data);
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        for _ in 0..4 {
            let socket = pair.client.socket("0.0.0.0:0");
            socket.set_broadcast(true).unwrap();
            let mut access_point = Conversation::between(socket, "255.255.255.255:69".parse().unwrap());
            let request = rrq("c1200-k9w7-tar.default", "octet", &[]);
            assert_eq!(request.len(), 31);
            access_point.request(&request);
            for (number, payload) in (1..).zip(data.chunks(512)) {
                access_point.expect_data(number, payload);
                let tid = access_point.tid();
                assert_eq!(tid.ip().to_string(), "192.0.2.1", "answered by unicast");
                let ack = support::packet::ack(number);
                access_point.send_to(&ack, format!("255.255.255.255:{}", tid.port()).parse().unwrap());
            }
            let port = access_point.local().port();
            let transfer = server.wait_for(|transfer| transfer.text("client") == format!("192.0.2.2:{port}"));
            assert_eq!((transfer.outcome(), transfer.number("bytes")), ("completed", 20_000));
        }
        server.stop();
    }
}
