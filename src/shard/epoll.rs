//! The backend of plain system calls: epoll, recvmmsg, sendmmsg.
//! It never does what the io_uring backend would not: both answer to the same tests.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::epoll::{self, CreateFlags, EventFlags};

use super::backend::{Backend, Counters, Event};
use super::delivery::{Delivery, Failure};
use super::direct::{Looks, Watch};
use super::epoll_wait::wait;
use super::errqueue;
use super::inbox::{Inbox, Taken};
use super::outbox::Outbox;
use super::sockets::Sockets;
use super::waker::Waker;
use crate::clock;
use crate::endpoint::SocketId;
use crate::transfer::Nanos;

/// Events taken in one turn; more than that are reported in the next.
const EVENTS: usize = 64;

/// Stands for the waker where a socket's number is expected.
const WAKER: u64 = u64::MAX;

pub struct EpollBackend {
    watch: Watch,
    sockets: Sockets,
    waker: Waker,
    delivery: Delivery,
    inbox: Inbox,
    /// Sockets whose room is being watched.
    watched: Vec<SocketId>,
    behind: bool,
    /// The last look at the watched sockets left datagrams in one.
    left: bool,
    looks: Looks,
    events: Box<[libc::epoll_event]>,
}

impl EpollBackend {
    /// # Errors
    /// When the process has no file descriptor or memory left.
    pub fn open(sockets: Sockets, waker: Waker) -> io::Result<Self> {
        let watch = Watch::new(epoll::create(CreateFlags::CLOEXEC)?);
        let inbox = Inbox::new(sockets.largest_datagram());
        for (id, fd) in sockets.open() {
            watch.add(fd, u64::from(id.0))?;
        }
        watch.add(&waker, WAKER)?;
        Ok(Self {
            watch,
            sockets,
            waker,
            delivery: Delivery::default(),
            inbox,
            watched: Vec::new(),
            behind: false,
            left: false,
            looks: Looks::default(),
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS].into_boxed_slice(),
        })
    }

    fn flush(&mut self, outbox: &mut Outbox, on_event: &mut dyn FnMut(Event<'_>)) {
        self.delivery.backlog.refill(outbox);
        if outbox.is_empty() {
            return;
        }
        outbox.seal(&self.delivery.segmentation);
        for run in 0..outbox.rendered().runs.len() {
            self.send_run(outbox, run, on_event);
        }
        outbox.clear();
    }

    /// All sends of one socket. An error stops `sendmmsg` at the entry it concerns, which is the
    /// first one of the next call.
    fn send_run(&mut self, outbox: &mut Outbox, run: usize, on_event: &mut dyn FnMut(Event<'_>)) {
        let Some((socket, range)) = outbox.rendered().runs.get(run).cloned() else {
            return;
        };
        let mut position = range.start;
        while position < range.end {
            let Some(fd) = self.sockets.fd(socket) else {
                return;
            };
            if self.delivery.backlog.is_full(socket) {
                self.delivery.put_off(outbox, position);
                position += 1;
                continue;
            }
            match send_batch(fd, outbox, position..range.end) {
                Ok(count) => {
                    let sent = position..position + count;
                    let pieces = outbox.rendered().pieces.get(sent).unwrap_or_default();
                    pieces.iter().for_each(|&piece| self.delivery.sent(piece));
                    position += count;
                }
                Err(libc::EINTR) => {}
                Err(errno) => {
                    let failure = Failure {
                        fd,
                        outbox,
                        position,
                        errno,
                    };
                    self.delivery.failed(failure, on_event);
                    position += 1;
                }
            }
        }
    }

    /// Asks for EPOLLOUT where a buffer is full, and no longer where it is not.
    fn watch_full_sockets(&mut self) -> io::Result<()> {
        let full = self.delivery.backlog.full();
        if self.watched == full {
            return Ok(());
        }
        let changed = full.iter().filter(|id| !self.watched.contains(id));
        let relieved = self.watched.iter().filter(|id| !full.contains(id));
        let on = changed.map(|&id| (id, EventFlags::IN | EventFlags::OUT));
        let off = relieved.map(|&id| (id, EventFlags::IN));
        for (id, interest) in on.chain(off) {
            if let Some(fd) = self.sockets.fd(id) {
                self.watch.change(fd, id, interest)?;
            }
        }
        self.watched = full.to_vec();
        Ok(())
    }

    /// Reads the sockets that are known to be busy. One that has nothing any more is watched from
    /// here on, and reported by the wait that follows if it got something meanwhile. Says whether
    /// anything came.
    fn receive_directly(&mut self, on_event: &mut dyn FnMut(Event<'_>)) -> io::Result<bool> {
        let (mut nth, mut any) = (0, false);
        while let Some(socket) = self.watch.direct(nth) {
            if self.receive(socket, on_event).datagrams > 0 {
                self.watch.gave_directly(socket);
                any = true;
                nth += 1;
            } else {
                match self.sockets.fd(socket) {
                    Some(fd) => self.watch.change(fd, socket, EventFlags::IN)?,
                    None => self.watch.forget(socket),
                }
            }
        }
        Ok(any)
    }

    fn report(
        &mut self,
        event: libc::epoll_event,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        if event.u64 == WAKER {
            self.waker.clear();
            on_event(Event::Woken);
            return Ok(());
        }
        let socket = SocketId(u16::try_from(event.u64).unwrap_or(u16::MAX));
        let flags = event.events.cast_signed();
        if flags & libc::EPOLLERR != 0
            && let Some(fd) = self.sockets.fd(socket)
        {
            errqueue::drain(fd, socket, on_event);
        }
        if flags & libc::EPOLLOUT != 0 {
            self.delivery.backlog.writable(socket, on_event);
        }
        if flags & libc::EPOLLIN != 0 {
            let taken = self.receive(socket, on_event);
            self.left |= taken.behind;
            // One whose room is waited for has to be watched.
            if let Some(fd) = self.sockets.fd(socket)
                && self.sockets.role(socket).carries_data()
                && !self.watched.contains(&socket)
            {
                return self.watch.gave(fd, socket, taken.datagrams);
            }
        }
        Ok(())
    }

    fn receive(&mut self, socket: SocketId, on_event: &mut dyn FnMut(Event<'_>)) -> Taken {
        let counters = &mut self.delivery.counters;
        let taken = self.inbox.take(&self.sockets, socket, counters, on_event);
        self.behind |= taken.behind;
        taken
    }
}

impl Backend for EpollBackend {
    fn turn(
        &mut self,
        outbox: &mut Outbox,
        deadline: Option<Nanos>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        self.delivery.counters.turns += 1;
        self.behind = false;
        self.flush(outbox, on_event);
        self.watch_full_sockets()?;
        let deadline = if self.receive_directly(on_event)? {
            if !self.looks.due(clock::now(), self.left) {
                return Ok(());
            }
            Some(Nanos::ZERO)
        } else {
            deadline
        };
        self.left = false;
        let count = wait(self.watch.epoll(), &mut self.events, deadline)?;
        for nth in 0..count {
            if let Some(&event) = self.events.get(nth) {
                self.report(event, on_event)?;
            }
        }
        Ok(())
    }

    fn leave_listeners(&mut self) {
        for id in self.sockets.layout().clone().ids() {
            if !self.sockets.role(id).carries_data() {
                // One that cannot leave is closed soon.
                let _ = self.sockets.leave(id);
            }
        }
    }

    fn close_listeners(&mut self) -> io::Result<()> {
        for id in self.sockets.layout().clone().ids() {
            if !self.sockets.role(id).carries_data() {
                // The last reference: epoll forgets the socket by itself.
                self.sockets.close(id);
            }
        }
        Ok(())
    }

    fn behind(&self) -> bool {
        self.behind
    }

    fn counters(&self) -> &Counters {
        &self.delivery.counters
    }

    fn kernel_drops(&self) -> u64 {
        self.sockets.drops()
    }

    fn name(&self) -> &'static str {
        "epoll"
    }
}

fn send_batch(
    fd: BorrowedFd<'_>,
    outbox: &mut Outbox,
    range: core::ops::Range<usize>,
) -> Result<usize, i32> {
    let headers = outbox.headers_mut(range);
    let count = libc::c_uint::try_from(headers.len()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: the headers were laid out by the sealed outbox that is borrowed here, so everything
    // that they point to is alive; file pages that are gone give EFAULT.
    let result = unsafe {
        libc::sendmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            count,
            libc::MSG_DONTWAIT as _,
        )
    };
    usize::try_from(result).map_err(|_| super::last_errno())
}
