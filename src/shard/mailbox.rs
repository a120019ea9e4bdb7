//! What other threads tell a shard: files that were opened, clients that are gone, when to stop.
//! It never makes them wait.

use core::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crossbeam::channel::{Receiver, Sender, unbounded};

use super::streams::Forwarded;
use super::waker::Waker;
use super::worker::Terms;
use crate::endpoint::{Peer, SocketId, Ticket};
use crate::files::upload::News;
use crate::files::{Deliver, Opened};
use crate::limits::FORWARDED_MAX;

/// What the daemon wants of its shards. Only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Order {
    Serve = 0,
    /// Take no more requests; end when the transfers have.
    Drain = 1,
    /// Tell the clients and end.
    Stop = 2,
}

/// The order of the day, shared by the daemon and all shards.
#[derive(Debug, Clone, Default)]
pub struct Orders(Arc<AtomicU8>);

impl Orders {
    pub fn give(&self, order: Order) {
        self.0.fetch_max(order as u8, Ordering::Release);
    }

    #[must_use]
    pub fn current(&self) -> Order {
        match self.0.load(Ordering::Acquire) {
            0 => Order::Serve,
            1 => Order::Drain,
            _ => Order::Stop,
        }
    }
}

/// One message to a shard.
#[derive(Debug)]
pub enum Letter {
    Opened(Opened),
    /// What a transfer waited for is in memory, as far as it can be; and whether the file is still
    /// the same, where that was asked.
    Loaded {
        ticket: Ticket,
        unchanged: Option<bool>,
    },
    Upload(News),
    /// In single-port mode the kernel hands an ICMP error to any member of the port's group.
    Unreachable {
        peer: Peer,
        socket: SocketId,
    },
    /// What requests are answered by from now on.
    /// The sender is let go of when they are in force.
    Renew(Arc<Terms>, Sender<Infallible>),
    /// Another shard heard a request for a stream that this one sends.
    Request(Forwarded),
}

/// The sending side: kept by the file threads and the daemon.
#[derive(Debug, Clone)]
pub struct Address {
    letters: Sender<Letter>,
    waker: Waker,
}

impl Address {
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Passes an ICMP error on to the shard that has the client's transfer.
    pub fn unreachable(&self, peer: Peer, socket: SocketId) {
        self.post(Letter::Unreachable { peer, socket });
        self.wake();
    }

    /// Passes a request on, unless too many wait already: the client will ask again.
    pub(super) fn request(&self, request: Forwarded) {
        if self.letters.len() < FORWARDED_MAX {
            self.post(Letter::Request(request));
            self.wake();
        }
    }

    /// Has requests answered by other terms; `taken` is let go of when the next one will be.
    pub fn renew(&self, terms: &Arc<Terms>, taken: Sender<Infallible>) {
        self.post(Letter::Renew(Arc::clone(terms), taken));
        self.wake();
    }

    fn post(&self, letter: Letter) {
        // It fails only when the shard has ended; then nobody waits for it.
        let _ = self.letters.send(letter);
    }
}

impl Deliver for Address {
    /// The queue is as long as the shard has requests waiting, so its slots bound it.
    fn deliver(&self, opened: Opened) {
        self.post(Letter::Opened(opened));
    }

    /// A transfer asks again only after a while, so it has few letters under way.
    fn loaded(&self, ticket: Ticket, unchanged: Option<bool>) {
        self.post(Letter::Loaded { ticket, unchanged });
    }

    /// Bounded by the uploads and the memory that there are for them.
    fn upload(&self, news: News) {
        self.post(Letter::Upload(news));
    }

    fn wake(&self) {
        self.waker.wake();
    }
}

/// The receiving side: the shard's own.
#[derive(Debug)]
pub struct Mailbox {
    pub letters: Receiver<Letter>,
    pub orders: Orders,
    pub waker: Waker,
}

/// A mailbox and its address.
///
/// # Errors
/// When the process has no file descriptor left.
pub fn mailbox(orders: Orders) -> std::io::Result<(Address, Mailbox)> {
    let waker = Waker::new()?;
    let (sender, letters) = unbounded();
    let address = Address {
        letters: sender,
        waker: waker.clone(),
    };
    let mailbox = Mailbox {
        letters,
        orders,
        waker,
    };
    Ok((address, mailbox))
}
