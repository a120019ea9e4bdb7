//! What one transfer may do, kept by hand from the datagrams that passed: a second opinion.
//! It never asks the endpoint; it reads the OACK that went out.

use ringboot::endpoint::{Outcome, Report, Ticket, Train};
use ringboot::limits::{UNPROVEN_DATA, UNPROVEN_OACKS};
use ringboot::transfer::{BlockRange, Nanos, Rollover};
use ringboot::wire::{OptionName, Options};

/// One admitted request.
pub struct Model {
    pub ticket: Ticket,
    pub client: u8,
    pub name: Vec<u8>,
    pub since: Nanos,
    /// Set when the file was opened; then the transfer runs.
    pub reading: Option<Reading>,
}

pub struct Reading {
    pub size: u64,
    pub blksize: u16,
    pub windowsize: u16,
    pub rollover: Rollover,
    /// Newest block that the client acknowledged, and newest that was sent.
    pub acked: u64,
    pub sent: u64,
    pub last_train: Option<BlockRange>,
    proven: bool,
    oack_sent: bool,
    /// Datagrams sent before the client proved itself.
    to_unproven: u32,
    /// Times that something from outside entitled the client to one more of those.
    pub entitled: u32,
}

/// What an ACK means for a transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Advance,
    Duplicate,
    Nothing,
}

impl Reading {
    pub const fn new(size: u64) -> Self {
        Self {
            size,
            blksize: 512,
            windowsize: 1,
            rollover: Rollover::ToZero,
            acked: 0,
            sent: 0,
            last_train: None,
            proven: false,
            oack_sent: false,
            to_unproven: 0,
            entitled: 0,
        }
    }

    pub const fn last_block(&self) -> u64 {
        self.size / self.blksize as u64 + 1
    }

    pub const fn lock_step(&self) -> bool {
        self.windowsize == 1
    }

    /// The slow way to find the block that travels as `wire`.
    pub fn ack(&mut self, wire: u16) -> Meaning {
        let newest_first = (self.acked..=self.sent).rev();
        let Some(block) = newest_first
            .into_iter()
            .find(|&block| self.rollover.wire(block) == wire)
        else {
            return Meaning::Nothing;
        };
        let oack_answered = self.oack_sent && !self.proven;
        if block == self.acked && !oack_answered {
            return Meaning::Duplicate;
        }
        self.proven = true;
        self.acked = block;
        Meaning::Advance
    }

    pub fn oack(&mut self, options: &Options<'_>) {
        assert!(!self.proven, "an OACK after its acknowledgement");
        assert_eq!(self.sent, 0, "an OACK after DATA");
        self.oack_sent = true;
        let number =
            |name| -> Option<u16> { str::from_utf8(options.get(name)?).ok()?.parse().ok() };
        let blksize = number(OptionName::Blksize).or_else(|| number(OptionName::Blksize2));
        self.blksize = blksize.unwrap_or(512);
        self.windowsize = number(OptionName::Windowsize).unwrap_or(1);
        if number(OptionName::Rollover) == Some(1) {
            self.rollover = Rollover::ToOne;
        }
        self.note_unproven();
    }

    /// Within the file, the window and what was acknowledged.
    pub fn train(&mut self, train: &Train) {
        let BlockRange { first, count } = train.blocks;
        assert!(
            count > 0 && count <= u32::from(self.windowsize),
            "{train:?}"
        );
        let last = first + u64::from(count) - 1;
        assert!(
            first > self.acked,
            "{train:?} was acknowledged up to {}",
            self.acked
        );
        assert!(
            first <= self.sent + 1,
            "{train:?} leaves a hole behind {}",
            self.sent
        );
        assert!(last <= self.acked + u64::from(self.windowsize), "{train:?}");
        assert!(last <= self.last_block(), "{train:?} passes the end");
        assert_eq!(
            (train.blksize, train.rollover),
            (self.blksize, self.rollover)
        );
        assert!(
            self.proven || !self.oack_sent,
            "DATA before the OACK was acknowledged"
        );
        self.sent = self.sent.max(last);
        self.last_train = Some(train.blocks);
        self.note_unproven();
    }

    /// Blocks that met a full socket were sent already, and are sent as they are.
    pub fn repeated(&self, train: &Train) {
        assert_eq!(Some(train.blocks), self.last_train);
    }

    fn note_unproven(&mut self) {
        if self.proven {
            return;
        }
        self.to_unproven += 1;
        let tries = if self.oack_sent {
            UNPROVEN_OACKS
        } else {
            UNPROVEN_DATA
        };
        let allowed = 1 + u32::from(tries) + self.entitled;
        assert!(
            self.to_unproven <= allowed,
            "an unproven peer got {}",
            self.to_unproven
        );
    }
}

impl Model {
    /// The report tells what happened here.
    pub fn check_end(&self, report: &Report<'_>, now: Nanos) {
        assert_eq!(report.name, self.name);
        assert_eq!(report.duration, now - self.since);
        let Some(reading) = &self.reading else {
            assert_eq!((report.bytes, report.size, report.resends), (0, 0, 0));
            assert!(!matches!(
                report.outcome,
                Outcome::Completed | Outcome::Probe | Outcome::TimedOut
            ));
            return;
        };
        assert_eq!(
            (report.blksize, report.windowsize),
            (reading.blksize, reading.windowsize)
        );
        assert_eq!(report.size, reading.size);
        let acked = u128::from(reading.acked) * u128::from(reading.blksize);
        assert_eq!(
            u128::from(report.bytes),
            acked.min(u128::from(reading.size))
        );
        let complete = reading.acked == reading.last_block();
        assert_eq!(report.outcome == Outcome::Completed, complete);
        assert!(report.outcome != Outcome::Probe || reading.acked == 0);
        assert!(report.outcome != Outcome::Shed && report.outcome != Outcome::Missing);
    }
}
