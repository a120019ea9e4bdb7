//! Deadlines of a thread's machines: a heap with lazy entries.
//! An ACK only stores a new deadline in its machine; the heap hears of it when the old one comes
//! up. It never holds more than one live entry for each machine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::machine::Nanos;

#[derive(Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Nanos, u32)>>,
}

impl Timers {
    pub fn add(&mut self, due: Nanos, machine: u32) {
        self.heap.push(Reverse((due, machine)));
    }

    pub fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// The entry that is due now.
    pub fn pop(&mut self, now: Nanos) -> Option<(Nanos, u32)> {
        let Reverse((due, _)) = self.heap.peek()?;
        if *due > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
