//! A switch's port: a link that takes a while for each byte, and a queue in front of it that is not
//! long. What finds the queue full is dropped.
//!
//! It never knows whose a datagram is.

use std::collections::VecDeque;

use ringboot::transfer::Nanos;

/// The narrowest link of a network.
#[derive(Debug, Clone, Copy)]
pub struct Bottleneck {
    /// Nanoseconds for each byte: 8 at a gigabit a second.
    pub byte_time: u64,
    /// Datagrams that may wait, the one on the link included.
    pub queue: usize,
    /// All clients are behind one such link; otherwise each has its own.
    pub shared: bool,
}

impl Bottleneck {
    /// A link of so many megabits a second.
    pub const fn new(megabits: u64, queue: usize) -> Self {
        Self {
            byte_time: 8_000 / megabits,
            queue,
            shared: false,
        }
    }

    /// How long the last datagram of a full queue waits.
    pub fn longest_wait(&self) -> Nanos {
        Nanos(self.byte_time * (1_500 + OVERHEAD)).times(self.queue as u64)
    }
}

/// Ethernet, IP and UDP headers, preamble and gap.
const OVERHEAD: u64 = 66;

#[derive(Debug)]
pub struct Switch {
    link: Bottleneck,
    /// When each datagram in the queue will have left.
    leaving: VecDeque<Nanos>,
}

impl Switch {
    pub const fn new(link: Bottleneck) -> Self {
        Self {
            link,
            leaving: VecDeque::new(),
        }
    }

    /// When a datagram of `len` bytes that arrives `now` has left; `None` where it is dropped.
    pub fn pass(&mut self, now: Nanos, len: usize) -> Option<Nanos> {
        while self.leaving.front().is_some_and(|&at| at <= now) {
            self.leaving.pop_front();
        }
        if self.leaving.len() >= self.link.queue {
            return None;
        }
        let free = self.leaving.back().copied().unwrap_or(now).max(now);
        let at = free + Nanos(self.link.byte_time * (len as u64 + OVERHEAD));
        self.leaving.push_back(at);
        Some(at)
    }
}
