//! The backend on io_uring: a whole turn, sends and waiting, in one system call.
//! It never leaves a send in flight when a turn ends, so what it points to may go then.

mod buffers;
mod completion;
mod port;
mod probe;
mod refusal;
mod ring;
mod send;
mod setup;
mod tag;
mod zero_copy;

use std::io;

use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode};

pub use refusal::Refusal;
pub use zero_copy::News as ZeroCopyNews;

use self::completion::State;
use self::port::Port;
use self::probe::Probe;
use self::ring::{Wait, enter, push};
use self::send::{Send, copying};
use self::tag::Tag;
use super::backend::{Backend, Counters, Event};
use super::delivery::Delivery;
use super::inbox::Inbox;
use super::open::ZeroCopy;
use super::outbox::Outbox;
use super::sockets::Sockets;
use super::waker::Waker;
use crate::clock;
use crate::endpoint::SocketId;
use crate::limits::{RING_TRIES, ZERO_COPY_LAST_WAIT};
use crate::transfer::Nanos;

pub struct UringBackend {
    /// Before `state`: the ring is closed before the buffers go.
    ring: IoUring,
    state: State,
    /// The last turn left datagrams with the kernel.
    behind: bool,
    /// The kernel said so when it was last entered. It may go on saying it when nothing is left: a
    /// completion that comes from another core just while they are taken raises the flag after it was lowered.
    more: bool,
    /// For the sockets that are read directly.
    inbox: Inbox,
    /// Whether the kernel takes a plain send with an address.
    plain_sends: bool,
    /// A turn failed half-way: requests in the queue may point to what is gone.
    broken: bool,
}

/// No ring; the sockets are handed back for another backend.
pub struct Refused {
    pub why: Refusal,
    pub sockets: Sockets,
}

/// Builds a ring on the calling thread, which must be the one that uses it, and tries it out.
///
/// # Errors
/// Says what the host does not grant.
pub fn open(
    sockets: Sockets,
    waker: Waker,
    zero_copy: ZeroCopy,
) -> Result<UringBackend, Box<Refused>> {
    match build(&sockets, &waker, zero_copy) {
        Ok(built) => Ok(UringBackend {
            inbox: Inbox::new(sockets.largest_datagram()),
            ring: built.ring,
            state: State {
                ports: built.ports,
                sockets,
                waker,
                watching_waker: false,
                delivery: Delivery::default(),
                zero_copy: zero_copy::ZeroCopy::new(built.zero_copy),
                in_flight: 0,
                receive_failures: 0,
                eventful: false,
                released: false,
            },
            plain_sends: built.plain_sends,
            behind: false,
            more: false,
            broken: false,
        }),
        Err(why) => Err(Box::new(Refused { why, sockets })),
    }
}

fn build(sockets: &Sockets, waker: &Waker, zero_copy: ZeroCopy) -> Result<setup::Built, Refusal> {
    use std::os::fd::AsFd;

    let probe = Probe::open();
    let mut built = setup::build(sockets, waker, probe.as_ref().map(AsFd::as_fd), zero_copy)?;
    if let Some(probe) = probe {
        probe.run(&mut built)?;
    }
    Ok(built)
}

/// Ends the request with this tag.
fn cancel(tag: Tag) -> Entry {
    opcode::AsyncCancel::new(tag.pack())
        .build()
        .flags(Flags::FIXED_FILE)
        .user_data(Tag::Cancel.pack())
}

impl UringBackend {
    fn try_turn(
        &mut self,
        outbox: &mut Outbox,
        deadline: Option<Nanos>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        self.state.delivery.backlog.refill(outbox);
        outbox.seal(&self.state.delivery.segmentation);
        let total = outbox.rendered().headers.len();
        let mut next = 0;
        while next < total {
            next = self.queue_sends(outbox, next);
            if next < total {
                self.enter(Wait::No, outbox, on_event)?;
            }
        }
        let deadline = self.state.zero_copy.tend(deadline, &self.ring.submitter());
        let busy = self.read_busy_ports(outbox, on_event)?;
        // In a busy turn too: a receive that has ended would wait for all other sockets to fall silent.
        self.arm(outbox, on_event)?;
        if !busy {
            self.wait(deadline, outbox, on_event)?;
        }
        self.note_busy_ports();
        for news in self.state.zero_copy.news() {
            on_event(Event::ZeroCopy(news));
        }
        // Only a full completion queue or a lack of kernel memory leaves something over.
        for _ in 0..RING_TRIES {
            if self.state.in_flight == 0 {
                return Ok(());
            }
            self.enter(Wait::No, outbox, on_event)?;
        }
        Err(io::Error::other("io_uring keeps sends to itself"))
    }

    /// Reads the sockets that are busy, once the sends are out. One that has nothing any more gets
    /// its receive back. Says whether anything came: then there is no need to wait.
    fn read_busy_ports(
        &mut self,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<bool> {
        if !self.state.ports.iter().any(|port| port.direct) {
            return Ok(false);
        }
        self.enter(Wait::No, outbox, on_event)?;
        let State {
            ports,
            sockets,
            delivery,
            ..
        } = &mut self.state;
        let mut any = false;
        for (socket, port) in (0..).map(SocketId).zip(ports) {
            // Until the cancelled receive has ended it may still have datagrams to report.
            if !port.direct || port.receiving {
                continue;
            }
            let counters = &mut delivery.counters;
            let taken = self.inbox.take(sockets, socket, counters, on_event);
            self.behind |= taken.behind;
            port.gave_directly(taken.datagrams);
            any |= port.direct;
        }
        Ok(any)
    }

    /// Takes the receives of sockets that have become busy away.
    fn note_busy_ports(&mut self) {
        for (socket, port) in (0..).map(SocketId).zip(&mut self.state.ports) {
            if port.became_busy() {
                // SAFETY: the request points to nothing.
                port.direct = unsafe { push(&mut self.ring, &cancel(Tag::Receive(socket))) };
            }
        }
    }

    /// Waits for an event or the deadline. That the kernel lets go of a send's bytes is no event.
    fn wait(
        &mut self,
        deadline: Option<Nanos>,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        loop {
            self.state.eventful = false;
            self.state.released = false;
            let patience = self.patience(deadline);
            self.enter(patience, outbox, on_event)?;
            let idle = self.state.released && !self.state.eventful;
            if !idle || matches!(patience, Wait::No) {
                return Ok(());
            }
        }
    }

    /// Every send completes within the submission, so one more completion is an event.
    fn patience(&self, deadline: Option<Nanos>) -> Wait {
        let passed = deadline.is_some_and(|deadline| deadline == Nanos::ZERO);
        if passed || self.state.delivery.backlog.has_ready() {
            Wait::No
        } else {
            Wait::For(self.state.in_flight + 1, deadline)
        }
    }

    /// Queues sends from `position` on, until all are or the queue is full. Says how far it came.
    fn queue_sends(&mut self, outbox: &Outbox, mut position: usize) -> usize {
        let rendered = outbox.rendered();
        let (submitter, mut queue, _) = self.ring.split();
        while let (Some(header), Some(piece)) = (
            rendered.headers.get(position),
            rendered.pieces.get(position),
        ) {
            let Some(message) = outbox.message(piece.message) else {
                break;
            };
            let socket = message.route.socket;
            if self.state.delivery.backlog.is_full(socket) {
                self.state.delivery.put_off(outbox, position);
                position += 1;
                continue;
            }
            if queue.is_full() {
                break;
            }
            let send = Send {
                message,
                piece,
                header: &header.msg_hdr,
                position: u32::try_from(position).unwrap_or(u32::MAX),
            };
            let without_copy = self.state.zero_copy.request(&send, outbox, &submitter);
            let entry = without_copy.unwrap_or_else(|| {
                let bytes = rendered.plain(position).filter(|_| self.plain_sends);
                copying(&send, bytes)
            });
            // SAFETY: the outbox is not touched before all its sends are complete; file pages that
            // are gone give EFAULT. Bytes that are not copied are kept until they are released.
            if unsafe { queue.push(&entry) }.is_err() {
                break;
            }
            self.state.in_flight += 1;
            position += 1;
        }
        position
    }

    /// Renews the receives and watches that have ended.
    fn arm(&mut self, outbox: &Outbox, on_event: &mut dyn FnMut(Event<'_>)) -> io::Result<()> {
        while let Some(entry) = self.state.next_to_arm() {
            // SAFETY: a receive points into its port, which outlives the ring; a poll to nothing.
            while !unsafe { push(&mut self.ring, &entry) } {
                self.enter(Wait::No, outbox, on_event)?;
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        wait: Wait,
        outbox: &Outbox,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        enter(&mut self.ring, wait)?;
        let queue = self.ring.submission();
        self.more = queue.taskrun();
        if queue.cq_overflow() {
            self.state.delivery.counters.ring_overflows += 1;
        }
        drop(queue);
        for completion in self.ring.completion() {
            self.state.complete(&completion, outbox, on_event)?;
        }
        Ok(())
    }

    /// Ends everything that is armed, so that the kernel lets go of sockets and buffers.
    fn cancel_all(&mut self) -> io::Result<()> {
        let any = io_uring::types::CancelBuilder::any().all();
        let entry = opcode::AsyncCancel2::new(any).build();
        let entry = entry.flags(Flags::FIXED_FILE).user_data(Tag::Cancel.pack());
        // SAFETY: the request points to nothing.
        while !unsafe { push(&mut self.ring, &entry) } {
            enter(&mut self.ring, Wait::No)?;
        }
        for _ in 0..RING_TRIES {
            enter(&mut self.ring, Wait::No)?;
            for completion in self.ring.completion() {
                self.state.note_end(&completion);
            }
            if self.state.is_idle() {
                return self.ring.submitter().unregister_files();
            }
        }
        Err(io::Error::other("io_uring does not end its receives"))
    }
}

impl UringBackend {
    /// Waits a moment for devices to let go of what was sent without a copy.
    fn await_releases(&mut self) -> io::Result<()> {
        let deadline = clock::now() + ZERO_COPY_LAST_WAIT;
        while !self.state.zero_copy.is_idle() {
            if clock::now() >= deadline {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            enter(&mut self.ring, Wait::For(1, Some(deadline)))?;
            for completion in self.ring.completion() {
                self.state.note_end(&completion);
            }
        }
        Ok(())
    }
}

impl Backend for UringBackend {
    fn turn(
        &mut self,
        outbox: &mut Outbox,
        deadline: Option<Nanos>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<()> {
        self.state.delivery.counters.turns += 1;
        let before = self.state.delivery.counters;
        self.behind = false;
        let result = self.try_turn(outbox, deadline, on_event);
        let after = &self.state.delivery.counters;
        let more = self.more || after.buffers_exhausted > before.buffers_exhausted;
        // Where more is left, this turn has brought some.
        self.behind |= more && after.datagrams_received > before.datagrams_received;
        self.broken |= result.is_err();
        outbox.clear();
        result
    }

    fn leave_listeners(&mut self) {
        for socket in self.state.listeners() {
            // One that cannot leave is closed soon.
            let _ = self.state.sockets.leave(socket);
        }
    }

    fn close_listeners(&mut self) -> io::Result<()> {
        let listeners: Vec<SocketId> = self.state.listeners().collect();
        for &socket in &listeners {
            // SAFETY: the request points to nothing.
            while !unsafe { push(&mut self.ring, &cancel(Tag::Receive(socket))) } {
                enter(&mut self.ring, Wait::No)?;
            }
        }
        // What they had received stays in the queue for the next turn.
        enter(&mut self.ring, Wait::No)?;
        for socket in listeners {
            let files = self.ring.submitter();
            files.register_files_update(u32::from(socket.0), &[-1])?;
            self.state.close(socket);
        }
        Ok(())
    }

    fn behind(&self) -> bool {
        self.behind
    }

    fn counters(&self) -> &Counters {
        &self.state.delivery.counters
    }

    fn kernel_drops(&self) -> u64 {
        self.state.sockets.drops()
    }

    fn name(&self) -> &'static str {
        "uring"
    }
}

impl Drop for UringBackend {
    /// A ring that is merely closed keeps its sockets bound for some milliseconds more.
    fn drop(&mut self) {
        if self.broken || self.cancel_all().is_err() {
            self.state.ports.iter_mut().for_each(Port::leak);
        }
        if self.broken || self.await_releases().is_err() {
            self.state.zero_copy.leak();
        }
    }
}
