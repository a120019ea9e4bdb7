//! Which of a thread's sockets have something: all are tried when they are few, epoll says when
//! they are many.
//! It never reads.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::sockets::Sockets;

/// So many sockets are simply tried one after the other: an epoll set would cost the *sender* of
/// each packet a walk through it.
const FEW: usize = 64;
/// Ready sockets in one call.
const EVENTS: usize = 256;

pub(super) enum Ready {
    Few(Vec<libc::pollfd>),
    Many {
        epoll: OwnedFd,
        events: Vec<libc::epoll_event>,
        found: usize,
    },
}

impl Ready {
    pub(super) fn new(sockets: &Sockets) -> io::Result<Self> {
        let fds = (0..sockets.len()).map(|lane| sockets.fd(lane));
        if sockets.len() <= FEW {
            let poll = |fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            };
            return Ok(Self::Few(fds.map(poll).collect()));
        }
        // SAFETY: a fresh descriptor, checked before it is owned.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open and nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        for (lane, fd) in fds.enumerate() {
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: lane as u64,
            };
            // SAFETY: both descriptors are open; the event lives until the call returns.
            let added = unsafe {
                libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
            };
            if added < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self::Many {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            found: 0,
        })
    }

    pub(super) const fn is_few(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    /// Sleeps until a socket has something or so many nanoseconds are over.
    pub(super) fn wait(&mut self, nanos: u64) -> io::Result<()> {
        let time = libc::timespec {
            tv_sec: (nanos / 1_000_000_000).cast_signed(),
            tv_nsec: (nanos % 1_000_000_000).cast_signed(),
        };
        let got = match self {
            Self::Few(polls) => {
                let (at, count) = (polls.as_mut_ptr(), polls.len() as libc::nfds_t);
                // SAFETY: the slice and the timespec live until the call returns.
                unsafe { libc::ppoll(at, count, &raw const time, std::ptr::null()) }
            }
            Self::Many {
                epoll,
                events,
                found,
            } => {
                let (at, count) = (events.as_mut_ptr(), events.len() as libc::c_int);
                let fd = epoll.as_raw_fd();
                // SAFETY: as above; the kernel writes at most `count` events.
                let got =
                    unsafe { libc::epoll_pwait2(fd, at, count, &raw const time, std::ptr::null()) };
                *found = usize::try_from(got).unwrap_or(0);
                got
            }
        };
        let error = io::Error::last_os_error();
        if got < 0 && error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
        Ok(())
    }

    /// The lanes that the last wait found.
    pub(super) fn found(&self) -> impl Iterator<Item = usize> + '_ {
        let events = match self {
            Self::Few(_) => &[][..],
            Self::Many { events, found, .. } => events.get(..*found).unwrap_or_default(),
        };
        events.iter().map(|event| event.u64 as usize)
    }
}
