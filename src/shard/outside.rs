//! The world as a shard's endpoint sees it: sends go to the outbox, files to the file threads,
//! reports to the log. It never blocks: what does not fit is refused or counted.

use core::net::IpAddr;
use core::ops::Range;
use std::sync::Arc;

use super::intake::Intake;
use super::interleave::Interleave;
use super::outbox::Outbox;
use crate::endpoint::{Effects, OpenRequest, Report, Route, Ticket, Train};
use crate::files::{Finder, Image, Job, Loader};
use crate::observe::record::{Record, RecordSender};
use crate::observe::stats::{FIRST_DATA, Stats};
use crate::transfer::Nanos;

/// Implements [`Effects`] for the running server.
pub struct Outside {
    /// This shard's number, for the answers of the file threads.
    pub shard: usize,
    pub outbox: Outbox,
    pub loader: Arc<Loader>,
    /// The rules for names that are in force.
    pub finder: Arc<Finder>,
    /// Where uploads go.
    pub intake: Intake,
    pub records: RecordSender,
    /// The address that each socket is bound to, if it is one.
    pub bound: Vec<Option<IpAddr>>,
    /// What the file threads say of the file whose transfer is being told of it, where only they
    /// may ask.
    pub verdict: Option<bool>,
    pub interleave: Interleave,
    /// What this shard counts.
    pub stats: Arc<Stats>,
}

impl Outside {
    /// The address of ours that a client asked.
    fn asked(&self, route: &Route) -> Option<IpAddr> {
        // An answer from a socket that is bound to one address needs to name none.
        let bound = || self.bound.get(usize::from(route.socket.0)).copied()?;
        route.local.ip().or_else(bound)
    }
}

impl Effects for Outside {
    type Image = Arc<Image>;

    fn send_blocks(&mut self, route: &Route, image: &Arc<Image>, train: Train) {
        // What the file threads have just said holds now, not later.
        if self.verdict.is_some() || !self.interleave.puts_off(&train) {
            self.stats.sent_bytes.add(bytes_of(image, &train));
            self.outbox.push_train(route, image, &train);
        }
    }

    fn begins(&mut self, image: &Arc<Image>, blksize: u16, waited: Nanos) {
        self.stats.first_data.add(&FIRST_DATA, waited);
        self.loader.note_transfer(image, blksize);
    }

    fn parked(&mut self) {
        self.stats.parked.add(1);
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        self.outbox.push_packet(route, packet);
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        let local = self.asked(request.route);
        let (ticket, name) = (request.ticket, request.name);
        let mut job = Job::new(self.shard, ticket, name, request.mode, &self.finder)
            .between(request.route.peer.ip(), local);
        if self.finder.names().needs().options {
            job = job.options(request.options);
        }
        self.loader.submit(job).is_ok()
    }

    fn resident(&mut self, now: Nanos, image: &Arc<Image>, train: Train) -> bool {
        let Range { start, end } = span(&train);
        let waiter = (self.shard, train.ticket);
        let is_last = end > image.size();
        let bytes = start..end.min(image.size());
        if is_last && self.verdict.is_none() && !image.tells_at_once() {
            self.loader.check(image, &bytes, waiter);
            return false;
        }
        let first = train.blocks.first;
        if image.framed(train.blksize, first, first).is_some() {
            return true;
        }
        self.loader.resident(image, &bytes, waiter, now)
    }

    fn unchanged(&mut self, image: &Arc<Image>) -> bool {
        self.verdict.unwrap_or_else(|| image.unchanged())
    }

    /// The catalog hands out one image for one content.
    fn same(&self, one: &Arc<Image>, other: &Arc<Image>) -> bool {
        Arc::ptr_eq(one, other)
    }

    fn create(&mut self, request: OpenRequest<'_>, size: Option<u64>) -> bool {
        let local = self.asked(request.route);
        self.intake.create(&request, size, local, &self.finder)
    }

    fn reserve(&mut self, ticket: Ticket, bytes: usize) -> bool {
        self.intake.reserve(ticket, bytes)
    }

    fn store(&mut self, ticket: Ticket, payload: &[u8]) {
        self.stats.received_bytes.add(payload.len() as u64);
        self.intake.store(ticket, payload);
    }

    fn commit(&mut self, ticket: Ticket) {
        self.intake.commit(ticket);
    }

    fn discard(&mut self, ticket: Ticket) {
        self.intake.discard(ticket);
    }

    /// The image may go: the outbox holds on to those that its sends point into.
    fn finished(&mut self, report: &Report<'_>, image: Option<Arc<Image>>) {
        if let Some(image) = image {
            self.loader.let_go(image);
        }
        self.stats.report(report);
        self.records.send(Record::from(report));
    }
}

/// The bytes that a train's blocks would have if none were the file's last.
fn span(train: &Train) -> Range<u64> {
    let blksize = u64::from(train.blksize);
    let start = train.blocks.first.saturating_sub(1) * blksize;
    start..start + u64::from(train.blocks.count) * blksize
}

fn bytes_of(image: &Image, train: &Train) -> u64 {
    let Range { start, end } = span(train);
    end.min(image.size()).saturating_sub(start)
}
