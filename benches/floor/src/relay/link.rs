//! One direction of one client's way: loss, then a narrow link with a finite queue, then distance.
//! Never asks what time it is and never holds a packet: it says when one arrives, or that none does.

use std::collections::VecDeque;
use std::time::Duration;

/// Ethernet's header, checksum, preamble and gap, around an IP packet.
const OVERHEAD: usize = 38;

/// What a way does to packets.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Chance that a packet is lost, from 0 to 1.
    pub loss: f64,
    /// A token bucket that holds one packet; `None`: as fast as they come.
    pub bottleneck: Option<Bottleneck>,
    /// One way.
    pub delay: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct Bottleneck {
    pub bits_per_second: f64,
    /// Packets that may wait, the one on the link included.
    pub queue: usize,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub lost: u64,
    /// Found the queue full.
    pub overflowed: u64,
}

#[derive(Debug)]
pub struct Link {
    habits: Habits,
    chance: Chance,
    /// When each packet in the queue will have left.
    leaving: VecDeque<Duration>,
}

impl Link {
    /// The same seed makes the same decisions about the same packets.
    #[must_use]
    pub fn new(habits: Habits, seed: u64) -> Self {
        Self {
            habits,
            chance: Chance(seed),
            leaving: VecDeque::new(),
        }
    }

    /// When an IP packet of `len` bytes arrives that comes to this link `now`.
    pub fn pass(&mut self, now: Duration, len: usize, counts: &mut Counts) -> Option<Duration> {
        if self.chance.draw() < self.habits.loss {
            counts.lost += 1;
            return None;
        }
        let Some(left) = self.queue(now, len) else {
            counts.overflowed += 1;
            return None;
        };
        counts.passed += 1;
        Some(left + self.habits.delay)
    }

    fn queue(&mut self, now: Duration, len: usize) -> Option<Duration> {
        let Some(link) = self.habits.bottleneck else {
            return Some(now);
        };
        while self.leaving.front().is_some_and(|&at| at <= now) {
            self.leaving.pop_front();
        }
        if self.leaving.len() >= link.queue {
            return None;
        }
        let free = self.leaving.back().copied().unwrap_or(now);
        let bits = ((len + OVERHEAD) * 8) as f64;
        let at = free + Duration::from_secs_f64(bits / link.bits_per_second);
        self.leaving.push_back(at);
        Some(at)
    }
}

/// Numbers that a seed repeats (splitmix64).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    /// From 0 to 1, without 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Bottleneck = Bottleneck {
        bits_per_second: 100e6,
        queue: 16,
    };

    fn habits(loss: f64, bottleneck: Option<Bottleneck>) -> Habits {
        Habits {
            loss,
            bottleneck,
            delay: Duration::from_millis(1),
        }
    }

    #[test]
    fn a_burst_leaves_at_the_rate_and_the_queue_is_finite() {
        let (mut link, mut counts) = (Link::new(habits(0.0, Some(NARROW)), 1), Counts::default());
        let now = Duration::from_secs(5);
        let arrivals: Vec<_> = (0..20)
            .map(|_| link.pass(now, 1_462, &mut counts))
            .collect();
        // 1,500 bytes at 100 Mb/s.
        let packet = Duration::from_micros(120);
        for (nth, arrival) in (1..=16).zip(&arrivals) {
            assert_eq!(
                *arrival,
                Some(now + packet * nth + Duration::from_millis(1))
            );
        }
        assert_eq!(arrivals[16..], [None; 4]);
        assert_eq!(counts.overflowed, 4);
        assert!(link.pass(now + packet, 1_462, &mut counts).is_some());
    }

    #[test]
    fn as_much_is_lost_as_was_asked_for_and_the_same_again() {
        let fates = |seed| {
            let mut link = Link::new(habits(0.05, None), seed);
            let mut counts = Counts::default();
            let fates: Vec<_> = (0..100_000)
                .map(|_| link.pass(Duration::ZERO, 100, &mut counts).is_some())
                .collect();
            (fates, counts.lost)
        };
        let (first, lost) = fates(7);
        assert!((4_700..5_300).contains(&lost), "{lost}");
        assert!(first == fates(7).0 && first != fates(8).0);
    }
}
