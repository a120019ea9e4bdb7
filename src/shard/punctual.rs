//! Whether timers may be acted on, or whether what the sockets hold is to be read first: the ACK that a
//! timer waits for may be among it. It never counts time: after a stall of the host all timers are due at
//! once, and all their ACKs unread.

use super::backend::Backend;
use crate::limits::TIMERS_HELD_BACK;

/// How far timers have been held back.
#[derive(Debug, Default)]
pub(super) struct Punctual {
    /// Datagrams that had been read when all due timers were last acted on.
    read: u64,
}

impl Punctual {
    /// Most transfers have one ACK under way: when as many datagrams have been read as there are transfers,
    /// what had come before was among them.
    pub(super) fn timers_may_run(&self, backend: &dyn Backend, transfers: usize) -> bool {
        let read = backend.counters().datagrams_received - self.read;
        let enough = u64::try_from(transfers).map_or(u64::MAX, |all| all.max(TIMERS_HELD_BACK));
        !backend.behind() || read >= enough
    }

    /// All timers that were due have been acted on. Before that they go on turn by turn, each with its
    /// bounded number of them.
    pub(super) fn all_ran(&mut self, backend: &dyn Backend) {
        self.read = backend.counters().datagrams_received;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::backend::{Counters, Event};
    use crate::shard::outbox::Outbox;
    use crate::transfer::Nanos;

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

    /// Turns that leave something unread, of 100 datagrams each, until timers may run.
    fn turns_held_back(transfers: usize) -> u64 {
        let mut punctual = Punctual::default();
        let mut sockets = Sockets {
            behind: true,
            counters: Counters::default(),
        };
        let mut turns = 0;
        while !punctual.timers_may_run(&sockets, transfers) {
            sockets.counters.datagrams_received += 100;
            turns += 1;
        }
        let may_run =
            |punctual: &Punctual, sockets: &Sockets| punctual.timers_may_run(sockets, transfers);
        assert!(may_run(&punctual, &sockets), "not all of them have run");
        punctual.all_ran(&sockets);
        assert!(!may_run(&punctual, &sockets), "held anew");
        sockets.behind = false;
        assert!(may_run(&punctual, &sockets), "all was read");
        turns
    }

    #[test]
    fn timers_wait_for_what_the_sockets_held_and_no_longer() {
        assert_eq!(turns_held_back(1), TIMERS_HELD_BACK.div_ceil(100));
        assert_eq!(turns_held_back(10_000), 100);
    }
}
