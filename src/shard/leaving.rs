//! A shard's way from serving to draining, a step after each turn of its backend.
//! Never a system call, never the clock.

use crate::limits::{LEAVE_MAX, LEAVE_PAUSE};
use crate::transfer::Nanos;

/// How far a shard is on its way. A request that the kernel has given to us is served, whether it was
/// read or not: in front of a successor nobody else would ever see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    NotYet,
    /// No more requests come to the listening sockets since then; what they hold is read.
    Since(Nanos),
    /// The pause is over. A thread that was not running meanwhile has read nothing yet, so a turn that
    /// began after it is the first that may be the last.
    LastTurn(Nanos),
    /// They are closed; what the backend had received from them is reported by the next turn.
    Closed(Nanos),
    Done,
}

/// What is to be done after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    CloseListeners,
    /// No more requests are taken; the time to drain counts from then.
    Drain(Nanos),
}

impl Leaving {
    /// `behind`: the turn left datagrams in the sockets.
    pub(super) fn after_turn(&mut self, now: Nanos, behind: bool) -> Step {
        match *self {
            Self::NotYet | Self::Done => Step::Nothing,
            Self::Since(since) => {
                if now - since >= LEAVE_PAUSE {
                    *self = Self::LastTurn(since);
                }
                Step::Nothing
            }
            Self::LastTurn(since) if behind && now - since < LEAVE_MAX => Step::Nothing,
            Self::LastTurn(since) => {
                *self = Self::Closed(since);
                Step::CloseListeners
            }
            Self::Closed(since) => {
                *self = Self::Done;
                Step::Drain(since)
            }
        }
    }

    /// When the next step is due at the latest.
    pub(super) fn deadline(self) -> Option<Nanos> {
        match self {
            Self::NotYet | Self::Done => None,
            Self::Since(since) => Some(since + LEAVE_PAUSE),
            Self::LastTurn(_) | Self::Closed(_) => Some(Nanos::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Leaving, Step};
    use crate::limits::{LEAVE_MAX, LEAVE_PAUSE};
    use crate::transfer::Nanos;

    const START: Nanos = Nanos::from_secs(1);

    #[test]
    fn it_closes_drains_and_is_done() {
        let mut leaving = Leaving::Since(START);
        assert_eq!(leaving.deadline(), Some(START + LEAVE_PAUSE));
        assert_eq!(leaving.after_turn(START, false), Step::Nothing);
        let later = START + LEAVE_PAUSE;
        let steps = [(); 4].map(|()| leaving.after_turn(later, false));
        let wanted = [
            Step::Nothing,
            Step::CloseListeners,
            Step::Drain(START),
            Step::Nothing,
        ];
        assert_eq!(steps, wanted);
        assert_eq!((leaving, leaving.deadline()), (Leaving::Done, None));
    }

    /// The thread slept while requests came in, longer than the pause and than all patience.
    #[test]
    fn after_a_long_sleep_it_reads_before_it_closes() {
        let mut leaving = Leaving::Since(START);
        let later = START + LEAVE_MAX + LEAVE_MAX;
        assert_eq!(leaving.after_turn(later, false), Step::Nothing);
        assert_eq!(leaving.deadline(), Some(Nanos::ZERO));
        assert_eq!(leaving.after_turn(later, false), Step::CloseListeners);
    }

    #[test]
    fn it_reads_on_while_there_is_something_but_not_for_ever() {
        let mut leaving = Leaving::LastTurn(START);
        assert_eq!(leaving.after_turn(START + LEAVE_PAUSE, true), Step::Nothing);
        assert_eq!(leaving, Leaving::LastTurn(START));
        assert_eq!(
            leaving.after_turn(START + LEAVE_MAX, true),
            Step::CloseListeners
        );
    }
}
