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
    /// One for each of few sockets, or one for all.
    outboxes: Vec<Outbox>,
    ready: Ready,
}

impl Mmsg {
    /// # Errors
    /// When the kernel refuses an epoll set.
    pub fn new(sockets: Sockets, reading: Reading) -> io::Result<Self> {
        let ready = Ready::new(&sockets)?;
        let outboxes = if ready.is_few() { sockets.len() } else { 1 };
        Ok(Self {
            inbox: Inbox::new(reading),
            outboxes: (0..outboxes).map(|_| Outbox::new()).collect(),
            ready,
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
        let outboxes = self.outboxes.len();
        match self.outboxes.get_mut(lane % outboxes) {
            Some(outbox) => outbox.push(fd, route, packet),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outboxes.iter_mut().try_for_each(Outbox::flush)
    }

    fn receive(&mut self, take: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received> {
        let mut received = Received::default();
        if self.ready.is_few() {
            for lane in 0..self.sockets.len() {
                self.receive_from(lane, &mut received, take)?;
            }
            return Ok(received);
        }
        self.ready.wait(0)?;
        let lanes: Vec<usize> = self.ready.found().collect();
        for lane in lanes {
            self.receive_from(lane, &mut received, take)?;
        }
        Ok(received)
    }

    fn wait(&mut self, nanos: u64) -> io::Result<()> {
        self.ready.wait(nanos)
    }
}
