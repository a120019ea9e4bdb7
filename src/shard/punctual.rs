//! Whether timers may be acted on, or whether what the sockets hold is to be read first: the ACK that a
//! timer waits for may be among it. It never counts time: after a stall of the host all timers are due at
//! once, and all their ACKs unread.

use super::backend::Backend;
use crate::limits::TIMERS_HELD_BACK;
use crate::transfer::Nanos;

/// How far timers have been held back.
#[derive(Debug, Default)]
pub(super) struct Punctual {
    /// Datagrams that had been read when all due timers were last acted on, and when that was.
    read: u64,
    since: Nanos,
}

impl Punctual {
    /// The timers that may be acted on at `now`: all that were due at the time that this says.
    ///
    /// Most transfers have one ACK under way: when as many datagrams have been read as there are transfers,
    /// what had come before the reading began was among them. What came while it lasted may still be unread.
    pub(super) fn due(&self, now: Nanos, backend: &dyn Backend, transfers: usize) -> Option<Nanos> {
        if !backend.behind() {
            return Some(now);
        }
        let read = backend.counters().datagrams_received - self.read;
        let enough = u64::try_from(transfers).map_or(u64::MAX, |all| all.max(TIMERS_HELD_BACK));
        (read >= enough).then_some(self.since)
    }

    /// All timers that were due have been acted on. Before that they go on turn by turn, each with its
    /// bounded number of them.
    pub(super) fn all_ran(&mut self, now: Nanos, backend: &dyn Backend) {
        self.read = backend.counters().datagrams_received;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::backend::{Counters, Event};
    use crate::shard::outbox::Outbox;

    struct Sockets {
        behind: bool,
        counters: Counters,
    }

    impl Backend for Sockets {
        fn turn(
            &mut self,
            _: &mut Outbox,
            _: Option<Nanos>,
            _: &mut dyn FnMut(Event<'_>),
        ) -> std::io::Result<()> {
            Ok(())
        }
        fn close_listeners(&mut self) -> std::io::Result<()> {
            Ok(())
        }
        fn behind(&self) -> bool {
            self.behind
        }
        fn counters(&self) -> &Counters {
            &self.counters
        }
        fn kernel_drops(&self) -> u64 {
            0
        }
        fn name(&self) -> &'static str {
            "none"
        }
    }

    const LONG_AGO: Nanos = Nanos(1);
    const NOW: Nanos = Nanos(2);

    /// Turns that leave something unread, of 100 datagrams each, until timers may run.
    fn turns_held_back(transfers: usize) -> u64 {
        let mut punctual = Punctual::default();
        let mut sockets = Sockets {
            behind: true,
            counters: Counters::default(),
        };
        punctual.all_ran(LONG_AGO, &sockets);
        let mut turns = 0;
        while punctual.due(NOW, &sockets, transfers).is_none() {
            sockets.counters.datagrams_received += 100;
            turns += 1;
        }
        for _ in 0..2 {
            let due = punctual.due(NOW, &sockets, transfers);
            assert_eq!(due, Some(LONG_AGO), "until all of them have run");
        }
        punctual.all_ran(NOW, &sockets);
        assert_eq!(punctual.due(NOW, &sockets, transfers), None, "held anew");
        sockets.behind = false;
        let due = punctual.due(NOW, &sockets, transfers);
        assert_eq!(due, Some(NOW), "all was read");
        turns
    }

    #[test]
    fn timers_wait_for_what_the_sockets_held_and_no_longer() {
        assert_eq!(turns_held_back(1), TIMERS_HELD_BACK.div_ceil(100));
        assert_eq!(turns_held_back(10_000), 100);
    }
}
