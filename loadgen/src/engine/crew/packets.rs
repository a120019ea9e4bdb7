//! Packets: from the link to their machine, and what that machine says to them.
//! It never starts or ends a job by itself.

use std::net::SocketAddr;

use ringboot::wire::packet::{ErrorPacket, ack};
use ringboot::wire::{ErrorCode, Packet, decode};

use super::jobs::{recipe_of, scene};
use super::{Body, Crew, Outgoing};
use crate::engine::held::HeldPacket;
use crate::engine::link::{Datagram, Lane, Route};
use crate::impair::{Direction, Fate, Position};
use crate::machine::{End, Inbound, Recipe, Say};
use crate::sources::Sources;

/// Which of its machine's transfers a packet belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transfer {
    Present,
    Past,
}

impl Crew<'_> {
    /// A datagram has come.
    pub fn take(&mut self, datagram: Datagram<'_>) {
        let Some(seat) = self.seat_of(&datagram) else {
            self.recorder.totals.tally.received += 1;
            self.recorder.totals.tally.strangers += 1;
            return;
        };
        let Datagram {
            lane,
            from,
            bytes,
            len,
            ..
        } = datagram;
        let inbound = Inbound { from, bytes, len };
        if !self.impairs {
            return self.deliver(seat, lane, inbound);
        }
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        // On another socket, or from another port, it belongs to a transfer that is over.
        let download = place.download.as_ref().filter(|_| place.lane == lane);
        let present = download.is_some_and(|it| it.peer().is_none_or(|peer| peer == from));
        let position = place
            .weather
            .position(Direction::In, present.then_some(bytes));
        let fate = self.fate(seat, Direction::In, position);
        if fate.lost {
            return;
        }
        for _ in 0..=u8::from(fate.doubled) {
            if fate.held == 0 {
                self.deliver(seat, lane, inbound);
            } else {
                let packet = HeldPacket::In {
                    machine: seat,
                    lane,
                    from,
                    bytes: bytes.into(),
                    len,
                };
                self.held.add(self.now + fate.held, packet);
            }
        }
    }

    fn seat_of(&self, datagram: &Datagram<'_>) -> Option<u32> {
        let Sources::Addresses(range) = &self.shared.sources else {
            return self.lanes.owner(datagram.lane);
        };
        let machine = range.machine(datagram.local?)?;
        let threads = self.shared.threads;
        (machine % threads == self.thread).then_some(machine / threads)
    }

    /// A packet that was held back goes on.
    pub(super) fn release(&mut self, packet: HeldPacket) {
        match packet {
            HeldPacket::In {
                machine,
                lane,
                from,
                bytes,
                len,
            } => {
                let inbound = Inbound {
                    from,
                    bytes: &bytes,
                    len,
                };
                self.deliver(machine, lane, inbound);
            }
            HeldPacket::Out { route, bytes } => {
                let body = self.text_body(|text| text.extend_from_slice(&bytes));
                self.out.push(Outgoing { route, body });
            }
        }
    }

    fn deliver(&mut self, seat: u32, lane: Lane, inbound: Inbound<'_>) {
        let shared = self.shared;
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let recipe = recipe_of(&shared.jobs, place.job, place.boot.step());
        let known = place.knows(inbound.from) && inbound.from.port() != shared.server.port();
        let past = place
            .past
            .filter(|(at, past)| *at == lane && past.is_from(inbound.from));
        let current = place.download.as_mut().filter(|_| place.lane == lane);
        let (Some(recipe), Some(download)) = (recipe, current) else {
            return self.late(seat, lane, inbound);
        };
        // Ports are used again sooner than real machines would: DATA of an earlier transfer is no
        // answer to a request that an OACK should answer.
        if known && download.is_stale(recipe, inbound.bytes) {
            return self.late(seat, lane, inbound);
        }
        // The same port speaks with two ports of the server: one is of the transfer before.
        if past.is_some() && download.peer().is_some_and(|peer| peer != inbound.from) {
            return self.late(seat, lane, inbound);
        }
        let mut scene = scene(shared, recipe, self.now, &mut self.recorder.totals.tally);
        let reaction = download.handle(&mut scene, inbound);
        if place.counted {
            let sample = &mut self.recorder.sample;
            if reaction.first_block {
                let took = self.now.saturating_sub(place.transfer_from);
                sample.first_byte.saturating_record(took);
            }
            if let Some(nanos) = reaction.round_trip {
                sample.block.saturating_record(nanos);
            }
        }
        let due = place.due();
        if due < place.armed {
            place.armed = due;
            self.timers.add(due, seat);
        }
        if reaction.say != Say::Nothing {
            self.say(seat, recipe, reaction.say, Some(inbound.from));
        }
        if let Some(end) = reaction.end {
            let served = matches!(reaction.say, Say::Ack(_));
            if served && recipe.habits.farewell.is_some() {
                self.say(seat, recipe, Say::Farewell, Some(inbound.from));
            }
            if let End::Refused(code) = end {
                self.note_error(code, inbound.bytes);
            }
            self.transfer_over(seat, recipe, end);
        }
    }

    /// A packet for a transfer that is over.
    fn late(&mut self, seat: u32, lane: Lane, inbound: Inbound<'_>) {
        self.recorder.totals.tally.received += 1;
        let place = self.seats.get(seat as usize);
        let past = place.and_then(|place| place.past);
        let Some((_, past)) = past.filter(|(at, past)| *at == lane && past.is_from(inbound.from))
        else {
            self.recorder.totals.tally.strangers += 1;
            return self.unwanted(seat, lane, inbound);
        };
        let Say::Ack(block) = past.handle(self.now, inbound.bytes) else {
            return;
        };
        let tally = &mut self.recorder.totals.tally;
        tally.duplicates += 1;
        tally.acks_repeated += 1;
        let route = self.route(seat, lane, inbound.from);
        self.dispatch(seat, route, Body::Small(ack(block)), Transfer::Past);
    }

    /// Nobody listens on this port any more: the server must hear of it, or an answer to a repeated
    /// request would still be on its way when the machine uses the port again. Real machines send
    /// ICMP, which sockets that stay open do not.
    fn unwanted(&mut self, seat: u32, lane: Lane, inbound: Inbound<'_>) {
        let vanished = self
            .seats
            .get(seat as usize)
            .is_some_and(|seat| seat.vanished);
        if !vanished
            && matches!(
                decode(inbound.bytes),
                Ok(Packet::Data { .. } | Packet::Oack(_))
            )
        {
            let route = self.route(seat, lane, inbound.from);
            let body = self.error_body(5, "unknown transfer ID");
            self.dispatch(seat, route, body, Transfer::Past);
        }
    }

    fn note_error(&mut self, code: u16, bytes: &[u8]) {
        if let Ok(Packet::Error { text, .. }) = decode(bytes) {
            self.recorder.error(code, text);
        }
    }

    /// Queues what a machine says, to this port of the server or to the one for requests.
    pub(super) fn say(&mut self, seat: u32, recipe: &Recipe, say: Say, to: Option<SocketAddr>) {
        let body = match say {
            Say::Nothing => return,
            Say::Ack(block) => Body::Small(ack(block)),
            Say::Request => {
                let identity = self.shared.identity(self.machine(seat));
                let name = recipe.name_for(&identity);
                self.text_body(|text| recipe.encode(&name, text))
            }
            Say::Error(code) => self.error_body(code, recipe.parting_words()),
            Say::Farewell => match &recipe.habits.farewell {
                Some(words) => self.error_body(words.code, &words.text),
                None => return,
            },
            Say::UnknownTransfer => self.error_body(5, "unknown transfer ID"),
        };
        let broadcast = recipe.habits.broadcast && matches!(say, Say::Request | Say::Ack(_));
        let mut to = match (say, to) {
            (Say::Request, _) | (_, None) => self.shared.server,
            (_, Some(peer)) => peer,
        };
        if broadcast {
            // Requests to the server's port, ACKs to that of the transfer.
            let port = if say == Say::Request {
                self.shared.broadcast.port()
            } else {
                to.port()
            };
            to = SocketAddr::new(self.shared.broadcast.ip(), port);
        }
        let lane = self.seats.get(seat as usize).map_or(0, |place| place.lane);
        let route = self.route(seat, lane, to);
        self.dispatch(seat, route, body, Transfer::Present);
    }

    fn error_body(&mut self, code: u16, words: &str) -> Body {
        let packet = ErrorPacket::new(ErrorCode(code), words);
        self.text_body(|text| text.extend_from_slice(packet.as_bytes()))
    }

    fn route(&self, seat: u32, lane: Lane, to: SocketAddr) -> Route {
        let source = match &self.shared.sources {
            sources @ Sources::Addresses(_) => sources.address(self.machine(seat)),
            // Its socket knows.
            Sources::Ports(_) => None,
        };
        Route { lane, source, to }
    }

    fn dispatch(&mut self, seat: u32, route: Route, body: Body, transfer: Transfer) {
        if !self.impairs {
            self.out.push(Outgoing { route, body });
            return;
        }
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return;
        };
        let bytes = match &body {
            Body::Small(bytes) => &bytes[..],
            Body::Text(range) => self.text.get(range.clone()).unwrap_or(&[]),
        };
        let bytes = (transfer == Transfer::Present).then_some(bytes);
        let position = place.weather.position(Direction::Out, bytes);
        let fate = self.fate(seat, Direction::Out, position);
        if fate.lost {
            return;
        }
        for _ in 0..=u8::from(fate.doubled) {
            let body = match &body {
                Body::Small(bytes) => Body::Small(*bytes),
                Body::Text(range) => Body::Text(range.clone()),
            };
            if fate.held == 0 {
                self.out.push(Outgoing { route, body });
                continue;
            }
            let bytes = match body {
                Body::Small(bytes) => bytes.into(),
                Body::Text(range) => self.text.get(range).unwrap_or(&[]).into(),
            };
            self.held
                .add(self.now + fate.held, HeldPacket::Out { route, bytes });
        }
    }

    fn fate(&mut self, seat: u32, direction: Direction, position: Position) -> Fate {
        let machine = self.machine(seat);
        let Some(place) = self.seats.get_mut(seat as usize) else {
            return Fate::default();
        };
        let chance = self.shared.chance(machine, place.transfers);
        let impairment = &self.shared.impairment;
        let fate = impairment.decide(chance, direction, position, &mut place.weather);
        self.impaired.note(chance, direction, position, fate);
        fate
    }
}
