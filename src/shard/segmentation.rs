//! Remembers where the kernel would not cut a train into datagrams (GSO).
//! It never forgets within a run: a route that recovers costs a few more calls, not packets.

use core::net::IpAddr;
use std::collections::HashMap;

/// Destinations remembered one by one. Beyond that, trains are worth too little to be tried.
const DESTINATIONS_MAX: usize = 256;

/// The largest segment that an Ethernet frame certainly takes: 1500 - 40 - 8, and what VLAN and
/// tunnel headers need. A larger one may be refused for its size alone.
const SEGMENT_SURE: u16 = 1400;

/// Which (destination, segment size) may be sent as a train.
#[derive(Default)]
pub(super) struct Segmentation {
    /// The smallest segment size that failed.
    refused: HashMap<IpAddr, u16>,
    /// The smallest segment size refused everywhere; 0 while nothing is known.
    ceiling: u16,
}

impl Segmentation {
    pub(super) fn allows(&self, ip: IpAddr, segment: u16) -> bool {
        if self.ceiling != 0 && segment >= self.ceiling {
            return false;
        }
        self.refused.is_empty()
            || self
                .refused
                .get(&ip)
                .is_none_or(|&refused| segment < refused)
    }

    /// After EIO, EINVAL or EMSGSIZE for a train.
    pub(super) fn refuse(&mut self, ip: IpAddr, segment: u16, errno: i32) {
        // EIO comes of the device or of IPsec: no size would do.
        let segment = if errno == libc::EIO { 1 } else { segment };
        if self.refused.len() >= DESTINATIONS_MAX && !self.refused.contains_key(&ip) {
            self.give_up();
        }
        let refused = self.refused.entry(ip).or_insert(segment);
        *refused = segment.min(*refused);
    }

    /// Too many to remember: from now on, what most of them refused is not tried anywhere.
    fn give_up(&mut self) {
        let small = self
            .refused
            .values()
            .filter(|&&segment| segment <= SEGMENT_SURE)
            .count();
        let everywhere = small * 2 >= self.refused.len();
        self.ceiling = if everywhere { 1 } else { SEGMENT_SURE + 1 };
        self.refused.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn ip(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    #[test]
    fn a_refused_size_is_not_tried_again_there() {
        let mut segmentation = Segmentation::default();
        assert!(segmentation.allows(ip(1), 1432));
        segmentation.refuse(ip(1), 1472, libc::EMSGSIZE);
        assert!(!segmentation.allows(ip(1), 1472));
        assert!(segmentation.allows(ip(1), 1432));
        assert!(segmentation.allows(ip(2), 1472));
        segmentation.refuse(ip(1), 1432, libc::EIO);
        assert!(!segmentation.allows(ip(1), 512));
    }

    #[test]
    fn many_refusals_end_it_everywhere() {
        let mut segmentation = Segmentation::default();
        for n in 0..300 {
            segmentation.refuse(ip(n), 1024, libc::EINVAL);
        }
        assert!(!segmentation.allows(ip(9999), 512));
    }

    #[test]
    fn many_jumbo_refusals_leave_ordinary_sizes_alone() {
        let mut segmentation = Segmentation::default();
        for n in 0..300 {
            segmentation.refuse(ip(n), 8196, libc::EMSGSIZE);
        }
        assert!(segmentation.allows(ip(9999), 1400));
        assert!(!segmentation.allows(ip(9999), 8196));
    }
}
