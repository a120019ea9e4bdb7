//! Trains of framed blocks handed to the device without a copy, where that is what happens.
//! It never lets go of bytes that the kernel may still read, and never insists: what the kernel
//! does not take so goes out the ordinary way in the same turn.
//!
//! A send without a copy completes twice: once when the kernel has taken it, like any other, and
//! once more when the last device has let go of its pages. The second one says whether the kernel
//! copied them after all, as it must where the receiver is on this host (loopback, veth, a bridge
//! to a container) or somebody listens in (`tcpdump`). Then the plain send is cheaper.

mod flights;
mod leases;
mod paths;
mod request;

use core::fmt;
use std::sync::Arc;

use io_uring::squeue::Entry;
use io_uring::types::Fixed;
use io_uring::{Submitter, cqueue};

use self::flights::{Flight, Flights};
use self::leases::{Denied, Leases};
use self::paths::{Advice, Network, Paths};
use super::send::Send;
use super::tag::Tag;
use crate::clock;
use crate::files::Image;
use crate::limits::{ZERO_COPY_MIN, ZERO_COPY_NEWS};
use crate::shard::backend::Counters;
use crate::shard::outbox::{Layout, Outbox};
use crate::transfer::Nanos;

/// A change that an operator may want to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    On(Network),
    Off(Network),
    /// `RLIMIT_MEMLOCK` does not allow memory to be registered.
    NoMemory,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(network) => write!(
                f,
                "zero-copy on towards {network}: its device transmits trains without a copy"
            ),
            Self::Off(network) => write!(
                f,
                "zero-copy off towards {network}: the kernel copies what goes there; it is tried \
                 again now and then"
            ),
            Self::NoMemory => f.write_str(
                "zero-copy without registered memory, which is dearer: RLIMIT_MEMLOCK is too small \
                 (LimitMEMLOCK= in systemd, --ulimit memlock= in Docker)",
            ),
        }
    }
}

/// The state behind all sends without a copy of one shard.
pub(super) struct ZeroCopy {
    enabled: bool,
    paths: Paths,
    flights: Flights,
    leases: Leases,
    news: Vec<News>,
    /// News that may still be told.
    to_tell: usize,
    /// What is not worth telling twice.
    told_no_memory: bool,
}

impl ZeroCopy {
    /// With room for so many sends at a time; none: nothing is ever sent without a copy.
    pub(super) fn new(room: Option<u32>) -> Self {
        Self {
            enabled: room.is_some(),
            paths: Paths::new(),
            flights: Flights::new(room.unwrap_or(0)),
            leases: Leases::new(),
            news: Vec::with_capacity(ZERO_COPY_NEWS),
            to_tell: ZERO_COPY_NEWS,
            told_no_memory: false,
        }
    }

    /// The request for a laid-out train that is to go out without a copy; `None`: with one.
    pub(super) fn request(
        &mut self,
        send: &Send<'_>,
        outbox: &Outbox,
        submitter: &Submitter<'_>,
    ) -> Option<Entry> {
        let message = send.message;
        let whole = send.piece.count == message.datagrams;
        if !self.enabled || message.layout != Layout::Framed || !whole {
            return None;
        }
        let train = outbox.train(message);
        let image = outbox.image(message)?;
        if train.iov_len < ZERO_COPY_MIN || !self.flights.has_room() {
            return None;
        }
        let network = Network::from(message.route.peer);
        let buffer = match self.paths.advise(network) {
            Advice::Copy => return None,
            // Nothing is pinned for a trial.
            Advice::Try => None,
            Advice::Spare => self.lease((train.iov_base.addr(), train.iov_len), image, submitter),
        };
        let flight = self.flights.begin(Flight {
            _image: Arc::clone(image),
            network,
            position: send.position,
            registered: buffer.is_some(),
            refused: false,
        })?;
        let slot = Fixed(u32::from(message.route.socket.0));
        let entry = request::send(slot, send.header, buffer);
        Some(entry.user_data(Tag::ZeroCopy(flight).pack()))
    }

    /// The registered buffer that the bytes lie in. Without one the kernel looks up their pages.
    fn lease(
        &mut self,
        bytes: (usize, usize),
        image: &Arc<Image>,
        submitter: &Submitter<'_>,
    ) -> Option<u16> {
        let lease = self.leases.find(bytes, image, submitter, clock::now);
        if lease == Err(Denied::NoMemory) && !self.told_no_memory {
            self.told_no_memory = true;
            self.tell(News::NoMemory);
        }
        lease.ok().flatten()
    }

    /// The first completion of a send: the kernel has taken it or not. Answers with its place among
    /// the turn's headers and the errno that the ordinary way is to be told of, or 0.
    pub(super) fn taken(
        &mut self,
        flight: u32,
        completion: &cqueue::Entry,
        counters: &mut Counters,
    ) -> Option<(u32, i32)> {
        let errno = -completion.result().min(0);
        let current = self.flights.get(flight)?;
        let position = current.position;
        current.refused = errno != 0;
        let (network, registered) = (current.network, current.registered);
        if !cqueue::more(completion.flags()) {
            self.flights.end(flight);
        }
        match errno {
            0 => counters.zero_copy_sent += 1,
            // Before Linux 6.15 there are no registered buffers with messages.
            libc::EINVAL if registered => self.leases.deny(clock::now()),
            _ if refuses(errno) => self.paths.refused(network),
            // A full buffer, or another peer's ICMP error: nothing is wrong with the way.
            _ => self.paths.put_off(network),
        }
        // EFAULT would mean a file that was cut short, EINVAL a train that cannot be segmented: what
        // it is, the ordinary way will tell.
        let errno = if refuses(errno) {
            libc::EOPNOTSUPP
        } else {
            errno
        };
        Some((position, errno))
    }

    /// The last completion of a send: the kernel has let go of its bytes.
    pub(super) fn released(&mut self, flight: u32, result: i32, counters: &mut Counters) {
        let Some(flight) = self.flights.end(flight) else {
            return;
        };
        if flight.refused {
            return;
        }
        let copied = request::copied(result);
        if copied {
            counters.zero_copy_copied += 1;
        } else {
            counters.zero_copy_spared += 1;
        }
        match self.paths.report(flight.network, copied) {
            Some(true) => self.tell(News::On(flight.network)),
            Some(false) => self.tell(News::Off(flight.network)),
            None => {}
        }
    }

    fn tell(&mut self, news: News) {
        if let Some(rest) = self.to_tell.checked_sub(1) {
            self.to_tell = rest;
            self.news.push(news);
        }
    }

    /// What has changed since the last call.
    pub(super) fn news(&mut self) -> impl Iterator<Item = News> + '_ {
        self.news.drain(..)
    }

    /// Lets go of memory that nothing was sent from for a while. Answers with the time to come
    /// again, or `deadline` if that is sooner: an idle shard must let go, too.
    pub(super) fn tend(
        &mut self,
        deadline: Option<Nanos>,
        submitter: &Submitter<'_>,
    ) -> Option<Nanos> {
        let Some(due) = self.leases.sweep_at() else {
            return deadline;
        };
        let now = clock::now();
        if now >= due {
            self.leases.sweep(submitter, now);
        }
        let due = self.leases.sweep_at();
        deadline.map_or(due, |deadline| {
            Some(due.map_or(deadline, |due| due.min(deadline)))
        })
    }

    /// Whether the kernel has let go of everything.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    /// Gives up what the kernel still reads, without giving it back.
    pub(super) fn leak(&mut self) {
        self.flights.leak();
    }
}

/// Whether a train may have been refused for its not being copied.
const fn refuses(errno: i32) -> bool {
    matches!(
        errno,
        libc::EINVAL | libc::EOPNOTSUPP | libc::EMSGSIZE | libc::EFAULT | libc::ENOMEM
    )
}
