//! One transfer as its packets show it: every train is checked against what the client may have.
//! It never asks the core: it counts for itself.

use ringboot::endpoint::{Ticket, Train};
use ringboot::limits::{
    BURST_MIN, PACE_GAP, RETRY_CEILING, RETRY_FLOOR, RETRY_INITIAL, UNPROVEN_DATA, UNPROVEN_OACKS,
};
use ringboot::transfer::{Nanos, Rollover};
use ringboot::wire::{OptionName, Options};

use super::Cause;
use super::fetch::Fetch;

#[derive(Debug)]
pub struct Live {
    pub ticket: Ticket,
    pub fetch: u32,
    pub size: u64,
    /// There was room to have the file opened.
    pub queued: bool,
    /// Requests that arrived for it.
    pub requests: u32,
    /// The client sent an ERROR.
    pub stopped: bool,
    /// Datagrams lost, doubled, overtaken or repeated by the client, in both directions.
    pub harms: u32,
    /// Blocks that had to wait for the disk.
    pub parked: u32,
    /// Among them those that a full socket had put off before.
    pub joined: u32,
    pub lost: u32,
    /// Blocks sent more than once, as the report should say.
    pub resends: u32,
    /// Trains with blocks sent before, sent because of an ACK.
    pub fills: u32,
    /// Trains sent because of a timer, while the client was there.
    pub timeouts: u32,
    /// Those while nobody was there any more.
    pub late_timeouts: u32,
    pub blocks: u64,
    oack: bool,
    oack_accepted: bool,
    proven: bool,
    /// Datagrams sent to a peer that had proved nothing.
    unproven_sends: u32,
    pub windowsize: u64,
    /// The largest window so far.
    widest: u64,
    /// The client chooses each window.
    variable: bool,
    blksize: u64,
    rollover: Rollover,
    ceiling: Nanos,
    acked: u64,
    newest: u64,
    /// Last block of the newest train.
    flown: u64,
    /// Blocks in the first burst of the newest flight.
    leading: u32,
    last_send: Nanos,
    /// Timeouts since the last progress.
    streak: u32,
}

impl Live {
    pub fn new(now: Nanos, ticket: Ticket, fetch: u32, size: u64, queued: bool) -> Self {
        Self {
            ticket,
            fetch,
            size,
            queued,
            requests: 1,
            stopped: false,
            harms: 0,
            parked: 0,
            joined: 0,
            lost: 0,
            resends: 0,
            fills: 0,
            timeouts: 0,
            late_timeouts: 0,
            blocks: 0,
            oack: false,
            oack_accepted: false,
            proven: false,
            unproven_sends: 0,
            windowsize: 1,
            widest: 1,
            variable: false,
            blksize: 512,
            rollover: Rollover::ToZero,
            ceiling: RETRY_CEILING,
            acked: 0,
            newest: 0,
            flown: 0,
            leading: 0,
            last_send: now,
            streak: 0,
        }
    }

    /// An ACK is about to reach the endpoint.
    pub fn acknowledged(&mut self, wire: u16, next: Option<u8>) {
        if let Some(next) = next.filter(|_| self.variable) {
            let newest = self.number(self.newest);
            let ahead = newest.wrapping_sub(wire);
            if u64::from(ahead) <= self.newest - self.acked {
                self.windowsize = u64::from(next.max(1));
                self.widest = self.widest.max(self.windowsize);
            }
        }
        if self.oack && !self.oack_accepted {
            if wire == 0 {
                self.oack_accepted = true;
                self.progress();
            }
            return;
        }
        let candidates = self.acked + 1..=self.newest;
        if let Some(block) = candidates.rev().find(|&block| self.number(block) == wire) {
            self.acked = block;
            self.flown = self.flown.max(block);
            self.progress();
        }
    }

    const fn progress(&mut self) {
        self.proven = true;
        self.streak = 0;
    }

    fn number(&self, block: u64) -> u16 {
        match self.rollover {
            Rollover::ToOne if block > 0 => ((block - 1) % 65_535 + 1) as u16,
            _ => (block % 65_536) as u16,
        }
    }

    /// The OACK goes out, for the first time or again.
    pub fn oack(
        &mut self,
        now: Nanos,
        cause: Cause,
        len: usize,
        options: &Options<'_>,
    ) -> Result<(), String> {
        if len > 512 {
            return Err(format!("an OACK of {len} bytes"));
        }
        if self.stopped || self.oack_accepted || self.newest > 0 {
            return Err("an OACK after the transfer had begun or ended".to_owned());
        }
        self.oack = true;
        self.learn(options);
        self.timer_check(now, cause)?;
        self.last_send = now;
        self.unproven_send(u32::from(UNPROVEN_OACKS))
    }

    fn learn(&mut self, options: &Options<'_>) {
        let number = |name| {
            let text = std::str::from_utf8(options.get(name)?).ok()?;
            text.parse::<u64>().ok()
        };
        let blksize = number(OptionName::Blksize).or(number(OptionName::Blksize2));
        self.blksize = blksize.unwrap_or(512);
        self.windowsize = number(OptionName::Windowsize).unwrap_or(1);
        self.widest = self.windowsize;
        self.variable = number(OptionName::Msftwindow) == Some(27_182);
        if number(OptionName::Rollover) == Some(1) {
            self.rollover = Rollover::ToOne;
        }
        let seconds = number(OptionName::Timeout).map(Nanos::from_secs);
        let micros = number(OptionName::Utimeout).map(Nanos::from_micros);
        self.ceiling = seconds.or(micros).unwrap_or(RETRY_CEILING);
    }

    /// Blocks go out.
    pub fn train(
        &mut self,
        now: Nanos,
        cause: Cause,
        train: &Train,
        open: bool,
    ) -> Result<(), String> {
        let (first, last) = (train.blocks.first, train.blocks.last());
        self.blocks += u64::from(train.blocks.count);
        self.shape_check(cause, train)?;
        if cause == Cause::Repeat {
            return Ok(());
        }
        let repeated = (self.newest + 1)
            .saturating_sub(first)
            .min(u64::from(train.blocks.count));
        let cause = self.burst_check(now, cause, train)?;
        self.timer_check(now, cause)?;
        if !self.proven {
            if train.blocks.count != 1 {
                return Err("a window for a peer that has proved nothing".to_owned());
            }
            self.unproven_send(u32::from(UNPROVEN_DATA))?;
        }
        self.leading = match cause {
            Cause::Burst => self.leading,
            Cause::Loaded => self.leading.max(train.blocks.count),
            _ => train.blocks.count,
        };
        match cause {
            Cause::Timer if open => self.timeouts += 1,
            Cause::Timer => self.late_timeouts += 1,
            // A resend that had to wait for the disk.
            Cause::Loaded if repeated > 0 => self.late_timeouts += 1,
            Cause::Ack if repeated > 0 => self.fills += 1,
            _ => {}
        }
        if cause == Cause::Ack && repeated > 0 && self.windowsize == 1 && !self.variable {
            return Err("a duplicate ACK caused DATA".to_owned());
        }
        self.resends += repeated as u32;
        self.newest = self.newest.max(last);
        self.flown = last;
        self.last_send = now;
        Ok(())
    }

    /// A timer may send the next burst of a window that has left in part: it follows the one before,
    /// not sooner than promised, and is no resend by timer.
    fn burst_check(&self, now: Nanos, cause: Cause, train: &Train) -> Result<Cause, String> {
        let first = train.blocks.first;
        let window_end = (self.acked + self.windowsize).min(self.size / self.blksize + 1);
        let follows = first == self.flown + 1 && first > self.acked && first <= window_end;
        if cause != Cause::Timer || !self.proven || !follows {
            return Ok(cause);
        }
        let waited = now - self.last_send;
        if waited < PACE_GAP {
            return Err(format!("a burst {waited:?} after the one before it"));
        }
        // What waited for the disk joined other trains; and a window that the client chose larger may
        // have grown meanwhile.
        let steady = self.parked == 0 && !self.variable;
        if steady && train.blocks.count > self.leading.max(u32::from(BURST_MIN)) {
            return Err(format!(
                "a burst of {} blocks after one of {}",
                train.blocks.count, self.leading
            ));
        }
        Ok(Cause::Burst)
    }

    /// Whether the client may be sent these blocks at all.
    fn shape_check(&self, cause: Cause, train: &Train) -> Result<(), String> {
        let (first, last) = (train.blocks.first, train.blocks.last());
        let final_block = self.size / self.blksize + 1;
        if self.stopped {
            return Err("DATA after the client's ERROR".to_owned());
        }
        if self.oack && !self.oack_accepted {
            return Err("DATA before ACK 0".to_owned());
        }
        if u64::from(train.blksize) != self.blksize {
            return Err(format!(
                "blocks of {} bytes, {} granted",
                train.blksize, self.blksize
            ));
        }
        if train.rollover != self.rollover {
            return Err("block numbers wrap otherwise than granted".to_owned());
        }
        if train.blocks.count == 0 || last > self.acked + self.windowsize && cause != Cause::Repeat
        {
            let acked = self.acked;
            return Err(format!(
                "blocks {first} to {last}, but {acked} is acknowledged"
            ));
        }
        if last > final_block {
            return Err(format!("block {last} of {final_block}"));
        }
        let follows = match cause {
            Cause::Timer if first == self.flown + 1 => true,
            // Blocks that a full socket had put off may have joined those that waited for the disk.
            Cause::Loaded => (self.acked + 1..=self.newest + 1).contains(&first),
            _ => first == self.acked + 1 || first == self.newest + 1,
        };
        if !follows && cause != Cause::Repeat {
            return Err(format!("block {first} follows nothing"));
        }
        Ok(())
    }

    /// Resends by timer back off exponentially, from the floor to the ceiling.
    fn timer_check(&mut self, now: Nanos, cause: Cause) -> Result<(), String> {
        if cause != Cause::Timer {
            return Ok(());
        }
        let shortest = if self.proven {
            RETRY_FLOOR
        } else {
            RETRY_INITIAL
        };
        let needed = shortest.times(1 << self.streak.min(20)).min(self.ceiling);
        self.streak += 1;
        let waited = now - self.last_send;
        if waited < needed {
            return Err(format!("resent after {waited:?}, {needed:?} is the least"));
        }
        Ok(())
    }

    /// One datagram for each request that arrived, and a few by timer.
    fn unproven_send(&mut self, by_timer: u32) -> Result<(), String> {
        self.unproven_sends += 1;
        if self.unproven_sends > self.requests + by_timer {
            return Err(format!(
                "{} datagrams for an unproven peer",
                self.unproven_sends
            ));
        }
        Ok(())
    }

    /// Resends are bounded by what was lost, late or doubled.
    pub fn check_resends(&self, perfect: bool, fetch: &Fetch) -> Result<(), String> {
        let Self {
            harms,
            fills,
            timeouts,
            resends,
            ..
        } = *self;
        if perfect && fetch.swift && fills + timeouts > 0 {
            return Err(format!(
                "{resends} resends although nothing was lost or late"
            ));
        }
        let late = timeouts + self.late_timeouts;
        if fills > 2 * (harms + late) {
            return Err(format!(
                "{fills} gaps filled after {harms} harms, {late} timeouts"
            ));
        }
        if fetch.swift && timeouts > harms * fetch.resends_per_harm {
            return Err(format!("{timeouts} timeouts after {harms} harms"));
        }
        let trains = u64::from(fills + late + self.requests);
        if u64::from(resends) > trains * self.widest {
            return Err(format!("{resends} resends in {trains} trains"));
        }
        Ok(())
    }
}
