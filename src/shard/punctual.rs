//! Whether timers may be acted on, or whether what the sockets hold is to be read first: the ACK that a
//! timer waits for may be among it. It never counts time before the first turn that holds them back:
//! after a stall of the host all timers are due at once, and all their ACKs unread.

use super::backend::Backend;
use crate::limits::{TIMERS_HELD_BACK, TIMERS_HELD_FOR};
use crate::transfer::Nanos;

/// How far timers have been held back.
#[derive(Debug, Default)]
pub(super) struct Punctual {
    /// Datagrams that had been read when timers were last acted on.
    read: u64,
    /// When they were first held back since then.
    held_at: Option<Nanos>,
}

impl Punctual {
    /// Asked once in a turn. In lock-step no transfer has more than one ACK under way: when as many
    /// datagrams have been read as there are transfers, what had come before was among them. A backend
    /// that says for long that there is more, and brings nothing, is not waited for.
    pub(super) fn timers_may_run(
        &mut self,
        now: Nanos,
        backend: &dyn Backend,
        transfers: usize,
    ) -> bool {
        let read = backend.counters().datagrams_received;
        let enough = u64::try_from(transfers).map_or(u64::MAX, |all| all.max(TIMERS_HELD_BACK));
        if backend.behind() && read.saturating_sub(self.read) < enough {
            let since = *self.held_at.get_or_insert(now);
            if now - since < TIMERS_HELD_FOR {
                return false;
            }
        }
        self.read = read;
        self.held_at = None;
        true
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

    /// Turns that leave something unread, of `datagrams` each, until timers may run.
    fn turns_held_back(transfers: usize, datagrams: u64, turn: Nanos) -> u64 {
        let mut punctual = Punctual::default();
        let mut sockets = Sockets {
            behind: true,
            counters: Counters::default(),
        };
        let mut turns = 0;
        // A stall before the first of them counts for nothing.
        let mut now = Nanos::from_secs(100);
        while !punctual.timers_may_run(now, &sockets, transfers) {
            sockets.counters.datagrams_received += datagrams;
            now = now + turn;
            turns += 1;
        }
        sockets.behind = false;
        assert!(
            punctual.timers_may_run(now, &sockets, transfers),
            "all was read"
        );
        sockets.behind = true;
        assert!(
            !punctual.timers_may_run(now, &sockets, transfers),
            "held anew"
        );
        turns
    }

    #[test]
    fn timers_wait_for_what_the_sockets_held_and_no_longer() {
        let short = Nanos::from_micros(1);
        assert_eq!(
            turns_held_back(1, 100, short),
            TIMERS_HELD_BACK.div_ceil(100)
        );
        assert_eq!(turns_held_back(10_000, 100, short), 100);
    }

    #[test]
    fn timers_do_not_wait_for_what_never_comes() {
        let turn = Nanos::from_millis(1);
        assert_eq!(turns_held_back(1, 0, turn), TIMERS_HELD_FOR.0 / turn.0);
    }
}
