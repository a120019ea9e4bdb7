//! The io_uring backend: a multishot receive for each socket, sends and waiting in one call.
//! It never looks through its sockets: completions say which one has something.

mod buffers;
mod pool;

use std::io;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use self::pool::Pool;
use super::control::{self, Control};
use super::name::Name;
use super::outbox::SEND_BYTES;
use super::sockets::Sockets;
use super::{Datagram, Lane, Link, Reading, Received, Route};

/// Sends in one submission.
const SENDS: usize = 256;
/// Room for completions: two turns of everything.
const COMPLETIONS: u32 = 4096;
/// Completions in one turn, so that deadlines are looked at between them.
const TURN: usize = 512;
/// Marks a send's completion; those of receives carry their lane.
const SEND: u64 = 1 << 32;

/// A message and all that it points to. Boxed slices keep it in place.
struct Message {
    name: Name,
    control: Control,
    vector: libc::iovec,
    header: libc::msghdr,
    bytes: [u8; SEND_BYTES],
}

pub struct Uring {
    // The ring is closed before what its receives write to is given up.
    ring: IoUring,
    pool: Pool,
    /// Sockets of which the receive has not begun or has ended.
    silent: Vec<Lane>,
    messages: Box<[Message]>,
    waiting: usize,
    sockets: Sockets,
}

impl Uring {
    /// # Errors
    /// With the step that the kernel refused.
    pub fn new(sockets: Sockets, reading: Reading) -> Result<Self, String> {
        let refused = |step: &'static str| move |error: io::Error| format!("{step}: {error}");
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .build(SENDS as u32 * 2)
            .map_err(refused("io_uring_setup"))?;
        let pool = Pool::new(reading).map_err(refused("receive buffers"))?;
        // SAFETY: the pool stands beside the ring, which is dropped first.
        let registered = unsafe { pool.register(&ring) };
        registered.map_err(refused("receive buffers"))?;
        let mut link = Self {
            ring,
            pool,
            silent: (0..sockets.len() as Lane).collect(),
            messages: (0..SENDS).map(|_| Message::new()).collect(),
            waiting: 0,
            sockets,
        };
        link.arm().map_err(refused("io_uring_enter"))?;
        link.enter(0, None).map_err(refused("io_uring_enter"))?;
        link.probe().map_err(refused("multishot recvmsg"))?;
        Ok(link)
    }

    /// A kernel that does not know the receive says so at once.
    fn probe(&mut self) -> io::Result<()> {
        let known = |entry: io_uring::cqueue::Entry| match entry.result() {
            error if error < 0 => Err(io::Error::from_raw_os_error(-error)),
            _ => Ok(()),
        };
        self.ring.completion().try_for_each(known)
    }

    /// Puts back every receive that has ended.
    fn arm(&mut self) -> io::Result<()> {
        while let Some(lane) = self.silent.pop() {
            let entry = self.pool.receive(self.sockets.fd(lane as usize));
            let entry = entry.user_data(u64::from(lane));
            // SAFETY: the pool, which holds the message's shape and the buffers, outlives the ring.
            while unsafe { self.ring.submission().push(&entry) }.is_err() {
                self.enter(0, None)?;
            }
        }
        Ok(())
    }

    /// One system call: submits, runs what is due, waits for so many completions.
    fn enter(&mut self, want: u32, nanos: Option<u64>) -> io::Result<()> {
        let pending = self.ring.submission().len() as u32;
        let time = nanos.map(|nanos| {
            let time = Timespec::new().sec(nanos / 1_000_000_000);
            time.nsec((nanos % 1_000_000_000) as u32)
        });
        let args = match &time {
            Some(time) => SubmitArgs::new().timespec(time),
            None => SubmitArgs::new(),
        };
        let flags = (EnterFlags::GETEVENTS | EnterFlags::EXT_ARG).bits();
        // SAFETY: `args` is the structure that EXT_ARG announces; it outlives the call.
        let entered = unsafe {
            self.ring
                .submitter()
                .enter(pending, want, flags, Some(&args))
        };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }
}

impl Link for Uring {
    fn send(&mut self, route: Route, packet: &[u8]) -> io::Result<()> {
        if self.waiting == self.messages.len() {
            self.flush()?;
        }
        let fd = self.sockets.fd(route.lane as usize);
        let place = self.waiting;
        let Some(message) = self.messages.get_mut(place) else {
            return Ok(());
        };
        message.fill(route, packet);
        let entry = opcode::SendMsg::new(Fd(fd), &raw const message.header)
            .flags(libc::MSG_DONTWAIT as u32)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND);
        // SAFETY: the message stays as it is until `flush` has submitted it, which is when a
        // datagram is sent or refused.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.enter(0, None)?;
        }
        self.waiting += 1;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting > 0 {
            while !self.ring.submission().is_empty() {
                self.enter(0, None)?;
            }
            self.waiting = 0;
        }
        Ok(())
    }

    fn receive(&mut self, take: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received> {
        if self.ring.completion().is_empty() {
            self.arm()?;
            self.enter(0, None)?;
        }
        let mut received = Received::default();
        for _ in 0..TURN {
            let Some(completion) = self.ring.completion().next() else {
                self.arm()?;
                return Ok(received);
            };
            let tag = completion.user_data();
            // Sends report failures only: those packets are lost, as on a network.
            if tag == SEND {
                continue;
            }
            let lane = tag as Lane;
            if !cqueue::more(completion.flags()) {
                self.silent.push(lane);
            }
            let whole = self.pool.complete(lane, &completion, take);
            received.datagrams += usize::from(whole);
        }
        received.more = true;
        Ok(received)
    }

    fn wait(&mut self, nanos: u64) -> io::Result<()> {
        self.arm()?;
        self.enter(1, Some(nanos))
    }
}

impl Message {
    fn new() -> Self {
        // SAFETY: all-zero bytes are a valid msghdr and iovec.
        let (header, vector) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Self {
            name: Name::empty(),
            control: Control::EMPTY,
            vector,
            header,
            bytes: [0; SEND_BYTES],
        }
    }

    fn fill(&mut self, route: Route, packet: &[u8]) {
        let len = packet.len().min(SEND_BYTES);
        self.bytes[..len].copy_from_slice(&packet[..len]);
        self.vector.iov_base = self.bytes.as_mut_ptr().cast();
        self.vector.iov_len = len;
        self.header.msg_namelen = self.name.set(route.to);
        self.header.msg_name = (&raw mut self.name).cast();
        self.header.msg_iov = &raw mut self.vector;
        self.header.msg_iovlen = 1;
        self.header.msg_control = (&raw mut self.control).cast();
        self.header.msg_controllen = 0;
        if let Some(source) = route.source {
            // SAFETY: the control pointer was just set to a `Control`.
            unsafe { control::write_source(&mut self.header, source) };
        }
    }
}
