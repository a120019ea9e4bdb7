//! Sockets that systemd holds: who serves on them, and what waits in them meanwhile.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

use crate::support::conversation::any_port;
use crate::support::{Fetch, Root, Server, packet};

/// As systemd binds `ListenDatagram=ADDR` with `ReusePort=yes` and `BindIPv6Only=ipv6-only`.
fn bound(addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None).expect("a socket");
    if addr.is_ipv6() {
        socket.set_only_v6(true).expect("set");
    }
    socket.set_reuse_port(true).expect("set");
    socket.bind(&addr.into()).expect("bound");
    socket
}

fn addr_of(socket: &Socket) -> SocketAddr {
    let addr = socket.local_addr().expect("an address");
    addr.as_socket().expect("of the internet")
}

fn copies(sockets: &[Socket]) -> Vec<OwnedFd> {
    let copy = |socket: &Socket| OwnedFd::from(socket.try_clone().expect("a descriptor"));
    sockets.iter().map(copy).collect()
}

fn fetch(addr: SocketAddr) -> Vec<u8> {
    Fetch::from(any_port(addr), addr, "file", &[])
        .complete()
        .data
}

matrix! {
    fn both_versions_are_served_by_one_shard(setup) {
        let root = Root::with("file", b"content");
        let sockets = ["127.0.0.1:0", "[::1]:0"].map(|addr| bound(addr.parse().expect("an address")));
        let server = Server::on(root.path(), setup).sockets(copies(&sockets)).start();
        assert!(server.ready().ends_with("shards=1"), "{}", server.ready());
        for socket in &sockets {
            assert_eq!(fetch(addr_of(socket)), b"content");
        }
        server.stop();
    }

    /// As many shards as sockets for an address, each with requests of its own.
    fn several_sockets_for_an_address_are_several_shards(setup) {
        let root = Root::with("file", b"content");
        let first = bound("127.0.0.1:0".parse().expect("an address"));
        let addr = addr_of(&first);
        let sockets = [first, bound(addr), bound(addr)];
        let server = Server::on(root.path(), setup).sockets(copies(&sockets)).start();
        assert!(server.ready().ends_with("shards=3"), "{}", server.ready());
        for _ in 0..60 {
            assert_eq!(fetch(addr), b"content");
        }
        server.stop();
    }
}

backends! {
    /// A request that comes while nobody serves waits in the socket, for the next server.
    fn nothing_is_lost_between_two_servers(setup) {
        let root = Root::with("file", b"content");
        let socket = [bound("127.0.0.1:0".parse().expect("an address"))];
        let addr = addr_of(&socket[0]);
        for _ in 0..3 {
            let early = UdpSocket::bind("127.0.0.1:0").expect("a port");
            early.send_to(&packet::rrq("file", "octet", &[]), addr).expect("sent");
            let server = Server::on(root.path(), setup).sockets(copies(&socket)).start();
            let wait = Some(std::time::Duration::from_secs(10));
            early.set_read_timeout(wait).expect("set");
            let mut bytes = [0; 600];
            let (length, from) = early.recv_from(&mut bytes).expect("an answer");
            assert_eq!(&bytes[..length], b"\0\x03\0\x01content");
            early.send_to(b"\0\x04\0\x01", from).expect("sent");
            server.transfer_with(early.local_addr().expect("an address"));
            server.stop();
        }
    }
}
