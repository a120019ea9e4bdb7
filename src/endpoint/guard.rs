//! Who may ask, how often, and how much at a time: shared by all shards, so that a limit is a limit.
//! It never grows: tables of fixed size, in which networks and clients that collide share a place.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::prefix::{Prefix, PrefixSet};
use crate::limits::{CLIENT_COUNTS, PREFIX_BUCKETS};
use crate::transfer::Nanos;

/// What the operator allows, to whom. The default limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Who is served; empty: everybody.
    pub allow: Vec<Prefix>,
    /// Who is not, allowed or not.
    pub deny: Vec<Prefix>,
    /// Requests of one network (IPv4 /24, IPv6 /64).
    pub requests: Rate,
    /// ERROR packets to one network.
    pub errors: Rate,
    /// Transfers of one client at a time; 0: any number.
    pub per_client: u32,
    /// Transfers of all clients at a time; 0: as many as there is room for.
    pub total: u32,
    /// An ACK proves that the client is where it says it is, so its request counts no longer. Not
    /// so where whoever forged the request can forge the ACK as well.
    pub proof_counts: bool,
}

/// How often something may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// 0: as often as it likes.
    pub per_second: u32,
    /// How many at once, after a pause.
    pub burst: u32,
    /// This host's own clients are not counted: nobody else can forge their addresses.
    pub spares_loopback: bool,
}

/// Why a request has to wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// This client has as many transfers as it may.
    Client,
    /// The server has.
    Server,
}

/// The limits and what counts against them, shared by all shards.
#[derive(Debug)]
pub struct Guard<S> {
    hasher: S,
    allow: PrefixSet,
    deny: PrefixSet,
    requests: Arc<Buckets>,
    errors: Arc<Buckets>,
    per_client: u32,
    total: u32,
    proof_counts: bool,
    /// None: there will never be a cap.
    counts: Option<Arc<Counts>>,
}

/// Transfers under way. They are counted without a cap as well: there may be one later.
#[derive(Debug)]
struct Counts {
    clients: Box<[AtomicU32]>,
    active: Apart,
}

/// A count that all shards write to, on lines apart from what they only read: two, since processors fetch
/// them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart(AtomicU32);

impl<S: BuildHasher> Guard<S> {
    pub fn new(access: &Access, hasher: S) -> Self {
        let counts = Counts {
            clients: (0..CLIENT_COUNTS).map(|_| AtomicU32::new(0)).collect(),
            active: Apart::default(),
        };
        let requests = Arc::new(Buckets::new(access.requests));
        let errors = Arc::new(Buckets::new(access.errors));
        Self::with(access, hasher, (requests, errors), Some(Arc::new(counts)))
    }

    /// Limits nothing, and counts nothing.
    pub fn open(hasher: S) -> Self {
        let access = Access::default();
        let buckets = || Arc::new(Buckets::new(Rate::default()));
        Self::with(&access, hasher, (buckets(), buckets()), None)
    }

    /// Other limits for the same clients: transfers under way count on, and so does what networks
    /// have asked under a limit that stays.
    #[must_use]
    pub fn renewed(&self, access: &Access) -> Self
    where
        S: Clone,
    {
        let renewed = |buckets: &Arc<Buckets>, rate| {
            if buckets.rate == rate {
                Arc::clone(buckets)
            } else {
                Arc::new(Buckets::new(rate))
            }
        };
        let requests = renewed(&self.requests, access.requests);
        let errors = renewed(&self.errors, access.errors);
        let counts = self.counts.clone();
        Self::with(access, self.hasher.clone(), (requests, errors), counts)
    }

    fn with(
        access: &Access,
        hasher: S,
        (requests, errors): (Arc<Buckets>, Arc<Buckets>),
        counts: Option<Arc<Counts>>,
    ) -> Self {
        Self {
            hasher,
            allow: PrefixSet::new(&access.allow),
            deny: PrefixSet::new(&access.deny),
            requests,
            errors,
            per_client: access.per_client,
            total: access.total,
            proof_counts: access.proof_counts,
            counts,
        }
    }

    /// Whether a client is served at all.
    pub fn allows(&self, client: IpAddr) -> bool {
        (self.allow.is_empty() || self.allow.contains(client)) && !self.deny.contains(client)
    }

    /// Counts a request. `false`: its network has made too many.
    pub fn may_ask(&self, client: IpAddr, now: Nanos) -> bool {
        self.requests.take(client, now, &self.hasher)
    }

    /// The client acknowledged what was sent to it: its request was no forgery and counts no longer.
    pub fn proved(&self, client: IpAddr) {
        if self.proof_counts {
            self.requests.give_back(client, &self.hasher);
        }
    }

    /// Counts an ERROR. `false`: its network has been sent too many.
    pub fn may_tell(&self, client: IpAddr, now: Nanos) -> bool {
        self.errors.take(client, now, &self.hasher)
    }

    /// Whether anybody may have to wait.
    pub const fn has_caps(&self) -> bool {
        self.per_client > 0 || self.total > 0
    }

    /// Takes a place for a transfer; [`leave`](Self::leave) gives it back.
    ///
    /// # Errors
    /// When the client, or the server, has as many as it may.
    pub fn enter(&self, client: IpAddr) -> Result<(), Full> {
        let Some((active, of_client)) = self.counts(client) else {
            return Ok(());
        };
        let below =
            |cap: u32| move |count: u32| (cap == 0 || count < cap).then(|| count.saturating_add(1));
        let take = |count: &AtomicU32, cap| count.fetch_update(Relaxed, Relaxed, below(cap));
        take(of_client, self.per_client).map_err(|_| Full::Client)?;
        if take(active, self.total).is_err() {
            decrement(of_client);
            return Err(Full::Server);
        }
        Ok(())
    }

    pub fn leave(&self, client: IpAddr) {
        if let Some((active, of_client)) = self.counts(client) {
            decrement(of_client);
            decrement(active);
        }
    }

    /// The count of all transfers and that of a client's.
    fn counts(&self, client: IpAddr) -> Option<(&AtomicU32, &AtomicU32)> {
        let Counts { clients, active } = self.counts.as_deref()?;
        Some((&active.0, place(clients, self.hasher.hash_one(client))?))
    }
}

fn decrement(count: &AtomicU32) {
    let less = |count: u32| Some(count.saturating_sub(1));
    let _ = count.fetch_update(Relaxed, Relaxed, less);
}

/// One token bucket for each network, as the time at which it will be full again (GCRA).
#[derive(Debug)]
struct Buckets {
    rate: Rate,
    /// Empty without a limit.
    full_at: Box<[AtomicU64]>,
    /// Between two events, in the long run.
    interval: u64,
    /// As far ahead as a burst may push the time.
    most: u64,
}

impl Buckets {
    fn new(rate: Rate) -> Self {
        let buckets = if rate.per_second > 0 {
            PREFIX_BUCKETS
        } else {
            0
        };
        let interval = 1_000_000_000 / u64::from(rate.per_second.max(1));
        Self {
            full_at: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            interval,
            most: interval * u64::from(rate.burst.max(1)),
            rate,
        }
    }

    fn take<S: BuildHasher>(&self, client: IpAddr, now: Nanos, hasher: &S) -> bool {
        let Some(full_at) = self.bucket(client, hasher) else {
            return true;
        };
        let later = |full_at: u64| {
            let next = full_at.max(now.0).saturating_add(self.interval);
            (next - now.0 <= self.most).then_some(next)
        };
        full_at.fetch_update(Relaxed, Relaxed, later).is_ok()
    }

    fn give_back<S: BuildHasher>(&self, client: IpAddr, hasher: &S) {
        if let Some(full_at) = self.bucket(client, hasher) {
            let sooner = |full_at: u64| Some(full_at.saturating_sub(self.interval));
            let _ = full_at.fetch_update(Relaxed, Relaxed, sooner);
        }
    }

    fn bucket<S: BuildHasher>(&self, client: IpAddr, hasher: &S) -> Option<&AtomicU64> {
        if self.full_at.is_empty() || (self.rate.spares_loopback && client.is_loopback()) {
            return None;
        }
        let network = match client {
            IpAddr::V4(_) => Prefix::of(client, 24),
            IpAddr::V6(_) => Prefix::of(client, 64),
        };
        place(&self.full_at, hasher.hash_one(network))
    }
}

fn place<T>(table: &[T], hash: u64) -> Option<&T> {
    let length = u64::try_from(table.len()).ok()?;
    let place = hash.checked_rem(length)?;
    table.get(usize::try_from(place).ok()?)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};
    use std::vec;

    use super::*;

    type Hasher = BuildHasherDefault<DefaultHasher>;

    fn guard(access: Access) -> Guard<Hasher> {
        Guard::new(&access, Hasher::default())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second,
            burst,
            spares_loopback: false,
        }
    }

    #[test]
    fn lists_let_in_and_keep_out() {
        let prefix = |text: &str| text.parse().expect("a prefix");
        let access = Access {
            allow: vec![prefix("10.0.0.0/8"), prefix("2001:db8::/32")],
            deny: vec![prefix("10.9.0.0/16")],
            ..Access::default()
        };
        let guard = guard(access);
        for (client, served) in [
            ("10.1.1.1", true),
            ("10.9.1.1", false),
            ("192.0.2.1", false),
            ("2001:db8::1", true),
        ] {
            assert_eq!(guard.allows(ip(client)), served, "{client}");
        }
        assert!(self::guard(Access::default()).allows(ip("192.0.2.1")));
    }

    #[test]
    fn a_network_has_its_burst_and_then_its_rate() {
        let guard = guard(Access {
            requests: rate(10, 5),
            ..Access::default()
        });
        let start = Nanos::from_secs(1000);
        let ask = |client: &str, now| guard.may_ask(ip(client), now);
        // One /24 together, another one for itself.
        let together: Vec<bool> = (0..7)
            .map(|n| {
                ask(
                    if n % 2 == 0 {
                        "192.0.2.1"
                    } else {
                        "192.0.2.200"
                    },
                    start,
                )
            })
            .collect();
        assert_eq!(together, [true, true, true, true, true, false, false]);
        assert!(ask("198.51.100.1", start));
        let later = start + Nanos::from_millis(100);
        assert!(ask("192.0.2.1", later) && !ask("192.0.2.1", later));
        // After a long pause the burst is there again, and no more than that.
        let much_later = start + Nanos::from_secs(3600);
        assert_eq!((0..9).filter(|_| ask("192.0.2.1", much_later)).count(), 5);
        // IPv6 by /64.
        assert_eq!(
            (0..9)
                .filter(|n| ask(&std::format!("2001:db8::{n}"), start))
                .count(),
            5
        );
        assert!(ask("2001:db8:0:1::1", start));
    }

    #[test]
    fn proof_gives_the_request_back_where_it_is_one() {
        for (proof_counts, more) in [(true, true), (false, false)] {
            let guard = guard(Access {
                requests: rate(1, 1),
                proof_counts,
                ..Access::default()
            });
            let now = Nanos::from_secs(1000);
            assert!(guard.may_ask(ip("192.0.2.1"), now));
            guard.proved(ip("192.0.2.1"));
            assert_eq!(guard.may_ask(ip("192.0.2.1"), now), more);
        }
    }

    #[test]
    fn loopback_is_spared_only_where_that_is_said() {
        for spares_loopback in [true, false] {
            let errors = Rate {
                spares_loopback,
                ..rate(1, 1)
            };
            let guard = guard(Access {
                errors,
                ..Access::default()
            });
            let now = Nanos::from_secs(1000);
            assert!(guard.may_tell(ip("127.0.0.1"), now));
            assert_eq!(guard.may_tell(ip("127.0.0.1"), now), spares_loopback);
        }
    }

    #[test]
    fn caps_hold_for_each_client_and_for_all() {
        let guard = guard(Access {
            per_client: 2,
            total: 3,
            ..Access::default()
        });
        let (one, other, third) = (ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"));
        assert_eq!(guard.enter(one), Ok(()));
        assert_eq!(guard.enter(one), Ok(()));
        assert_eq!(guard.enter(one), Err(Full::Client));
        assert_eq!(guard.enter(other), Ok(()));
        assert_eq!(guard.enter(other), Err(Full::Server));
        assert_eq!(guard.enter(third), Err(Full::Server));
        guard.leave(one);
        // The refused attempts left nothing behind.
        assert_eq!(guard.enter(other), Ok(()));
        assert_eq!(guard.enter(other), Err(Full::Client));
        guard.leave(other);
        guard.leave(other);
        assert_eq!(guard.enter(third), Ok(()));
    }

    #[test]
    fn other_limits_count_what_is_under_way() {
        let (one, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let now = Nanos::from_secs(1000);
        let without = guard(Access {
            requests: rate(1, 2),
            ..Access::default()
        });
        for client in [one, one, other] {
            assert_eq!(without.enter(client), Ok(()));
        }
        assert!(without.may_ask(one, now));
        let capped = without.renewed(&Access {
            requests: rate(1, 2),
            per_client: 2,
            total: 4,
            ..Access::default()
        });
        assert_eq!(capped.enter(one), Err(Full::Client));
        assert_eq!(capped.enter(other), Ok(()));
        assert_eq!(capped.enter(ip("192.0.2.3")), Err(Full::Server));
        // The rate is the same, so what was asked before counts.
        assert!(capped.may_ask(one, now) && !capped.may_ask(one, now));
        let wider = capped.renewed(&Access {
            requests: rate(1, 9),
            ..Access::default()
        });
        assert!(wider.may_ask(one, now));
        for client in [one, one, other, other] {
            wider.leave(client);
        }
        assert_eq!(capped.enter(one), Ok(()));
    }
}
