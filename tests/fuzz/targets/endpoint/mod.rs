//! The bytes play a few clients, the files and the clock against an endpoint.
//! It never judges: `World` takes the endpoint's effects and `Model` knows what is allowed.

mod model;
mod peers;
mod requests;
mod world;

use std::hash::{BuildHasherDefault, DefaultHasher};

use ringboot::endpoint::{Datagram, Endpoint, Opened, Policy, Refusal, Route, SocketId};
use ringboot::limits::{GIVE_UP, GIVE_UP_TIMEOUTS, TIMERS_PER_TURN};
use ringboot::transfer::{BlockRange, Nanos};
use ringboot::wire::{ErrorCode, packet};

use super::input::Input;
use peers::{PEERS, local, peer};
use world::{Content, World};

/// What one input may ask for, so that none takes long.
const OPERATIONS: usize = 200;
const ACKS: usize = 4_000;

/// After this much silence nothing can be left: the longest `timeout` times its patience, and once
/// more because a transfer gives up when it would resend.
const PATIENCE: Nanos = Nanos::from_secs(255 * (GIVE_UP_TIMEOUTS + 1) + 60);
const _: () = assert!(PATIENCE.0 > GIVE_UP.0);

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if let Some(mut play) = Play::begin(&mut input) {
        for _ in 0..OPERATIONS {
            if play.operation(&mut input).is_none() {
                break;
            }
            play.consistent();
        }
        play.end();
    }
}

struct Play {
    endpoint: Endpoint<Content, BuildHasherDefault<DefaultHasher>>,
    world: World,
    now: Nanos,
    max_blksize: u16,
    /// Acknowledgements left for this input.
    acks: usize,
}

impl Play {
    fn begin(input: &mut Input<'_>) -> Option<Self> {
        let mode = input.byte()?;
        let policy = Policy {
            max_windowsize: u16::from(input.byte()?) * if mode & 1 == 0 { 1 } else { 257 },
            max_transfers: usize::from(mode >> 4) + 1,
            ..Policy::default()
        };
        let now = Nanos(1 << (input.byte()? % 62));
        Some(Self {
            endpoint: Endpoint::new(policy, BuildHasherDefault::default(), now),
            world: World::new(mode & 2 != 0, policy, now),
            now,
            max_blksize: input.number()?,
            acks: ACKS,
        })
    }

    fn operation(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 18 {
            0 | 1 => {
                let (client, wish) = (input.byte()?, requests::build(input)?);
                self.request(client, wish);
            }
            2 => {
                let client = input.byte()?;
                let wish = self.world.last_request(client);
                self.request(client, wish);
            }
            3 | 4 => self.open_one(input)?,
            5 => self.open_all(),
            6 => self.ack(input.byte()?, i64::from(input.byte()?.cast_signed())),
            7 => self.acks(input.byte()?, input.byte()?, input.byte()?),
            8 => {
                let (client, wire) = (input.byte()?, input.number()?);
                self.at_data_port(client, &packet::ack(wire));
            }
            9 => {
                let (client, code) = (input.byte()?, input.byte()?);
                self.at_data_port(client, &[0, 5, 0, code, b'x']);
            }
            10 => {
                let (client, place, len) = (input.byte()?, input.byte()?, input.byte()?);
                self.datagram(client, place, input.take(usize::from(len)));
            }
            11 => self.wait(Nanos::from_micros(u64::from(input.number()?) * 100)),
            12 => self.wait_for_timer(),
            13 => self.wait(Nanos::from_secs(u64::from(input.byte()?))),
            14 => {
                let (client, socket) = (input.byte()?, SocketId(u16::from(input.byte()? % 3)));
                let (now, world) = (self.now, &mut self.world);
                self.endpoint.unreachable(now, peer(client), socket, world);
            }
            15 => self.kernel_trouble(input.byte()?),
            16 => self.world.moods(input.byte()?),
            _ => self.farewell(input.byte()?),
        }
        Some(())
    }

    fn request(&mut self, client: u8, wish: Vec<u8>) {
        self.world.remember(client, &wish);
        self.datagram(client, 0, &wish);
    }

    fn at_data_port(&mut self, client: u8, bytes: &[u8]) {
        self.datagram(client, 1, bytes);
    }

    /// Even places are the port that takes requests, odd ones the client's data port, and every
    /// other of these is the data port of somebody else.
    fn datagram(&mut self, client: u8, place: u8, bytes: &[u8]) {
        let single = self.world.single_port;
        let route = Route {
            peer: peer(client),
            local: local(client),
            socket: match place % 4 {
                3 => self.world.foreign_socket(client),
                _ => self.world.data_socket(client),
            },
        };
        let datagram = Datagram {
            route,
            listening: single || place.is_multiple_of(2),
            carries_data: single || !place.is_multiple_of(2),
            max_blksize: self.max_blksize,
            bytes,
        };
        let repeated = self.endpoint.counters().repeated_requests;
        self.world.before(self.now, &datagram);
        self.endpoint.datagram(self.now, &datagram, &mut self.world);
        let repeated = self.endpoint.counters().repeated_requests - repeated;
        self.world.after(repeated);
    }

    /// The newest block, or one a little before or behind it.
    fn ack(&mut self, client: u8, offset: i64) {
        let Some(wire) = self.world.newest_block(client, offset) else {
            return;
        };
        self.at_data_port(client, &packet::ack(wire));
    }

    /// A client that gets on well for a while.
    fn acks(&mut self, client: u8, count: u8, pace: u8) {
        for _ in 0..usize::from(count) * 4 {
            if self.acks == 0 || self.world.newest_block(client, 0).is_none() {
                return;
            }
            self.acks -= 1;
            self.now = self.now + Nanos::from_micros(u64::from(pace) * 50);
            self.ack(client, 0);
        }
    }

    fn open_one(&mut self, input: &mut Input<'_>) -> Option<()> {
        let (which, answer) = (input.byte()?, input.byte()?);
        if let Some(ticket) = self.world.take_pending(which) {
            self.opened(ticket, answer);
        }
        Some(())
    }

    fn open_all(&mut self) {
        while let Some(ticket) = self.world.take_pending(0) {
            self.opened(ticket, 0);
        }
    }

    /// Answers below 200 are success; a file's size is in its name.
    fn opened(&mut self, ticket: ringboot::endpoint::Ticket, answer: u8) {
        if answer < 200 {
            let (image, size) = self.world.open_content(ticket, self.now);
            let opened = Opened { image, size };
            self.endpoint
                .opened(self.now, ticket, Ok(opened), &mut self.world);
        } else {
            let refusal = Refusal {
                code: ErrorCode(u16::from(answer - 200)),
                text: "no",
                reason: "the input says so",
            };
            self.endpoint
                .opened(self.now, ticket, Err(refusal), &mut self.world);
        }
    }

    fn wait(&mut self, span: Nanos) {
        self.now = self.now + span;
        self.advance();
    }

    fn wait_for_timer(&mut self) {
        if let Some(deadline) = self.endpoint.next_deadline() {
            self.now = self.now.max(deadline);
            self.advance();
        }
    }

    fn advance(&mut self) {
        self.world.time_passes(self.now);
        // A turn handles a bounded number of timers, stale ones included.
        for _ in 0..1 + ACKS / TIMERS_PER_TURN {
            self.endpoint.advance(self.now, &mut self.world);
        }
        let next = self.endpoint.next_deadline();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a timer was left that is due"
        );
    }

    /// The kernel had no room for the last train of a transfer, or could not read its file.
    fn kernel_trouble(&mut self, which: u8) {
        let Some((ticket, blocks)) = self.world.some_train(which) else {
            return;
        };
        if which.is_multiple_of(2) {
            self.world.repeating(ticket);
            let blocks = BlockRange { ..blocks };
            self.endpoint
                .repeat(self.now, ticket, blocks, &mut self.world);
            self.world.repeated();
        } else {
            self.endpoint.unreadable(self.now, ticket, &mut self.world);
            assert!(!self.world.is_active(ticket));
        }
    }

    fn farewell(&mut self, how: u8) {
        if how.is_multiple_of(4) {
            self.endpoint.abort_all(self.now, &mut self.world);
            assert_eq!(self.endpoint.active(), 0);
        } else if how % 4 == 1 {
            self.world.draining = true;
            self.endpoint.drain();
        }
    }

    /// What can be seen from outside of table, slab and wheel.
    fn consistent(&self) {
        assert_eq!(self.endpoint.active(), self.world.active());
        if self.world.any_reading() {
            assert!(
                self.endpoint.next_deadline().is_some(),
                "a transfer without a timer"
            );
        }
    }

    /// Everybody falls silent: nothing may be left.
    fn end(mut self) {
        for late in 0..PEERS {
            // Late answers of the disk: one to a ticket of long ago, the rest to those who wait.
            self.opened_late(late);
        }
        self.open_all();
        let last = self.now + PATIENCE;
        while let Some(deadline) = self.endpoint.next_deadline().filter(|_| self.now < last) {
            // Half a second at a time: 30 s of 10 ms timeouts are for the tests of `transfer`.
            self.now = deadline.max(self.now + Nanos::from_millis(500));
            self.advance();
            self.consistent();
        }
        assert_eq!(
            self.endpoint.active(),
            0,
            "a transfer outlived all patience"
        );
        assert_eq!(
            self.endpoint.next_deadline(),
            None,
            "a timer without a transfer"
        );
        self.world.end();
    }

    fn opened_late(&mut self, which: u8) {
        let Some(ticket) = self.world.former_ticket(which) else {
            return;
        };
        let (image, size) = self.world.spare_content();
        self.endpoint.opened(
            self.now,
            ticket,
            Ok(Opened { image, size }),
            &mut self.world,
        );
    }
}
