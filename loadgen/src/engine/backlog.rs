//! How long a received packet may have waited for us.
//! It never knows when a packet came; it knows when it cannot have been there yet.

use std::collections::VecDeque;

use crate::machine::Nanos;

/// Moments that are remembered; fewer only make the bound less sharp.
const MARKS: usize = 4096;

/// Bounds our own lateness in reading.
pub struct Backlog {
    /// When the sockets were last known to be empty.
    drained_at: Nanos,
    /// Datagrams so far.
    read: u64,
    /// Moments, and how many datagrams had been read by then.
    marks: VecDeque<(Nanos, u64)>,
    /// The last looks, as many as it takes to see every socket.
    looks: VecDeque<Nanos>,
    round: usize,
}

impl Backlog {
    /// After `round` looks every socket was seen.
    pub fn new(now: Nanos, round: usize) -> Self {
        Self {
            drained_at: now,
            read: 0,
            marks: VecDeque::new(),
            looks: VecDeque::new(),
            round: round.max(1),
        }
    }

    /// Nothing waits at this moment.
    pub fn drained(&mut self, now: Nanos) {
        self.drained_at = now;
        self.marks.clear();
    }

    /// A look has ended that began `now`. Unless `more` may wait, nothing was left over by the round
    /// of looks that ends with it: what waits came after its first.
    pub fn looked(&mut self, now: Nanos, more: bool) {
        self.looks.push_back(now);
        if self.looks.len() > self.round {
            self.looks.pop_front();
        }
        if !more && let Some(&first) = self.looks.front() {
            self.drained(first);
        }
    }

    /// So many datagrams were read from `now` on. No more than `most` can have waited at any
    /// moment: what is read later than that came later. Says how late the first of them may be.
    pub fn read(&mut self, now: Nanos, count: u64, most: u64) -> Nanos {
        self.marks.push_back((now, self.read));
        while self.marks.len() > MARKS {
            self.marks.pop_front();
        }
        // The youngest moment at which this packet cannot have waited.
        while let Some(&(_, next)) = self.marks.get(1)
            && next + most <= self.read
        {
            self.marks.pop_front();
        }
        let oldest = self
            .marks
            .front()
            .filter(|(_, read)| read + most <= self.read);
        let since = oldest.map_or(self.drained_at, |&(at, _)| at.max(self.drained_at));
        self.read += count;
        now.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_no_older_than_the_last_empty_moment() {
        let mut backlog = Backlog::new(0, 1);
        assert_eq!(backlog.read(10, 5, 100), 10);
        backlog.drained(20);
        assert_eq!(backlog.read(23, 5, 100), 3);
    }

    #[test]
    fn sockets_that_are_looked_at_in_turn_are_empty_since_the_first_look() {
        let mut backlog = Backlog::new(0, 3);
        for now in [10, 20, 30] {
            backlog.looked(now, now < 30);
        }
        assert_eq!(backlog.read(35, 1, 100), 25);
        backlog.looked(40, false);
        assert_eq!(backlog.read(45, 1, 100), 25);
    }

    #[test]
    fn a_queue_that_never_empties_still_turns_over() {
        let mut backlog = Backlog::new(0, 1);
        // Ten packets wait at most; five are read each 100.
        let late: Vec<Nanos> = (1..=50)
            .map(|turn| backlog.read(turn * 100, 5, 10))
            .collect();
        assert_eq!(late.first(), Some(&100));
        assert_eq!(late.last(), Some(&200));
    }
}
