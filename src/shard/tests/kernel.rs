//! A kernel that costs what we say: the real loop of a shard in front of simulated clients.
//! It never sends anything, and its time passes only by what the shard sends.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::harness::{plan, sockets};
use crate::endpoint::{Access, Guard, Guess, Peer, Policy, SocketId};
use crate::files::{Loader, Root};
use crate::observe::record::record_queue;
use crate::shard::interleave::Interleave;
use crate::shard::segmentation::Segmentation;
use crate::shard::{
    Address, Arrival, Backend, Counters, Event, Order, Orders, Outbox, Outside, Settings, Waker,
    Worker, mailbox, secret_hash,
};
use crate::transfer::Nanos;
use crate::wire::packet;

/// Datagrams of each socket in one turn, as with epoll.
pub const BATCH: usize = 128;

/// What a message costs, in nanoseconds: that of one datagram, and each further one of a train.
const MESSAGE_COST: u64 = 3_000;
const SEGMENT_COST: u64 = 400;

/// What clients do with what they are sent.
pub trait Farm {
    /// A datagram, or a train from its first block to its last, went to the client at this port.
    fn sent(&mut self, now: u64, client: u16, sent: &Sent, answers: &mut Answers);

    /// The turn is over; said before the next one's datagrams are taken.
    fn turn(&mut self, _now: u64) {}

    fn done(&self) -> bool;
}

pub enum Sent {
    Packet,
    Blocks { first: u64, last: u64 },
}

/// Datagrams on their way to the shard.
#[derive(Default)]
pub struct Answers {
    pub listener: VecDeque<(u16, Vec<u8>)>,
    data: VecDeque<(u16, SocketId, Vec<u8>)>,
    reply: Option<SocketId>,
}

impl Answers {
    /// To the socket that the answered datagram came from.
    pub fn ack(&mut self, client: u16, block: u64) {
        let socket = self.reply.expect("there was something to answer");
        self.data
            .push_back((client, socket, packet::ack(block as u16).to_vec()));
    }
}

struct Kernel<F> {
    farm: F,
    answers: Answers,
    now: u64,
    waker: Waker,
    address: Address,
    orders: Orders,
    counters: Counters,
}

/// Runs a shard that serves `root` until the farm is done, and hands the farm back.
pub fn run<F: Farm>(root: &Path, farm: F, answers: Answers) -> F {
    let layout = sockets(&plan("127.0.0.1:0")).layout().clone();
    let orders = Orders::default();
    let (address, mailbox) = mailbox(orders.clone()).expect("an eventfd");
    let root = Arc::new(Root::open(root).expect("a root"));
    let loader = Loader::start(vec![Arc::new(address.clone())], 1 << 20).expect("threads");
    let mut kernel = Kernel {
        farm,
        answers,
        now: 0,
        waker: mailbox.waker.clone(),
        address: address.clone(),
        orders,
        counters: Counters::default(),
    };
    let worker = Worker {
        mailbox,
        shards: vec![address],
        sockets: layout,
        outside: Outside {
            shard: 0,
            outbox: Outbox::default(),
            loader: Arc::new(loader),
            finder: Arc::new(root.into()),
            intake: crate::shard::Intake::closed(),
            records: record_queue().0,
            verdict: None,
            interleave: Interleave::default(),
            stats: Arc::default(),
            bound: Vec::new(),
        },
        lens: Default::default(),
        guard: Arc::new(Guard::new(&Access::default(), secret_hash())),
        settings: Settings {
            policy: Policy::default(),
            max_blksize: Some(1468),
            drain_timeout: Nanos::ZERO,
            shard: 0,
            shards: 1,
        },
    };
    worker.run(&mut kernel).expect("a working backend");
    kernel.farm
}

impl<F: Farm> Kernel<F> {
    fn take(&mut self, outbox: &mut Outbox) {
        outbox.seal(&Segmentation::default());
        for piece in &outbox.rendered().pieces {
            let Some(message) = outbox.message(piece.message) else {
                continue;
            };
            self.now += MESSAGE_COST + SEGMENT_COST * u64::from(message.datagrams - 1);
            self.answers.reply = Some(message.route.socket);
            let sent = match message.blocks(0, message.datagrams) {
                Some((_, blocks)) => Sent::Blocks {
                    first: blocks.first,
                    last: blocks.last(),
                },
                None => Sent::Packet,
            };
            let client = message.route.peer.port();
            self.farm.sent(self.now, client, &sent, &mut self.answers);
        }
        outbox.clear();
    }

    fn wait(&self, deadline: Option<Nanos>) -> bool {
        let idle = self.answers.listener.is_empty() && self.answers.data.is_empty();
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: if idle && deadline != Some(Nanos::ZERO) {
                1_000_000
            } else {
                0
            },
        };
        let mut waker = [PollFd::new(&self.waker, PollFlags::IN)];
        poll(&mut waker, Some(&patience)).is_ok_and(|ready| ready > 0)
    }
}

impl<F: Farm> Backend for Kernel<F> {
    fn turn(
        &mut self,
        outbox: &mut Outbox,
        deadline: Option<Nanos>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        self.take(outbox);
        self.farm.turn(self.now);
        if self.farm.done() {
            self.orders.give(Order::Stop);
            self.address.wake();
        }
        if self.wait(deadline) {
            self.waker.clear();
            on_event(Event::Woken);
        }
        let requests = self.answers.listener.len().min(BATCH);
        for (client, bytes) in self.answers.listener.drain(..requests) {
            on_event(datagram(SocketId(0), client, arrival(), &bytes));
        }
        let acks = self.answers.data.len().min(BATCH);
        for (client, socket, bytes) in self.answers.data.drain(..acks) {
            on_event(datagram(socket, client, None, &bytes));
        }
        Ok(())
    }

    fn close_listeners(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn behind(&self) -> bool {
        false
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn kernel_drops(&self) -> u64 {
        0
    }

    fn name(&self) -> &'static str {
        "simulated"
    }
}

fn datagram(socket: SocketId, client: u16, local: Option<Arrival>, bytes: &[u8]) -> Event<'_> {
    Event::Datagram {
        socket,
        peer: Peer::from(SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), client))),
        local,
        guess: Guess::default(),
        bytes,
        truncated: false,
    }
}

fn arrival() -> Option<Arrival> {
    Some(Arrival {
        ip: Ipv4Addr::LOCALHOST.into(),
        ifindex: 0,
        broadcast: false,
    })
}
