//! A backend with its sockets, a client beside it, and the events of each turn as owned values.

use core::net::SocketAddr;
use core::time::Duration;
use std::net::UdpSocket;
use std::sync::Arc;

use crate::clock;
use crate::endpoint::{Local, Peer, Route, SocketId, Ticket, Train};
use crate::files::{Catalog, Image, Loader, RelPath, Root};
use crate::limits::FRAME_AFTER;
use crate::shard::{
    Arrival, Backend, Event, IoChoice, Layout, Listen, Outbox, Plan, Sockets, Waker, ZeroCopy,
    bind, open,
};
use crate::transfer::{BlockRange, Nanos, Rollover};

pub const TICKET: Ticket = Ticket {
    slot: 7,
    generation: 3,
};

/// Both backends; every test of the suite runs over each.
pub const BACKENDS: [IoChoice; 2] = [IoChoice::Epoll, IoChoice::Uring];

/// An event that outlives its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Datagram {
        socket: SocketId,
        peer: Peer,
        local: Option<Arrival>,
        bytes: Vec<u8>,
        truncated: bool,
    },
    Unreachable(SocketId, Peer),
    Failed {
        blocks: BlockRange,
        unreadable: bool,
        errno: i32,
    },
    Congested(BlockRange),
    Woken,
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Datagram {
                socket,
                peer,
                local,
                bytes,
                truncated,
                ..
            } => Self::Datagram {
                socket,
                peer,
                local,
                bytes: bytes.to_vec(),
                truncated,
            },
            Event::Unreachable { socket, peer } => Self::Unreachable(socket, peer),
            Event::SendFailed {
                ticket,
                blocks,
                unreadable,
                errno,
            } => {
                assert_eq!(ticket, TICKET);
                Self::Failed {
                    blocks,
                    unreadable,
                    errno,
                }
            }
            Event::Congested { ticket, blocks } => {
                assert_eq!(ticket, TICKET);
                Self::Congested(blocks)
            }
            Event::Woken => Self::Woken,
            Event::Batch { .. } | Event::ZeroCopy(_) => unreachable!("left out by the harness"),
        }
    }
}

pub struct Harness {
    pub backend: Box<dyn Backend>,
    pub layout: Layout,
    pub outbox: Outbox,
    pub waker: Waker,
}

impl Harness {
    pub fn new(choice: IoChoice) -> Self {
        Self::listening(choice, "127.0.0.1:0")
    }

    pub fn listening(choice: IoChoice, listen: &str) -> Self {
        Self::with(choice, sockets(&plan(listen)))
    }

    pub fn with(choice: IoChoice, sockets: Sockets) -> Self {
        let layout = sockets.layout().clone();
        let waker = Waker::new().expect("an eventfd");
        let opened = open(choice, ZeroCopy::Auto, sockets, waker.clone()).expect("a backend");
        Self {
            backend: opened.backend,
            layout,
            outbox: Outbox::new(),
            waker,
        }
    }

    /// One turn, at most a fifth of a second long.
    pub fn turn(&mut self) -> Vec<Seen> {
        self.turn_until(Some(clock::now() + Nanos::from_millis(200)))
    }

    pub fn turn_until(&mut self, deadline: Option<Nanos>) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut on_event = |event: Event<'_>| match event {
            // Which train is the one to tell of is not for these tests, nor is there anything to guess at.
            Event::Batch { .. } | Event::ZeroCopy(_) => {}
            event => seen.push(Seen::from(event)),
        };
        self.backend
            .turn(&mut self.outbox, deadline, &mut on_event)
            .expect("a working backend");
        assert!(self.outbox.is_empty());
        seen
    }

    /// Turns until `done`, or for about five seconds.
    pub fn turn_while(&mut self, mut done: impl FnMut(&[Seen]) -> bool) -> Vec<Seen> {
        let end = clock::now() + Nanos::from_secs(5);
        let mut seen = Vec::new();
        while !done(&seen) && clock::now() < end {
            seen.extend(self.turn());
        }
        seen
    }

    /// Turns until so many datagrams went out, or for about ten seconds; what `answer` pushes goes
    /// out in the turn after.
    pub fn turn_while_pushing(&mut self, sent: u64, mut answer: impl FnMut(Seen, &mut Outbox)) {
        let end = clock::now() + Nanos::from_secs(10);
        while self.backend.counters().datagrams_sent < sent && clock::now() < end {
            for seen in self.turn() {
                answer(seen, &mut self.outbox);
            }
        }
    }

    pub fn listener(&self) -> SocketAddr {
        self.layout.listening().next().expect("a listener")
    }

    pub fn data_socket(&self) -> SocketId {
        self.layout.reply_socket(SocketId(0))
    }

    pub fn data_addr(&self) -> SocketAddr {
        self.layout.addr(self.data_socket()).expect("an address")
    }

    pub fn route(&self, peer: SocketAddr) -> Route {
        Route {
            peer: Peer::from(peer),
            local: Local::default(),
            socket: self.data_socket(),
        }
    }
}

pub fn plan(listen: &str) -> Plan {
    Plan {
        listen: vec![Listen {
            addr: listen.parse().expect("an address"),
            optional: false,
        }],
        shards: 1,
        single_port: false,
        data_ports: None,
    }
}

pub fn sockets(plan: &Plan) -> Sockets {
    bind(plan).expect("free ports").remove(0)
}

pub fn client(addr: &str) -> UdpSocket {
    let client = UdpSocket::bind(addr).expect("a free port");
    client
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    let size = 16 << 20;
    let _ = crate::shard::options::set(&client, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size);
    client
}

pub fn receive(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 70_000];
    let (len, from) = client.recv_from(&mut buffer).expect("a datagram");
    buffer.truncate(len);
    (buffer, from)
}

pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 + n / 251) as u8).collect()
}

pub fn image(bytes: &[u8]) -> Arc<Image> {
    Arc::new(Image::from_bytes(bytes.to_vec()))
}

/// The same bytes as they are kept: in a file of their own or copied, and laid out in frames. A
/// file that cannot be framed is left out.
pub fn forms(bytes: &[u8], blksize: u16) -> Vec<Arc<Image>> {
    let framed = framed(bytes, blksize);
    std::iter::once(image(bytes)).chain(framed).collect()
}

fn framed(bytes: &[u8], blksize: u16) -> Option<Arc<Image>> {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("file"), bytes).expect("written");
    let root = Arc::new(Root::open(dir.path()).expect("a root"));
    let loader = Loader::start(Vec::new(), 1 << 30).expect("threads");
    let path = RelPath::parse(b"file").expect("a path");
    let file = root.open_file(&path).expect("opened");
    let image = Catalog::default()
        .open(file, false, clock::now())
        .expect("an image");
    for _ in 0..FRAME_AFTER {
        loader.note_transfer(&image, blksize);
    }
    // Its threads end when they have done what was asked.
    drop(loader);
    image.framed(blksize, 1, 1).is_some().then_some(image)
}

pub fn train(first: u64, count: u32, blksize: u16) -> Train {
    Train {
        ticket: TICKET,
        blocks: BlockRange { first, count },
        blksize,
        lockstep: count == 1,
        rollover: Rollover::ToZero,
    }
}

/// What block `n` of `bytes` looks like on the wire.
pub fn data(bytes: &[u8], n: u64, blksize: usize) -> Vec<u8> {
    let start = (n as usize - 1) * blksize;
    let end = bytes.len().min(start + blksize);
    let mut packet = vec![0, 3];
    packet.extend((n as u16).to_be_bytes());
    packet.extend(&bytes[start..end]);
    packet
}
