//! The disk behind a farm that uploads, as a table: slow, sometimes without room, one winner a name.
//! It judges what the endpoint asks of it: order, room, commit, and no ACK of what is not stored.

use std::collections::HashMap;

use ringboot::endpoint::{
    Effects, OpenRequest, Outcome, Peer, Refusal, Report, Route, Ticket, Train,
};
use ringboot::transfer::Nanos;
use ringboot::wire::{ErrorCode, Packet, decode};

use crate::rng::Rng;

/// What the world does for the endpoint.
pub enum Deed {
    Send(Peer, Vec<u8>),
    /// After so long there is an answer.
    Create(Ticket, Nanos),
    Commit(Ticket, Nanos),
    Room(Ticket, Nanos),
}

pub struct File {
    pub by: Peer,
    pub content: Vec<u8>,
}

struct Upload {
    peer: Peer,
    name: u64,
    content: Vec<u8>,
    room: usize,
    committed: bool,
    durable: bool,
}

pub struct Disk {
    pub deeds: Vec<Deed>,
    pub asked: usize,
    pub reports: usize,
    pub completed: usize,
    files: HashMap<u64, File>,
    uploads: HashMap<Ticket, Upload>,
    delay: Nanos,
    /// How often there is no room at once, in a million.
    scarce: u32,
    rng: Rng,
}

const EXISTS: Refusal<'static> = Refusal {
    code: ErrorCode::FILE_EXISTS,
    text: "File already exists",
    reason: "somebody was faster",
};

impl Disk {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            deeds: Vec::new(),
            asked: 0,
            reports: 0,
            completed: 0,
            files: HashMap::new(),
            uploads: HashMap::new(),
            delay: Nanos::from_micros(*rng.pick(&[10, 5_000, 300_000])),
            scarce: *rng.pick(&[0, 100_000, 500_000]),
            rng: rng.fork(),
        }
    }

    pub fn file(&self, name: u64) -> Option<&File> {
        self.files.get(&name)
    }

    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Uploads that are neither stored nor gone.
    pub fn under_way(&self) -> usize {
        let uploads = self.uploads.values();
        uploads.filter(|upload| !upload.durable).count()
    }

    /// The answer to a request for a file, if anybody still waits for it.
    pub fn made(&self, ticket: Ticket) -> Option<Result<(), Refusal<'static>>> {
        let upload = self.uploads.get(&ticket)?;
        Some(match self.files.get(&upload.name) {
            Some(_) => Err(EXISTS),
            None => Ok(()),
        })
    }

    /// A file gets its name, if it is the first.
    pub fn store_for_good(&mut self, ticket: Ticket) -> Option<Result<(), Refusal<'static>>> {
        let upload = self.uploads.get_mut(&ticket)?;
        if self.files.contains_key(&upload.name) {
            return Some(Err(EXISTS));
        }
        upload.durable = true;
        let (by, content) = (upload.peer, upload.content.clone());
        self.files.insert(upload.name, File { by, content });
        Some(Ok(()))
    }

    fn after(&mut self) -> Nanos {
        self.rng.span(self.delay)
    }
}

impl Effects for Disk {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), _: Train) {
        panic!("DATA to a client that uploads");
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        if let Ok(Packet::Ack { .. }) = decode(packet) {
            let mut uploads = self.uploads.values();
            let may = uploads
                .any(|upload| upload.peer == route.peer && (!upload.committed || upload.durable));
            assert!(may, "an ACK between the last block and the disk");
        }
        self.deeds.push(Deed::Send(route.peer, packet.to_vec()));
    }

    fn open(&mut self, _: OpenRequest<'_>) -> bool {
        panic!("nobody reads");
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn create(&mut self, request: OpenRequest<'_>, _: Option<u64>) -> bool {
        self.asked += 1;
        let name = std::str::from_utf8(request.name).expect("text");
        let number = name.strip_prefix("file-").expect("a name of ours");
        let upload = Upload {
            peer: request.route.peer,
            name: number.parse().expect("a number"),
            content: Vec::new(),
            room: 0,
            committed: false,
            durable: false,
        };
        self.uploads.insert(request.ticket, upload);
        let after = self.after();
        self.deeds.push(Deed::Create(request.ticket, after));
        true
    }

    fn reserve(&mut self, ticket: Ticket, bytes: usize) -> bool {
        if self.rng.chance(self.scarce) {
            let after = self.after();
            self.deeds.push(Deed::Room(ticket, after));
            return false;
        }
        let upload = self.uploads.get_mut(&ticket).expect("an upload");
        upload.room = upload.room.max(bytes);
        true
    }

    fn store(&mut self, ticket: Ticket, payload: &[u8]) {
        let upload = self.uploads.get_mut(&ticket).expect("an upload");
        assert!(payload.len() <= upload.room, "more than there is room for");
        assert!(!upload.committed, "a block behind the last one");
        upload.room -= payload.len();
        upload.content.extend_from_slice(payload);
    }

    fn commit(&mut self, ticket: Ticket) {
        let upload = self.uploads.get_mut(&ticket).expect("an upload");
        assert!(!upload.committed, "twice");
        upload.committed = true;
        let after = self.after();
        self.deeds.push(Deed::Commit(ticket, after));
    }

    fn discard(&mut self, ticket: Ticket) {
        self.uploads.remove(&ticket);
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<()>) {
        assert!(report.write);
        self.reports += 1;
        self.completed += usize::from(report.outcome == Outcome::Completed);
    }
}
