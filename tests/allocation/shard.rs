//! A whole shard on a thread of this program: sockets, backend, endpoint, outbox.
//! Its clients are on another thread, whose allocations do not count.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use ringboot::shard::IoChoice;
use ringboot::wire::{Packet, decode, packet};
use tempfile::TempDir;

use super::counting::Tally;
use super::support::{How, Shard, directly};

/// A file of more blocks than numbers, which is never laid out in frames. Enough for every block that
/// is asked for here.
const LONG: File = File {
    name: "f",
    len: 64 << 20,
    blksize: 512,
};
const LONG_ROUNDS: usize = 50;

/// A file that is, and one behind it.
const FRAMED: File = File {
    name: "framed",
    len: 8 << 20,
    blksize: 1428,
};
const NEXT: File = File {
    name: "next",
    len: 1 << 20,
    blksize: 1428,
};
const FRAMED_ROUNDS: usize = 10;

const PATIENCE: Duration = Duration::from_secs(5);

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

#[test]
fn epoll_framed() {
    framed_costs_no_allocation(IoChoice::Epoll);
}

/// Windows of more than 11 KiB: the first few are sent without a copy.
#[test]
fn uring_framed() {
    framed_costs_no_allocation(IoChoice::Uring);
}

fn costs_no_allocation(io: IoChoice, single_port: bool) {
    let how = How {
        io,
        single_port,
        ..How::default()
    };
    let Some((shard, tally, _root)) = start(how, &[LONG]) else {
        return;
    };
    make_room(&shard, LONG);
    let clients = [1, 16].map(|windowsize| Client::ask(shard.addr, LONG, windowsize));
    count(clients, tally, LONG_ROUNDS);
    shard.stop();
}

fn framed_costs_no_allocation(io: IoChoice) {
    let how = How {
        io,
        ..How::default()
    };
    let Some((shard, tally, _root)) = start(how, &[FRAMED, NEXT]) else {
        return;
    };
    make_room(&shard, FRAMED);
    let clients = [1, 8].map(|windowsize| Client::ask(shard.addr, FRAMED, windowsize));
    // Files of one storage are framed one after the other: where there is memory in use for the
    // next, the first is ready.
    let next = [1, 1].map(|windowsize| Client::ask(shard.addr, NEXT, windowsize));
    let end = Instant::now() + PATIENCE;
    while shard.frames.used() < (FRAMED.len + NEXT.len) as u64 {
        assert!(Instant::now() < end, "not framed");
        std::thread::sleep(Duration::from_millis(10));
    }
    next.into_iter().for_each(Client::leave);
    count(clients, tally, FRAMED_ROUNDS);
    shard.stop();
}

/// A shard whose allocations are counted; none where its backend is not to be tested.
fn start(how: How, files: &[File]) -> Option<(Shard, &'static Tally, TempDir)> {
    if how.io == IoChoice::Uring && std::env::var_os("RINGBOOT_SKIP_URING").is_some() {
        eprintln!("skipped: RINGBOOT_SKIP_URING is set");
        return None;
    }
    let root = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::write(root.path().join(file.name), vec![b'x'; file.len]).unwrap();
    }
    let tally = Tally::leaked();
    let shard = Shard::start(root.path(), how, directly, || tally.count_this_thread());
    Some((shard, tally, root))
}

/// A larger turn than any that is counted, so that every buffer has its size.
fn make_room(shard: &Shard, file: File) {
    let mut wide = Client::ask(shard.addr, file, 64);
    wide.fetch(20);
    wide.leave();
}

fn count(mut clients: [Client; 2], tally: &Tally, rounds: usize) {
    phase(&mut clients, rounds);
    let before = tally.calls();
    let resends = phase(&mut clients, rounds);
    let allocations = tally.calls() - before;
    assert!(before > 0, "the shard's thread is not counted");
    assert!(resends > 0, "no timer came up");
    assert_eq!(
        allocations, 0,
        "in a phase of packets, timers and {resends} resends"
    );
}

/// Many packets, a silence long enough for resends, and packets again. Returns the resends.
fn phase(clients: &mut [Client], rounds: usize) -> usize {
    for _ in 0..rounds {
        clients.iter_mut().for_each(|client| client.fetch(10));
    }
    let resends = clients.iter_mut().map(Client::keep_silent).sum();
    clients.iter_mut().for_each(|client| client.fetch(100));
    resends
}

#[derive(Clone, Copy)]
struct File {
    name: &'static str,
    len: usize,
    blksize: u16,
}

/// A client that takes windows, and can be silent.
struct Client {
    socket: UdpSocket,
    windowsize: u16,
    newest: u16,
}

impl Client {
    fn ask(server: SocketAddr, file: File, windowsize: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let File { name, blksize, .. } = file;
        let request =
            format!("\0\x01{name}\0octet\0blksize\0{blksize}\0windowsize\0{windowsize}\0");
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
        let mut bytes = [0; 1500];
        let len = self.socket.recv(&mut bytes)?;
        match decode(&bytes[..len]) {
            Ok(Packet::Data { block, .. }) => Ok(block),
            other => panic!("no DATA: {other:?}"),
        }
    }
}
