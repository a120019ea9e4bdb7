//! The multicast groups of one shard: address, content, members in the order they came (RFC 2090).
//! It never sends: `Endpoint` does what a group's state asks for.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::route::{Peer, Route, Ticket};
use super::tenant::Membership;
use crate::limits::{MULTICAST_GROUPS, MULTICAST_MEMBERS};
use crate::transfer::{GroupTransfer, Nanos};

/// The group addresses that a shard may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupRange {
    pub v4: Option<(Ipv4Addr, u32)>,
    pub v6: Option<(Ipv6Addr, u32)>,
    /// Where the members listen.
    pub port: u16,
    /// How long a stream waits for members before it begins.
    pub gather: Nanos,
}

impl GroupRange {
    /// The part of shard `nth` of `shards`: no two shards send to one address.
    #[must_use]
    pub fn share(self, nth: u32, shards: u32) -> Self {
        let count = |all: u32| {
            (
                all / shards + u32::from(nth < all % shards),
                all / shards * nth + nth.min(all % shards),
            )
        };
        Self {
            v4: self.v4.map(|(base, all)| {
                let (count, skip) = count(all);
                (Ipv4Addr::from(u32::from(base).wrapping_add(skip)), count)
            }),
            v6: self.v6.map(|(base, all)| {
                let (count, skip) = count(all);
                (
                    Ipv6Addr::from(u128::from(base).wrapping_add(skip.into())),
                    count,
                )
            }),
            ..self
        }
    }

    /// Address number `nth` of the family that `peer` speaks.
    fn address(&self, nth: u32, peer: IpAddr) -> Option<SocketAddr> {
        let ip = match peer {
            IpAddr::V4(_) => {
                let (base, count) = self.v4?;
                let ip = Ipv4Addr::from(u32::from(base).wrapping_add(nth));
                (nth < count).then_some(IpAddr::V4(ip))
            }
            IpAddr::V6(_) => {
                let (base, count) = self.v6?;
                let ip = Ipv6Addr::from(u128::from(base).wrapping_add(nth.into()));
                (nth < count).then_some(IpAddr::V6(ip))
            }
        }?;
        Some(SocketAddr::new(ip, self.port))
    }
}

/// One stream and those who listen to it.
#[derive(Debug)]
pub struct Group<I> {
    /// How DATA reaches the group: from the socket and the address that all members know as ours.
    pub route: Route,
    pub image: I,
    pub transfer: GroupTransfer,
    /// The first one is the master.
    pub members: VecDeque<Ticket>,
    pub since: Nanos,
    /// Blocks that were sent, repetitions in a row not counted, and the newest of them.
    pub sent: u64,
    pub newest: u64,
}

impl<I> Group<I> {
    pub fn is_master(&self, ticket: Ticket) -> bool {
        self.members.front() == Some(&ticket)
    }

    /// A block was sent to all.
    pub const fn note_sent(&mut self, block: u64) {
        if block != self.newest {
            self.newest = block;
            self.sent += 1;
        }
    }

    /// Bytes that a member has: what it acknowledged as the master, else what was sent since it
    /// joined, which is what it has unless packets were lost on their way to it.
    pub fn bytes_of(&self, ticket: Ticket, member: &Membership) -> u64 {
        let acked = self.transfer.acked_bytes();
        acked.filter(|_| self.is_master(ticket)).unwrap_or_else(|| {
            let heard = self.sent - member.joined_at;
            member.size.min(heard * u64::from(member.blksize))
        })
    }

    pub fn has_room(&self) -> bool {
        self.members.len() < MULTICAST_MEMBERS
    }
}

/// All groups by their place.
#[derive(Debug)]
pub struct Groups<I> {
    places: Vec<Option<Group<I>>>,
}

impl<I> Groups<I> {
    pub const fn new() -> Self {
        Self { places: Vec::new() }
    }

    pub fn get(&self, id: u16) -> Option<&Group<I>> {
        self.places.get(usize::from(id))?.as_ref()
    }

    pub fn get_mut(&mut self, id: u16) -> Option<&mut Group<I>> {
        self.places.get_mut(usize::from(id))?.as_mut()
    }

    /// When something is due for a member: the group's next step falls to the master.
    pub fn deadline_of(&self, ticket: Ticket, member: &Membership) -> Nanos {
        match self.get(member.group) {
            Some(group) if group.is_master(ticket) => group.transfer.deadline(),
            _ => member.deadline,
        }
    }

    /// The first group for which `wanted` holds.
    pub fn find(&self, wanted: impl Fn(&Group<I>) -> bool) -> Option<u16> {
        let place = |group: &Option<Group<I>>| group.as_ref().is_some_and(&wanted);
        u16::try_from(self.places.iter().position(place)?).ok()
    }

    /// An address of `range` that no group uses, as a route to it. `from` is a member's route.
    pub fn free_route(&self, range: &GroupRange, from: &Route) -> Option<Route> {
        let route_to = |nth| {
            let address = range.address(nth, from.peer.ip())?;
            Some(Route {
                peer: Peer::from(address),
                ..*from
            })
        };
        (0..u32::try_from(MULTICAST_GROUPS).ok()?)
            .map_while(route_to)
            .find(|route| self.find(|group| group.route.peer == route.peer).is_none())
    }

    /// A place for a new group, if there is one.
    pub fn free_place(&self) -> Option<u16> {
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or(self.places.len());
        u16::try_from(place)
            .ok()
            .filter(|_| place < MULTICAST_GROUPS)
    }

    /// Puts a new group into a free place.
    pub fn put(&mut self, id: u16, group: Group<I>) {
        let place = usize::from(id);
        if place >= self.places.len() {
            self.places.resize_with(place + 1, || None);
        }
        if let Some(empty) = self.places.get_mut(place) {
            *empty = Some(group);
        }
    }

    pub fn remove(&mut self, id: u16) -> Option<Group<I>> {
        self.places.get_mut(usize::from(id))?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_a_range_without_overlap() {
        let range = GroupRange {
            v4: Some((Ipv4Addr::new(239, 255, 0, 0), 10)),
            v6: None,
            port: 1758,
            gather: Nanos::ZERO,
        };
        let parts: Vec<_> = (0..4).filter_map(|nth| range.share(nth, 4).v4).collect();
        let expected = [(0, 3), (3, 3), (6, 2), (8, 2)];
        assert_eq!(
            parts,
            expected.map(|(low, count)| (Ipv4Addr::new(239, 255, 0, low), count))
        );
    }

    #[test]
    fn a_range_ends_where_it_says() {
        let range = GroupRange {
            v4: Some((Ipv4Addr::new(239, 255, 0, 7), 2)),
            v6: None,
            port: 1758,
            gather: Nanos::ZERO,
        };
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(
            range.address(1, peer),
            Some("239.255.0.8:1758".parse().expect("an address"))
        );
        assert_eq!(range.address(2, peer), None);
        assert_eq!(range.address(0, IpAddr::V6(Ipv6Addr::LOCALHOST)), None);
    }
}
