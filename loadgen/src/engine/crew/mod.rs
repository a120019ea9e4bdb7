//! The machines of one thread: what each one is doing, and what it wants to send.
//! It never receives or sends: the worker moves packets between it and the link.

mod jobs;
mod packets;
mod seat;

use std::collections::VecDeque;

use seat::Seat;

use super::held::Held;
use super::lanes::Lanes;
use super::link::Route;
use super::shared::Shared;
use super::timers::Timers;
use crate::impair::Impaired;
use crate::machine::Nanos;
use crate::measure::Recorder;

/// A packet that waits for the link.
pub struct Outgoing {
    pub route: Route,
    body: Body,
}

enum Body {
    Small([u8; 4]),
    /// A stretch of the crew's text buffer.
    Text(std::ops::Range<usize>),
}

pub struct Crew<'a> {
    shared: &'a Shared,
    /// This thread's number; machine `m` of the run sits at `m / threads` of thread `m % threads`.
    thread: u32,
    seats: Vec<Seat>,
    lanes: Lanes,
    timers: Timers,
    held: Held,
    impaired: Impaired,
    impairs: bool,
    pub recorder: Recorder,
    pub now: Nanos,
    /// Machines with nothing to do, in an open load.
    idle: VecDeque<u32>,
    /// Starts that found no idle machine.
    overdue: VecDeque<(Nanos, Option<usize>)>,
    /// Jobs under way.
    busy: usize,
    out: Vec<Outgoing>,
    text: Vec<u8>,
}

impl<'a> Crew<'a> {
    pub fn new(shared: &'a Shared, thread: u32, lanes: Lanes) -> Self {
        let machines = shared.machines;
        let seats = (thread..machines).step_by(shared.threads as usize);
        let spread = |machine: u32| match &lanes {
            Lanes::Shared { count } => machine % count,
            Lanes::Owned { .. } => 0,
        };
        let seats: Vec<Seat> = seats.map(|machine| Seat::new(spread(machine))).collect();
        Self {
            thread,
            idle: (0..seats.len() as u32).collect(),
            seats,
            lanes,
            timers: Timers::default(),
            held: Held::default(),
            impaired: Impaired::default(),
            impairs: !shared.impairment.spares_packets(),
            recorder: Recorder::new(shared.step_count()),
            now: 0,
            overdue: VecDeque::new(),
            busy: 0,
            out: Vec::with_capacity(1024),
            text: Vec::new(),
            shared,
        }
    }

    /// The number of a seat's machine over the whole run.
    fn machine(&self, seat: u32) -> u32 {
        seat * self.shared.threads + self.thread
    }

    /// Whether anything is still under way.
    pub fn is_busy(&self) -> bool {
        self.busy > 0 || !self.overdue.is_empty()
    }

    pub fn impaired(&self) -> Impaired {
        self.impaired
    }

    /// When something is due without a packet.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let next = [self.timers.next(), self.held.next()];
        next.into_iter().flatten().min()
    }

    /// Hands over all packets that wait.
    pub fn drain(&mut self, mut send: impl FnMut(Route, &[u8])) {
        self.recorder.totals.tally.sent += self.out.len() as u64;
        for outgoing in self.out.drain(..) {
            match &outgoing.body {
                Body::Small(bytes) => send(outgoing.route, bytes),
                Body::Text(range) => {
                    send(outgoing.route, self.text.get(range.clone()).unwrap_or(&[]));
                }
            }
        }
        self.text.clear();
    }

    /// Makes sure that the seat's next deadline is known to the timers.
    fn arm(&mut self, seat: u32) {
        if let Some(place) = self.seats.get_mut(seat as usize) {
            let due = place.due();
            if due < place.armed {
                place.armed = due;
                self.timers.add(due, seat);
            }
        }
    }

    /// Everything whose time has come; says whether there was anything.
    pub fn tick(&mut self) -> bool {
        let mut any = false;
        while let Some(packet) = self.held.pop(self.now) {
            self.release(packet);
            any = true;
        }
        while let Some((due, seat)) = self.timers.pop(self.now) {
            let Some(place) = self.seats.get_mut(seat as usize) else {
                continue;
            };
            if place.armed != due {
                continue;
            }
            place.armed = Nanos::MAX;
            let due = place.due();
            if due <= self.now {
                any = true;
                self.recorder
                    .sample
                    .lateness
                    .saturating_record(self.now - due);
                self.waited(seat);
            }
            self.arm(seat);
        }
        any
    }
}
