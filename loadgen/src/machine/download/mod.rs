//! One transfer of one client: RFC 1350, 2347 to 2349 and 7440, with the habits of its firmware.
//! It never sends and never looks at a clock.

mod content;
mod order;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use ringboot::wire::{Options, Packet, decode};

use self::content::Content;
use super::grant::{self, Granted};
use super::past::Past;
use super::recipe::Recipe;
use super::waits::Waits;
use super::{End, Nanos, Say, Tally};
use crate::content::{FileId, Oracle};
use crate::scenario::{Acks, Stop};

/// What a transfer needs to know beside itself, the same for thousands of them.
pub struct Scene<'a> {
    pub now: Nanos,
    pub recipe: &'a Recipe,
    pub oracle: Option<&'a dyn Oracle>,
    /// Where the request went.
    pub server: IpAddr,
    pub tally: &'a mut Tally,
}

/// A received datagram.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    pub from: SocketAddr,
    /// What was read of it: all, or the head when nobody compares content.
    pub bytes: &'a [u8],
    /// Its length as it was sent.
    pub len: usize,
}

/// What follows from a datagram or from waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaction {
    pub say: Say,
    pub end: Option<End>,
    /// The first DATA has just come.
    pub first_block: bool,
    /// From an ACK to the DATA that answers it, in nanoseconds.
    pub round_trip: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asking,
    Running,
    Over,
}

/// A transfer under way.
#[derive(Debug)]
pub struct Download {
    phase: Phase,
    /// Locked by the server's first answer.
    peer: Option<SocketAddr>,
    /// The block that must come next, counted from 1 and without wrap.
    next: u64,
    blksize: u32,
    window: u16,
    since_ack: u16,
    /// The present gap was already told to the server.
    gap_told: bool,
    granted: Granted,
    content: Content,
    waits: Waits,
    /// Until when a slow client works on what it has, and the ACK that it then sends.
    busy_until: Nanos,
    ack_waiting: Option<u16>,
    ack_at: Nanos,
    /// However it goes, the client has had enough by then.
    give_up_at: Nanos,
    /// When the last new ACK left; none once DATA has answered it.
    acked_at: Option<Nanos>,
    /// The only answers so far were blocks longer than 512 bytes, which nobody had agreed to.
    violated: bool,
    /// Power fails after so many blocks.
    vanish_after: Option<u64>,
}

impl Reaction {
    pub(super) const NOTHING: Self = Self {
        say: Say::Nothing,
        end: None,
        first_block: false,
        round_trip: None,
    };

    const fn say(say: Say) -> Self {
        Self {
            say,
            ..Self::NOTHING
        }
    }

    const fn end(say: Say, end: End) -> Self {
        Self {
            say,
            end: Some(end),
            ..Self::NOTHING
        }
    }
}

impl Download {
    /// The request leaves now. `file` is what the oracle knows of it, with its length.
    #[must_use]
    pub fn begin(now: Nanos, recipe: &Recipe, file: Option<(FileId, u64)>) -> Self {
        let vanish_after = match recipe.habits.stop {
            Stop::Vanish { blocks } => Some(blocks),
            _ => None,
        };
        Self {
            phase: Phase::Asking,
            peer: None,
            next: 1,
            blksize: 512,
            window: 1,
            since_ack: 0,
            gap_told: false,
            granted: Granted::default(),
            content: Content::new(file),
            waits: Waits::begin(now, &recipe.habits.request),
            busy_until: now,
            ack_waiting: None,
            ack_at: now,
            give_up_at: recipe.limit.map_or(Nanos::MAX, |limit| now + limit),
            acked_at: None,
            violated: false,
            vanish_after,
        }
    }

    /// The machine loses power after so many blocks.
    pub const fn vanish_after(&mut self, blocks: u64) {
        self.vanish_after = Some(blocks);
    }

    /// When [`Self::waited`] is due.
    #[must_use]
    pub fn deadline(&self) -> Nanos {
        let next = match self.ack_waiting {
            Some(_) => self.ack_at,
            None => self.waits.deadline,
        };
        next.min(self.give_up_at)
    }

    /// The server's address and port, once it has answered.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    #[must_use]
    pub const fn granted(&self) -> Granted {
        self.granted
    }

    /// What a finished transfer leaves behind.
    #[must_use]
    pub fn past(&self, scene: &Scene<'_>) -> Option<Past> {
        let last = scene.recipe.habits.numbers.on_wire(self.next - 1);
        self.peer.map(|peer| Past::new(peer, last, scene.now))
    }

    /// Whether DATA from a port that an earlier transfer spoke with belongs to that one.
    #[must_use]
    pub fn is_stale(&self, recipe: &Recipe, bytes: &[u8]) -> bool {
        let data = matches!(decode(bytes), Ok(Packet::Data { .. }));
        self.phase == Phase::Asking && data && !recipe.habits.options.is_empty()
    }

    /// The server sent something.
    pub fn handle(&mut self, scene: &mut Scene<'_>, inbound: Inbound<'_>) -> Reaction {
        scene.tally.received += 1;
        if !self.speaks_with(inbound.from, scene) {
            return Self::stranger(scene, inbound);
        }
        match decode(inbound.bytes) {
            Ok(Packet::Data { block, payload }) => {
                let len = inbound
                    .len
                    .saturating_sub(inbound.bytes.len() - payload.len());
                self.data(scene, inbound.from, block, payload, len)
            }
            Ok(Packet::Oack(options)) => self.oack(scene, inbound.from, &options),
            Ok(Packet::Error { code, .. }) => self.over(Say::Nothing, End::Refused(code.0)),
            _ => Reaction::NOTHING,
        }
    }

    /// The deadline has come.
    pub fn waited(&mut self, scene: &mut Scene<'_>) -> Reaction {
        if scene.now >= self.give_up_at {
            return self.over(Say::Nothing, End::TimedOut);
        }
        if let Some(block) = self.ack_waiting.take() {
            self.acked_at = Some(scene.now);
            self.waits.restart(scene.now, &scene.recipe.habits.data);
            return Reaction::say(Say::Ack(block));
        }
        let habits = &scene.recipe.habits;
        let asking = self.phase == Phase::Asking;
        let patience = if asking {
            &habits.request
        } else {
            &habits.data
        };
        if !self.waits.another(scene.now, patience) {
            let end = if self.violated {
                End::Violated
            } else {
                End::TimedOut
            };
            return self.over(Say::Nothing, end);
        }
        if asking {
            scene.tally.requests_repeated += 1;
            return Reaction::say(Say::Request);
        }
        self.repeat_ack(scene)
    }

    fn speaks_with(&self, from: SocketAddr, scene: &Scene<'_>) -> bool {
        match self.peer {
            Some(peer) => peer == from,
            None => scene.recipe.habits.broadcast || from.ip() == scene.server,
        }
    }

    /// RFC 1350, section 4: ERROR to whoever else sends here, without effect on this transfer.
    fn stranger(scene: &mut Scene<'_>, inbound: Inbound<'_>) -> Reaction {
        scene.tally.strangers += 1;
        match decode(inbound.bytes) {
            Ok(Packet::Data { .. } | Packet::Oack(_)) => Reaction::say(Say::UnknownTransfer),
            _ => Reaction::NOTHING,
        }
    }

    fn oack(&mut self, scene: &mut Scene<'_>, from: SocketAddr, options: &Options<'_>) -> Reaction {
        match self.phase {
            Phase::Asking => {}
            // Our ACK 0 was lost, or the OACK crossed a repeated request.
            Phase::Running if self.next == 1 => return self.repeat_ack(scene),
            _ => return Reaction::NOTHING,
        }
        let recipe = scene.recipe;
        let Some(terms) = grant::read(options, &recipe.asked) else {
            return self.over(Say::Error(8), End::Violated);
        };
        if let Some(code) = recipe.habits.strict_oack.filter(|_| !terms.faithful) {
            return self.over(Say::Error(code), End::Violated);
        }
        self.granted = terms.granted;
        self.blksize = terms.granted.blksize.map_or(512, u32::from);
        self.window = terms.granted.windowsize.unwrap_or(1);
        // To any other value than 0 some servers answer with that value (tftp-hpa), which says nothing.
        let honest = recipe
            .habits
            .options
            .iter()
            .any(|ask| ask.name.eq_ignore_ascii_case("tsize") && ask.value == "0");
        self.content.announced(terms.tsize.filter(|_| honest));
        self.lock(scene, from);
        if let Stop::AfterOack { code, .. } = recipe.habits.stop {
            return self.over(Say::Error(code), End::Stopped);
        }
        self.acknowledge(scene, 0)
    }

    fn lock(&mut self, scene: &Scene<'_>, from: SocketAddr) {
        self.phase = Phase::Running;
        self.violated = false;
        self.peer = Some(from);
        self.waits.restart(scene.now, &scene.recipe.habits.data);
    }

    fn data(
        &mut self,
        scene: &mut Scene<'_>,
        from: SocketAddr,
        block: u16,
        payload: &[u8],
        len: usize,
    ) -> Reaction {
        let distance = scene.recipe.habits.numbers.distance(block, self.next);
        if self.phase == Phase::Asking {
            // A leftover of the transfer that had this port before is not an answer.
            if distance != 0 {
                return Reaction::NOTHING;
            }
            // Nor is this, unless nothing better comes.
            if len > self.blksize as usize {
                self.violated = true;
                return Reaction::NOTHING;
            }
            self.lock(scene, from);
        }
        if distance == 0 {
            return self.in_order(scene, payload, len);
        }
        self.out_of_order(scene, distance)
    }

    fn in_order(&mut self, scene: &mut Scene<'_>, payload: &[u8], len: usize) -> Reaction {
        let recipe = scene.recipe;
        if len > self.blksize as usize {
            return self.over(Say::Error(4), End::Violated);
        }
        let whole = payload.len() == len;
        self.content.take(scene, whole.then_some(payload), len);
        scene.tally.blocks += 1;
        scene.tally.bytes += len as u64;
        let first_block = self.next == 1;
        let round_trip = self.acked_at.take().map(|at| scene.now.saturating_sub(at));
        self.next += 1;
        self.since_ack += 1;
        self.gap_told = false;
        let reaction = self.after_block(scene, recipe, len);
        Reaction {
            first_block,
            round_trip,
            ..reaction
        }
    }

    fn after_block(&mut self, scene: &mut Scene<'_>, recipe: &Recipe, len: usize) -> Reaction {
        let arrived = self.next - 1;
        if self.vanish_after.is_some_and(|blocks| arrived >= blocks) {
            return self.over(Say::Nothing, End::Vanished);
        }
        if len < self.blksize as usize {
            let last = recipe.habits.numbers.on_wire(arrived);
            let end = self.content.verdict(recipe.habits.netascii);
            return self.over(Say::Ack(last), end);
        }
        match recipe.habits.stop {
            Stop::AfterOack { code, .. } => return self.over(Say::Error(code), End::Stopped),
            Stop::AfterBlocks { blocks, code, .. } if arrived >= blocks => {
                return self.over(Say::Error(code), End::Stopped);
            }
            _ => {}
        }
        if self.content.is_too_long(self.blksize) || !recipe.habits.numbers.reaches(self.next) {
            return self.over(Say::Error(0), End::WrongLength);
        }
        self.waits.restart(scene.now, &recipe.habits.data);
        if self.since_ack < self.window && recipe.habits.acks != Acks::Every {
            self.busy_for_a_block(scene);
            return Reaction::NOTHING;
        }
        self.acknowledge(scene, arrived)
    }

    /// A new ACK, at once or when a slow client is done with its blocks.
    fn acknowledge(&mut self, scene: &mut Scene<'_>, block: u64) -> Reaction {
        self.since_ack = 0;
        let number = scene.recipe.habits.numbers.on_wire(block);
        if block > 0 && self.busy_for_a_block(scene) {
            self.ack_at = self.busy_until.saturating_sub(scene.recipe.queue_time);
            if self.ack_at > scene.now {
                self.ack_waiting = Some(number);
                return Reaction::NOTHING;
            }
        }
        self.acked_at = Some(scene.now);
        Reaction::say(Say::Ack(number))
    }

    fn busy_for_a_block(&mut self, scene: &Scene<'_>) -> bool {
        let time = scene.recipe.block_time;
        if time == 0 {
            return false;
        }
        self.busy_until = self.busy_until.max(scene.now) + time;
        true
    }

    const fn over(&mut self, say: Say, end: End) -> Reaction {
        self.phase = Phase::Over;
        Reaction::end(say, end)
    }
}
