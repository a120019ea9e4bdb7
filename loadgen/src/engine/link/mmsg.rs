//! The backend of plain system calls: recvmmsg, sendmmsg, poll or epoll.
//! It never blocks but in `wait`.

use std::io;

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::ready::Ready;
use super::sockets::Sockets;
use super::{Datagram, Lane, Link, Reading, Received, Route};

pub struct Mmsg {
    sockets: Sockets,
    inbox: Inbox,
    outbox: Outbox,
    ready: Ready,
    /// Of few sockets: whose turn it is, and how many were not full since one was.
    next: usize,
    calm: usize,
}

impl Mmsg {
    /// # Errors
    /// When the kernel refuses an epoll set.
    pub fn new(sockets: Sockets, reading: Reading) -> io::Result<Self> {
        let ready = Ready::new(&sockets)?;
        Ok(Self {
            inbox: Inbox::new(reading),
            outbox: Outbox::new(),
            ready,
            next: 0,
            calm: 0,
            sockets,
        })
    }

    fn receive_from(
        &mut self,
        lane: usize,
        received: &mut Received,
        take: &mut dyn FnMut(Datagram<'_>),
    ) -> io::Result<()> {
        let fd = self.sockets.fd(lane);
        let (got, full) = self.inbox.receive(lane as Lane, fd, take)?;
        received.datagrams += got;
        received.more |= full;
        Ok(())
    }
}

impl Link for Mmsg {
    fn send(&mut self, route: Route, packet: &[u8]) -> io::Result<()> {
        let lane = route.lane as usize;
        let fd = self.sockets.fd(lane);
        self.outbox.push(fd, route, packet)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outbox.flush()
    }

    fn receive(&mut self, take: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received> {
        let mut received = Received::default();
        if self.ready.is_few() {
            let lane = self.next;
            self.next = (lane + 1) % self.sockets.len().max(1);
            self.receive_from(lane, &mut received, take)?;
            self.calm = if received.more { 0 } else { self.calm + 1 };
            received.more = self.calm < self.sockets.len();
            return Ok(received);
        }
        self.ready.wait(0)?;
        let lanes: Vec<usize> = self.ready.found().collect();
        for lane in lanes {
            self.receive_from(lane, &mut received, take)?;
        }
        Ok(received)
    }

    fn looks(&self) -> usize {
        if self.ready.is_few() {
            self.sockets.len()
        } else {
            1
        }
    }

    fn wait(&mut self, nanos: u64) -> io::Result<()> {
        self.ready.wait(nanos)
    }
}
