//! Where trains go out without a copy, learnt from what the kernel reports of each.
//! It never trusts a report for ever, and never spends more than one train in a thousand on doubt.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;

use crate::endpoint::Peer;
use crate::limits::{
    ZERO_COPY_AGAIN, ZERO_COPY_AGAIN_MAX, ZERO_COPY_PATHS, ZERO_COPY_REVIEW, ZERO_COPY_TRIALS,
};

/// Clients that a routing table hardly tells apart: a /24, or a /64 of one interface. The kernel
/// does not say which device a train left by, and to ask it for each client would cost more than
/// the answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    prefix: u64,
    /// The interface of link-local addresses.
    scope: u32,
    v4: bool,
}

impl From<Peer> for Network {
    fn from(peer: Peer) -> Self {
        let addr = peer.to_addr();
        match addr.ip() {
            IpAddr::V4(ip) => Self {
                prefix: u64::from(u32::from(ip) & !0xff),
                scope: 0,
                v4: true,
            },
            IpAddr::V6(ip) => Self {
                prefix: (u128::from(ip) >> 64) as u64,
                scope: match addr {
                    core::net::SocketAddr::V6(v6) => v6.scope_id(),
                    core::net::SocketAddr::V4(_) => 0,
                },
                v4: false,
            },
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.v4 {
            let bits = u32::try_from(self.prefix).unwrap_or(0);
            return write!(f, "{}/24", Ipv4Addr::from(bits));
        }
        let ip = Ipv6Addr::from(u128::from(self.prefix) << 64);
        match self.scope {
            0 => write!(f, "{ip}/64"),
            scope => write!(f, "{ip}%{scope}/64"),
        }
    }
}

/// What to do with the next train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Let the kernel copy it.
    Copy,
    /// Try it without a copy; nothing is known yet.
    Try,
    /// The last ones went out without a copy.
    Spare,
}

/// What is believed of each network.
pub(super) struct Paths {
    paths: HashMap<Network, Path>,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self {
            paths: HashMap::with_capacity(ZERO_COPY_PATHS),
        }
    }

    /// Decides on one train, which is then to be sent so.
    pub(super) fn advise(&mut self, network: Network) -> Advice {
        if self.paths.len() >= ZERO_COPY_PATHS && !self.paths.contains_key(&network) {
            // To learn them anew costs each a few trials.
            self.paths.clear();
        }
        self.paths.entry(network).or_default().advise()
    }

    /// A train is on its way for good. Answers with a change of mind.
    pub(super) fn report(&mut self, network: Network, copied: bool) -> Option<bool> {
        self.paths.get_mut(&network)?.report(copied)
    }

    /// A train was put off: no report will come.
    pub(super) fn put_off(&mut self, network: Network) {
        if let Some(Path {
            state: State::Trying { unsent, .. },
            ..
        }) = self.paths.get_mut(&network)
        {
            *unsent += 1;
        }
    }

    /// The kernel did not take a train without a copy.
    pub(super) fn refused(&mut self, network: Network) {
        if let Some(path) = self.paths.get_mut(&network) {
            path.leave_off();
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Path {
    state: State,
    /// Reports since the state was entered or last reviewed, and how many said "copied".
    reports: u32,
    copied: u32,
    /// Trains that pass before the next trial once it is off.
    again: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many trains are still to be tried; then reports are awaited.
    Trying {
        unsent: u32,
        trials: u32,
    },
    On,
    /// So many trains are copied before one is tried again.
    Off {
        rest: u32,
    },
}

impl Default for Path {
    fn default() -> Self {
        Self {
            state: State::Trying {
                unsent: ZERO_COPY_TRIALS,
                trials: ZERO_COPY_TRIALS,
            },
            reports: 0,
            copied: 0,
            again: ZERO_COPY_AGAIN,
        }
    }
}

impl Path {
    fn advise(&mut self) -> Advice {
        match &mut self.state {
            State::On => Advice::Spare,
            State::Trying { unsent: 0, .. } => Advice::Copy,
            State::Trying { unsent, .. } => {
                *unsent -= 1;
                Advice::Try
            }
            State::Off { rest: 0 } => {
                self.enter(State::Trying {
                    unsent: 0,
                    trials: 1,
                });
                Advice::Try
            }
            State::Off { rest } => {
                *rest -= 1;
                Advice::Copy
            }
        }
    }

    fn report(&mut self, copied: bool) -> Option<bool> {
        self.reports += 1;
        self.copied += u32::from(copied);
        let due = match self.state {
            State::Trying { trials, .. } => trials,
            State::On => ZERO_COPY_REVIEW,
            State::Off { .. } => return None,
        };
        if self.reports < due {
            return None;
        }
        let was_on = self.state == State::On;
        if self.copied * 2 >= self.reports {
            let first = self.again == ZERO_COPY_AGAIN;
            self.leave_off();
            return (was_on || first).then_some(false);
        }
        self.enter(State::On);
        if was_on {
            self.again = ZERO_COPY_AGAIN;
        }
        (!was_on).then_some(true)
    }

    fn leave_off(&mut self) {
        let rest = self.again;
        self.again = (self.again * 2).min(ZERO_COPY_AGAIN_MAX);
        self.enter(State::Off { rest });
    }

    const fn enter(&mut self, state: State) {
        self.state = state;
        self.reports = 0;
        self.copied = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_tried_a_few_times_and_then_hardly_ever() {
        let (mut paths, here) = (Paths::new(), network("127.0.0.1:9"));
        let mut tried = 0;
        let mut news = Vec::new();
        for _ in 0..1_000_000 {
            if paths.advise(here) != Advice::Copy {
                tried += 1;
                news.extend(paths.report(here, true));
            }
        }
        assert!((ZERO_COPY_TRIALS + 5..50).contains(&tried), "{tried}");
        assert_eq!(news, [false], "it is said once");
    }

    #[test]
    fn what_is_not_copied_goes_on_until_most_are() {
        let (mut paths, there) = (Paths::new(), network("[2001:db8::7]:9"));
        let advice: Vec<_> = (0..=ZERO_COPY_TRIALS)
            .map(|_| paths.advise(there))
            .collect();
        assert_eq!(advice.iter().filter(|&&it| it == Advice::Try).count(), 4);
        assert_eq!(advice.last(), Some(&Advice::Copy), "until they are judged");
        let news: Vec<_> = (0..ZERO_COPY_TRIALS)
            .filter_map(|_| paths.report(there, false))
            .collect();
        assert_eq!(news, [true]);
        // One in four is copied: still worth it.
        for n in 0..1_000 {
            assert_eq!(paths.advise(there), Advice::Spare);
            assert_eq!(paths.report(there, n % 4 == 0), None);
        }
        let news: Vec<_> = (0..2 * ZERO_COPY_REVIEW)
            .filter_map(|_| paths.report(there, true))
            .collect();
        assert_eq!(news, [false]);
        assert_eq!(paths.advise(there), Advice::Copy);
    }

    #[test]
    fn a_path_that_stops_copying_is_found_again() {
        let (mut paths, there) = (Paths::new(), network("192.0.2.7:9"));
        paths.advise(there);
        paths.refused(there);
        let copies = (0..).take_while(|_| paths.advise(there) == Advice::Copy);
        assert_eq!(copies.count(), ZERO_COPY_AGAIN as usize);
        assert_eq!(paths.report(there, false), Some(true));
        assert_eq!(paths.advise(there), Advice::Spare);
    }

    #[test]
    fn a_trial_that_was_put_off_is_made_up_for() {
        let (mut paths, there) = (Paths::new(), network("192.0.2.7:9"));
        for _ in 0..100 {
            assert_eq!(paths.advise(there), Advice::Try);
            paths.put_off(there);
        }
        for _ in 0..ZERO_COPY_TRIALS {
            assert_eq!(paths.advise(there), Advice::Try);
        }
        assert_eq!(paths.advise(there), Advice::Copy);
    }

    #[test]
    fn networks_are_judged_apart_and_not_without_bound() {
        let mut paths = Paths::new();
        let (a, b) = (network("192.0.2.7:9"), network("192.0.3.7:9"));
        assert_eq!(network("192.0.2.99:1"), a);
        for _ in 0..ZERO_COPY_TRIALS {
            paths.advise(a);
            paths.report(a, true);
        }
        assert_eq!(paths.advise(a), Advice::Copy);
        assert_eq!(paths.advise(b), Advice::Try);
        for n in 0..10_000_u32 {
            let ip = Ipv4Addr::from(n << 8);
            paths.advise(network(&format!("{ip}:9")));
            assert!(paths.paths.len() <= ZERO_COPY_PATHS);
        }
    }

    #[test]
    fn networks_are_written_as_operators_do() {
        assert_eq!(network("192.0.2.7:9").to_string(), "192.0.2.0/24");
        assert_eq!(network("[2001:db8::7]:9").to_string(), "2001:db8::/64");
        assert_eq!(network("[fe80::7%3]:9").to_string(), "fe80::%3/64");
    }

    fn network(addr: &str) -> Network {
        let addr: core::net::SocketAddr = addr.parse().expect("an address");
        Network::from(Peer::from(addr))
    }
}
