//! A client's port: datagrams leave one after the other, each after a moment of thought.
//! It never receives.

use ringboot::transfer::Nanos;

use super::Fact;
use super::habits::Habits;
use crate::rng::Rng;

/// What a client did in one step.
#[derive(Debug, Default)]
pub struct Out {
    pub sends: Vec<Outgoing>,
    pub facts: Vec<Fact>,
}

#[derive(Debug)]
pub struct Outgoing {
    pub at: Nanos,
    pub from: u16,
    /// The server's socket: its port.
    pub to: u16,
    pub fetch: u32,
    pub bytes: Vec<u8>,
    /// Sent before, and now again because of a timer.
    pub again: bool,
}

#[derive(Debug)]
pub struct Line {
    pub id: u32,
    pub port: u16,
    /// The next request leaves from the same port.
    pub keep_port: bool,
    rng: Rng,
    think: Nanos,
    stall: Nanos,
    busy_until: Nanos,
}

/// One datagram in so many meets a stalling client.
const STALL_CHANCE: u32 = 10_000;

impl Line {
    pub fn new(id: u32, habits: &Habits, mut rng: Rng) -> Self {
        Self {
            id,
            port: rng.between(1_024, 40_000) as u16,
            keep_port: false,
            rng,
            think: habits.think,
            stall: habits.stall,
            busy_until: Nanos::ZERO,
        }
    }

    pub fn open_port(&mut self) {
        if !std::mem::take(&mut self.keep_port) {
            let forward = self.rng.between(1, 997) as u16;
            self.port = 1_024 + (self.port - 1_024 + forward) % 39_000;
        }
    }

    pub fn send(
        &mut self,
        now: Nanos,
        to: u16,
        fetch: u32,
        bytes: &[u8],
        again: bool,
        out: &mut Out,
    ) {
        let mut at = now.max(self.busy_until) + self.rng.span(self.think);
        if self.stall > Nanos::ZERO && self.rng.chance(STALL_CHANCE) {
            at = at + self.rng.span(self.stall);
        }
        self.busy_until = at;
        out.sends.push(Outgoing {
            at,
            from: self.port,
            to,
            fetch,
            bytes: bytes.to_vec(),
            again,
        });
    }
}
