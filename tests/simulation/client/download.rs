//! One file on its way to a client: asks, reads in order, acknowledges by its habits.
//! It never knows what the file should contain.

use std::collections::BTreeMap;

use ringboot::transfer::Nanos;
use ringboot::wire::{Options, Packet, decode, packet};

use super::habits::{Ask, Closing, Habits, OnGap, OnOld, Slashes};
use super::line::{Line, Out};
use super::oack::{Grant, judge};
use super::{End, Fact, Twist, Wish};
use crate::content::{Kind, Received};

#[derive(Debug)]
pub struct Download {
    pub fetch: u32,
    pub deadline: Nanos,
    wish: Wish,
    asks: Vec<Ask>,
    probing: bool,
    stage: Stage,
    grant: Grant,
    /// The server's port, once it has answered.
    server: Option<u16>,
    /// The next block in order.
    expected: u64,
    /// Blocks since the last ACK.
    fresh: u16,
    /// The gap that was complained about.
    complained: u64,
    hoard: BTreeMap<u64, Vec<u8>>,
    received: Received,
    last_sent: Vec<u8>,
    tries: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asking,
    Reading,
    /// Has everything; there for a repeated last block.
    Dallying,
}

/// How it goes on.
#[derive(Debug)]
pub enum Next {
    Wait,
    End(End),
    /// Knows the size; asks again for the content.
    Probed,
    /// The time after the end is over.
    Dallied,
}

/// Where requests go: the server's listening port.
const LISTENER: u16 = 0;

impl Download {
    pub fn new(fetch: u32, wish: Wish, probe: bool, habits: &Habits) -> Self {
        let probing = probe && habits.probes_with.is_some();
        let mut asks = habits.asks.clone();
        if habits.probes_with.is_some() && !probing {
            asks.retain(|ask| !matches!(ask, Ask::Tsize(_)));
        }
        Self {
            fetch,
            deadline: Nanos::NEVER,
            asks,
            probing,
            stage: Stage::Asking,
            grant: Grant::default(),
            server: None,
            expected: 1,
            fresh: 0,
            complained: 0,
            hoard: BTreeMap::new(),
            received: Received::new(wish.file.clone()),
            wish,
            last_sent: Vec::new(),
            tries: 0,
        }
    }

    pub fn request(&mut self, now: Nanos, habits: &Habits, line: &mut Line, out: &mut Out) {
        let name = match habits.slashes {
            Slashes::Plain => self.wish.file.name.clone(),
            Slashes::Leading => format!("/{}", self.wish.file.name),
            Slashes::Back => format!("\\{}", self.wish.file.name),
        };
        let mode = match self.wish.file.kind {
            Kind::Text { .. } => "netascii",
            _ => "octet",
        };
        let pairs: Vec<_> = self.asks.iter().map(Ask::pair).collect();
        let options = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        packet::encode_request(&mut self.last_sent, false, name.as_bytes(), mode, options);
        self.last_sent.extend_from_slice(habits.junk);
        for _ in 0..habits.request_copies {
            line.send(now, LISTENER, self.fetch, &self.last_sent, false, out);
        }
        self.deadline = now + habits.request_pace.interval(0);
    }

    pub fn timer(&mut self, now: Nanos, habits: &Habits, line: &mut Line, out: &mut Out) -> Next {
        let (pace, to) = match self.stage {
            Stage::Asking => (&habits.request_pace, LISTENER),
            Stage::Reading => (&habits.read_pace, self.server.unwrap_or(LISTENER)),
            Stage::Dallying => return Next::Dallied,
        };
        if self.tries >= pace.tries {
            return Next::End(End::TimedOut);
        }
        self.tries += 1;
        self.deadline = now + pace.interval(self.tries);
        if self.stage == Stage::Asking || habits.resends_acks {
            line.send(now, to, self.fetch, &self.last_sent, true, out);
        }
        Next::Wait
    }

    pub fn datagram(
        &mut self,
        now: Nanos,
        from: u16,
        bytes: &[u8],
        habits: &Habits,
        line: &mut Line,
        out: &mut Out,
    ) -> Next {
        if self.server.is_some_and(|server| server != from) {
            return Next::Wait;
        }
        let mut desk = Desk {
            now,
            from,
            habits,
            line,
            out,
        };
        match decode(bytes) {
            Ok(Packet::Data { block, payload }) => self.data(block, payload, &mut desk),
            Ok(Packet::Oack(options)) => self.oack(&options, &mut desk),
            Ok(Packet::Error { code, .. }) if self.stage != Stage::Dallying => {
                Next::End(End::Refused(code.0))
            }
            _ => Next::Wait,
        }
    }

    fn oack(&mut self, options: &Options<'_>, desk: &mut Desk<'_>) -> Next {
        match self.stage {
            Stage::Asking => {}
            Stage::Reading if self.expected == 1 => {
                // Ours was lost.
                if desk.habits.resends_acks {
                    self.acknowledge(0, desk);
                }
                return Next::Wait;
            }
            _ => return Next::Wait,
        }
        self.server = Some(desk.from);
        match judge(&self.asks, options) {
            Ok(grant) => self.grant = grant,
            Err(what) => {
                desk.wrong(self.fetch, what);
                self.stop(desk.habits.refuses_with, desk);
                return Next::End(End::Stopped);
            }
        }
        if let (true, Some(code)) = (self.probing, desk.habits.probes_with) {
            self.stop(code, desk);
            return Next::Probed;
        }
        self.stage = Stage::Reading;
        self.tries = 0;
        self.acknowledge(0, desk);
        Next::Wait
    }

    fn data(&mut self, wire: u16, payload: &[u8], desk: &mut Desk<'_>) -> Next {
        if self.stage == Stage::Dallying {
            return self.dally(wire, desk);
        }
        if self.stage == Stage::Asking {
            if desk.habits.needs_oack || wire != 1 {
                return Next::Wait;
            }
            self.server = Some(desk.from);
            self.stage = Stage::Reading;
        }
        if payload.len() > usize::from(self.grant.blksize) {
            desk.wrong(self.fetch, format!("a block of {} bytes", payload.len()));
        }
        match ahead(wire, self.expected, self.grant.to_one) {
            0 => self.in_order(payload, desk),
            1.. => self.behind_a_gap(wire, payload, desk),
            _ => self.old(wire, desk),
        }
    }

    fn in_order(&mut self, payload: &[u8], desk: &mut Desk<'_>) -> Next {
        let mut last = self.take(payload);
        while !last {
            let Some(kept) = self.hoard.remove(&self.expected) else {
                break;
            };
            last = self.take(&kept);
        }
        self.tries = 0;
        self.deadline = desk.now + desk.habits.read_pace.interval(0);
        if last {
            return self.complete(desk);
        }
        if let Some(end) = self.twisted(desk) {
            return Next::End(end);
        }
        if self.fresh >= self.grant.windowsize {
            self.acknowledge(self.expected - 1, desk);
        }
        Next::Wait
    }

    /// Takes the block that is next in order; says whether it was the last.
    fn take(&mut self, payload: &[u8]) -> bool {
        self.received.write(payload);
        self.expected += 1;
        self.fresh += 1;
        payload.len() < usize::from(self.grant.blksize)
    }

    fn complete(&mut self, desk: &mut Desk<'_>) -> Next {
        self.acknowledge(self.expected - 1, desk);
        let told = self.grant.tsize.unwrap_or(self.received.travelled());
        if told != self.received.travelled() {
            let travelled = self.received.travelled();
            desk.wrong(self.fetch, format!("tsize {told}, but {travelled} bytes"));
        }
        self.stage = Stage::Dallying;
        if let Closing::Dally(time) = desk.habits.closing {
            self.deadline = desk.now + time;
        }
        Next::End(End::Completed {
            whole: self.received.is_whole(),
        })
    }

    fn behind_a_gap(&mut self, wire: u16, payload: &[u8], desk: &mut Desk<'_>) -> Next {
        if desk.habits.hoards {
            let ahead = ahead(wire, self.expected, self.grant.to_one);
            let block = self.expected + u64::from(ahead.unsigned_abs());
            self.hoard.insert(block, payload.to_vec());
        }
        match desk.habits.on_gap {
            OnGap::Ignore => {}
            OnGap::AckEach => self.acknowledge(self.expected - 1, desk),
            OnGap::AckOnce => self.complain_once(desk),
        }
        Next::Wait
    }

    /// One ACK for a gap, or for a block that came again, until something new comes.
    fn complain_once(&mut self, desk: &mut Desk<'_>) {
        if self.complained != self.expected {
            self.complained = self.expected;
            self.acknowledge(self.expected - 1, desk);
        }
    }

    fn old(&mut self, wire: u16, desk: &mut Desk<'_>) -> Next {
        if desk.habits.put_off {
            self.deadline = desk.now + desk.habits.read_pace.interval(self.tries);
        }
        match desk.habits.on_old {
            OnOld::Ignore => {}
            OnOld::AckOnce => self.complain_once(desk),
            OnOld::AckNewest => self.acknowledge(self.expected - 1, desk),
            OnOld::AckThat => {
                self.acknowledge_wire(wire, desk);
            }
        }
        Next::Wait
    }

    fn dally(&mut self, wire: u16, desk: &mut Desk<'_>) -> Next {
        if ahead(wire, self.expected, self.grant.to_one) == -1 {
            self.acknowledge_wire(wire, desk);
        }
        Next::Wait
    }

    fn twisted(&mut self, desk: &mut Desk<'_>) -> Option<End> {
        let taken = self.expected - 1;
        match self.wish.twist {
            Twist::Vanish { after } if taken >= after => Some(End::Vanished),
            Twist::Swap { after } if taken >= after => Some(End::Swapped),
            Twist::Abort { after } if taken >= after => {
                let code = if desk.habits.bare_errors {
                    taken as u16
                } else {
                    0
                };
                self.stop(code, desk);
                Some(End::Stopped)
            }
            _ => None,
        }
    }

    /// Acknowledges everything up to `block`: the ACK that the timer repeats.
    fn acknowledge(&mut self, block: u64, desk: &mut Desk<'_>) {
        self.fresh = 0;
        if self.grant.variable {
            // Anything from 1 to 40, and another for each block.
            self.grant.windowsize = (block * 7 % 40 + 1) as u16;
        }
        self.last_sent = self.acknowledge_wire(number(block, self.grant.to_one), desk);
        if self.tries == 0 {
            self.deadline = desk.now + desk.habits.read_pace.interval(0);
        }
    }

    fn acknowledge_wire(&self, wire: u16, desk: &mut Desk<'_>) -> Vec<u8> {
        let mut bytes = packet::ack(wire).to_vec();
        if desk.habits.long_acks {
            let next = if self.grant.variable {
                self.grant.windowsize as u8
            } else {
                4
            };
            bytes.push(next);
        }
        let to = self.server.unwrap_or(desk.from);
        desk.line
            .send(desk.now, to, self.fetch, &bytes, false, desk.out);
        bytes
    }

    fn stop(&self, code: u16, desk: &mut Desk<'_>) {
        let mut bytes = vec![0, 5];
        bytes.extend_from_slice(&code.to_be_bytes());
        if !desk.habits.bare_errors {
            bytes.extend_from_slice(b"TFTP Aborted\0");
        }
        desk.line
            .send(desk.now, desk.from, self.fetch, &bytes, false, desk.out);
    }
}

/// What a step works with.
struct Desk<'a> {
    now: Nanos,
    from: u16,
    habits: &'a Habits,
    line: &'a mut Line,
    out: &'a mut Out,
}

impl Desk<'_> {
    fn wrong(&mut self, fetch: u32, what: String) {
        self.out.facts.push(Fact::Wrong { fetch, what });
    }
}

/// The 16 bits of a block's number; after 65,535 comes 0, or 1.
fn number(block: u64, to_one: bool) -> u16 {
    if to_one && block > 0 {
        return ((block - 1) % 65_535) as u16 + 1;
    }
    (block % 65_536) as u16
}

/// How many blocks `wire` is ahead of the expected one.
fn ahead(wire: u16, expected: u64, to_one: bool) -> i32 {
    let period = if to_one { 65_535 } else { 65_536 };
    let distance = i32::from(wire) - i32::from(number(expected, to_one));
    let distance = distance.rem_euclid(period);
    if distance > period / 2 {
        distance - period
    } else {
        distance
    }
}
