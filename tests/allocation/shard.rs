//! A whole shard on a thread of this program: sockets, backend, endpoint, outbox.
//! Its clients are on another thread, whose allocations do not count.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use ringboot::shard::IoChoice;
use ringboot::wire::{Packet, decode, packet};

use super::counting::Tally;
use super::support::{How, Shard, directly};

/// Enough for every block that is asked for here.
const FILE_LEN: usize = 64 << 20;

#[test]
fn epoll() {
    costs_no_allocation(IoChoice::Epoll, false);
}

#[test]
fn epoll_single_port() {
    costs_no_allocation(IoChoice::Epoll, true);
}

#[test]
fn uring() {
    costs_no_allocation(IoChoice::Uring, false);
}

#[test]
fn uring_single_port() {
    costs_no_allocation(IoChoice::Uring, true);
}

fn costs_no_allocation(io: IoChoice, single_port: bool) {
    if io == IoChoice::Uring && std::env::var_os("RINGBOOT_SKIP_URING").is_some() {
        eprintln!("skipped: RINGBOOT_SKIP_URING is set");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("f"), vec![b'x'; FILE_LEN]).unwrap();
    let how = How {
        io,
        single_port,
        ..How::default()
    };
    let tally = Tally::leaked();
    let shard = Shard::start(root.path(), how, directly, || tally.count_this_thread());

    // A larger turn than any that is counted, so that every buffer has its size.
    let mut wide = Client::ask(shard.addr, 64);
    wide.fetch(20);
    wide.leave();
    let mut clients = [Client::ask(shard.addr, 1), Client::ask(shard.addr, 16)];
    phase(&mut clients);

    let before = tally.calls();
    let resends = phase(&mut clients);
    let allocations = tally.calls() - before;
    assert!(before > 0, "the shard's thread is not counted");
    assert!(resends > 0, "no timer came up");
    assert_eq!(
        allocations, 0,
        "in a phase of packets, timers and {resends} resends"
    );
    shard.stop();
}

/// Many packets, a silence long enough for resends, and packets again. Returns the resends.
fn phase(clients: &mut [Client]) -> usize {
    for _ in 0..50 {
        clients.iter_mut().for_each(|client| client.fetch(10));
    }
    let resends = clients.iter_mut().map(Client::keep_silent).sum();
    clients.iter_mut().for_each(|client| client.fetch(100));
    resends
}

/// A client that takes windows, and can be silent.
struct Client {
    socket: UdpSocket,
    windowsize: u16,
    newest: u16,
}

impl Client {
    fn ask(server: SocketAddr, windowsize: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let request = format!("\0\x01f\0octet\0windowsize\0{windowsize}\0");
        socket.send_to(request.as_bytes(), server).unwrap();
        let mut oack = [0; 600];
        let (len, from) = socket.recv_from(&mut oack).unwrap();
        assert!(matches!(decode(&oack[..len]), Ok(Packet::Oack(_))));
        socket.connect(from).unwrap();
        let newest = 0;
        let client = Self {
            socket,
            windowsize,
            newest,
        };
        client.acknowledge();
        client
    }

    /// Takes so many windows, each to its end.
    fn fetch(&mut self, windows: usize) {
        for _ in 0..windows {
            let end = self.newest.wrapping_add(self.windowsize);
            while self.newest != end {
                if self.receive().unwrap() == self.newest.wrapping_add(1) {
                    self.newest = self.newest.wrapping_add(1);
                }
            }
            self.acknowledge();
        }
    }

    /// Lets the server wait until it resends, and counts the blocks that came more than once.
    fn keep_silent(&mut self) -> usize {
        std::thread::sleep(Duration::from_millis(300));
        self.socket.set_nonblocking(true).unwrap();
        let arrived = std::iter::from_fn(|| self.receive().ok()).count();
        self.socket.set_nonblocking(false).unwrap();
        self.newest = self.newest.wrapping_add(self.windowsize);
        self.acknowledge();
        arrived - usize::from(self.windowsize)
    }

    fn leave(self) {
        self.socket.send(b"\0\x05\0\0bye\0").unwrap();
    }

    fn acknowledge(&self) {
        self.socket.send(&packet::ack(self.newest)).unwrap();
    }

    fn receive(&self) -> std::io::Result<u16> {
        let mut bytes = [0; 600];
        let len = self.socket.recv(&mut bytes)?;
        match decode(&bytes[..len]) {
            Ok(Packet::Data { block, .. }) => Ok(block),
            other => panic!("no DATA: {other:?}"),
        }
    }
}
