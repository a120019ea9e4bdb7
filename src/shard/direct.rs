//! Data sockets that are so busy that they are read in every turn without asking epoll, and when epoll is asked
//! for the others. It never reads them itself; it only knows which they are.
//!
//! Being watched has its price: whenever a datagram has left, the kernel wakes all who may wait for
//! room in its socket, and epoll has a look. A profile showed 3 % of a lock-step packet's cost there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::endpoint::SocketId;
use crate::limits::{BUSY_DATAGRAMS, BUSY_LOOK, BUSY_TURNS};
use crate::transfer::Nanos;

/// What epoll watches, and what it need not.
pub(super) struct Watch {
    epoll: OwnedFd,
    direct: Vec<SocketId>,
    /// Busy turns in a row by socket, at most one less than it takes to be read directly.
    streaks: Vec<u8>,
}

impl Watch {
    pub(super) fn new(epoll: OwnedFd) -> Self {
        Self {
            epoll,
            direct: Vec::new(),
            streaks: Vec::new(),
        }
    }

    pub(super) const fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// The `nth` socket to be read without being asked for.
    pub(super) fn direct(&self, nth: usize) -> Option<SocketId> {
        self.direct.get(nth).copied()
    }

    /// A socket that is read directly gave something: the longer that lasts, the sooner it is read directly
    /// again after a turn that brought nothing.
    pub(super) fn gave_directly(&mut self, socket: SocketId) {
        if let Some(streak) = self.streaks.get_mut(usize::from(socket.0)) {
            *streak = (*streak + 1).min(BUSY_TURNS - 1);
        }
    }

    pub(super) fn add(&self, fd: impl AsFd, data: u64) -> io::Result<()> {
        epoll::add(&self.epoll, fd, EventData::new_u64(data), EventFlags::IN)?;
        Ok(())
    }

    /// The socket is closed.
    pub(super) fn forget(&mut self, socket: SocketId) {
        self.direct.retain(|&direct| direct != socket);
    }

    /// Watches a socket for `interest`, whether it was watched so far or not.
    pub(super) fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        socket: SocketId,
        interest: EventFlags,
    ) -> io::Result<()> {
        let data = EventData::new_u64(u64::from(socket.0));
        if self.direct.contains(&socket) {
            self.forget(socket);
            epoll::add(&self.epoll, fd, data, interest)?;
        } else {
            epoll::modify(&self.epoll, fd, data, interest)?;
        }
        Ok(())
    }

    /// A data socket that is watched gave so many datagrams in this turn.
    pub(super) fn gave(
        &mut self,
        fd: BorrowedFd<'_>,
        socket: SocketId,
        datagrams: usize,
    ) -> io::Result<()> {
        let place = usize::from(socket.0);
        if place >= self.streaks.len() {
            self.streaks.resize(place + 1, 0);
        }
        let Some(streak) = self.streaks.get_mut(place) else {
            return Ok(());
        };
        *streak = if datagrams < BUSY_DATAGRAMS {
            0
        } else {
            *streak + 1
        };
        if *streak == BUSY_TURNS {
            *streak = 0;
            epoll::delete(&self.epoll, fd)?;
            self.direct.push(socket);
        }
        Ok(())
    }
}

/// When busy turns look at the sockets that are watched. They may be short: a look in each of them would
/// cost as much as what they read.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Nanos,
}

impl Looks {
    /// Whether this busy turn is to look. `left`: the last look left datagrams in a watched socket.
    pub(super) fn due(&mut self, now: Nanos, left: bool) -> bool {
        let due = left || now - self.last >= BUSY_LOOK;
        if due {
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_turns_look_now_and_then_and_whenever_something_was_left() {
        let mut looks = Looks::default();
        let at = |micros| Nanos::from_secs(1) + Nanos::from_micros(micros);
        let pause = BUSY_LOOK.0 / 1_000;
        let turns = [
            (0, false),
            (1, false),
            (2, true),
            (3, true),
            (4, false),
            (pause + 2, false),
        ];
        let looked = turns.map(|(micros, left)| looks.due(at(micros), left));
        assert_eq!(looked, [true, false, true, true, false, false]);
        assert!(looks.due(at(pause + 3), false));
    }

    /// Turns with enough datagrams until a socket is read directly that was so for `turns` and then gave nothing.
    fn turns_until_direct_again(turns: u8) -> u8 {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        let mut watch = Watch::new(epoll);
        watch.add(&socket, 0).expect("watched");
        let busy_turns = |watch: &mut Watch| {
            let mut count = 0;
            while watch.direct(0).is_none() {
                count += 1;
                let gave = watch.gave(socket.as_fd(), SocketId(0), BUSY_DATAGRAMS);
                gave.expect("epoll");
            }
            count
        };
        assert_eq!(busy_turns(&mut watch), BUSY_TURNS);
        for _ in 0..turns {
            watch.gave_directly(SocketId(0));
        }
        let change = watch.change(socket.as_fd(), SocketId(0), EventFlags::IN);
        change.expect("epoll");
        busy_turns(&mut watch)
    }

    #[test]
    fn a_socket_that_was_busy_for_long_is_soon_read_directly_again() {
        assert_eq!(turns_until_direct_again(0), BUSY_TURNS);
        assert_eq!(turns_until_direct_again(2), BUSY_TURNS - 2);
        assert_eq!(turns_until_direct_again(u8::MAX), 1);
    }
}
