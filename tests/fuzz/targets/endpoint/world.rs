//! The world outside the endpoint: clients, files, the log. It checks every effect as it comes.
//! It never forgets who has sent something, for nobody else may get anything.

use std::collections::HashMap;
use std::rc::Rc;

use ringboot::endpoint::{
    Datagram, Effects, OpenRequest, Outcome, Policy, Report, Route, SocketId, Ticket, Train,
};
use ringboot::limits::STRANGER_INTERVAL;
use ringboot::transfer::{BlockRange, Nanos};
use ringboot::wire::{ErrorCode, Packet, decode};

use super::model::{Meaning, Model, Reading};
use super::peers::{PEERS, client_of};
use super::requests;

/// A file's content: whose it is. The count of its references must come back to one.
pub type Content = Rc<Ticket>;

pub struct World {
    pub single_port: bool,
    pub draining: bool,
    policy: Policy,
    now: Nanos,
    models: Vec<Model>,
    pending: Vec<Ticket>,
    former: Vec<Ticket>,
    contents: Vec<Content>,
    requests: HashMap<u8, Vec<u8>>,
    heard: [bool; PEERS as usize],
    /// When each client was last told that its transfer is unknown.
    told_unknown: [Option<Nanos>; PEERS as usize],
    /// Moods of the surroundings.
    queue_full: bool,
    files_change: bool,
    during: During,
}

/// What is going on while the endpoint works.
#[derive(Default)]
struct During {
    /// This lock-step transfer got an ACK that acknowledges nothing new.
    duplicate: Option<Ticket>,
    /// A send that the kernel had no room for.
    repeating: Option<Ticket>,
    /// The datagram is a request that has to be taken notice of, and how often it was.
    request: bool,
    noticed: u64,
}

impl World {
    pub fn new(single_port: bool, policy: Policy, now: Nanos) -> Self {
        Self {
            single_port,
            draining: false,
            policy,
            now,
            models: Vec::new(),
            pending: Vec::new(),
            former: Vec::new(),
            contents: Vec::new(),
            requests: HashMap::new(),
            heard: [false; PEERS as usize],
            told_unknown: [None; PEERS as usize],
            queue_full: false,
            files_change: false,
            during: During::default(),
        }
    }

    pub fn data_socket(&self, client: u8) -> SocketId {
        SocketId(if self.single_port {
            0
        } else {
            1 + u16::from(client % PEERS % 2)
        })
    }

    /// A data socket that the client was not told of; there is none in single-port mode.
    pub fn foreign_socket(&self, client: u8) -> SocketId {
        match self.data_socket(client) {
            SocketId(0) => SocketId(0),
            SocketId(own) => SocketId(3 - own),
        }
    }

    pub fn moods(&mut self, bits: u8) {
        self.queue_full = bits & 1 != 0;
        self.files_change = bits & 2 != 0;
    }

    pub fn remember(&mut self, client: u8, request: &[u8]) {
        self.requests.insert(client % PEERS, request.to_vec());
    }

    pub fn last_request(&self, client: u8) -> Vec<u8> {
        self.requests
            .get(&(client % PEERS))
            .cloned()
            .unwrap_or_default()
    }

    pub fn time_passes(&mut self, now: Nanos) {
        self.now = now;
    }

    /// A datagram is about to be handed over.
    pub fn before(&mut self, now: Nanos, datagram: &Datagram<'_>) {
        self.now = now;
        let client = client_of(&datagram.route);
        self.heard[usize::from(client)] = true;
        self.during = During::default();
        let at_home = datagram.route.socket == self.data_socket(client);
        match decode(datagram.bytes) {
            Ok(Packet::Ack { block }) if datagram.carries_data && at_home => {
                self.ack(client, block)
            }
            Ok(Packet::Rrq(_)) if datagram.listening && !self.draining => {
                self.during.request = true;
                if let Some(reading) = self.reading(client) {
                    reading.entitled += 1;
                }
            }
            Ok(Packet::Wrq(_)) if datagram.listening && !self.draining => {
                self.during.request = true;
            }
            _ => {}
        }
    }

    fn ack(&mut self, client: u8, wire: u16) {
        let Some(model) = self.models.iter_mut().find(|model| model.client == client) else {
            return;
        };
        let ticket = model.ticket;
        if let Some(reading) = &mut model.reading
            && reading.ack(wire) != Meaning::Advance
            && reading.lock_step()
        {
            self.during.duplicate = Some(ticket);
        }
    }

    /// A datagram was handled. A request was queued, refused, shed or known already: one of these.
    pub fn after(&mut self, repeated: u64) {
        let during = std::mem::take(&mut self.during);
        assert_eq!(during.noticed + repeated, u64::from(during.request));
    }

    pub fn newest_block(&mut self, client: u8, offset: i64) -> Option<u16> {
        let reading = self.reading(client % PEERS)?;
        Some(
            reading
                .rollover
                .wire(reading.sent.saturating_add_signed(offset)),
        )
    }

    pub fn take_pending(&mut self, which: u8) -> Option<Ticket> {
        let place = usize::from(which).checked_rem(self.pending.len())?;
        Some(self.pending.remove(place))
    }

    /// The content for a ticket, even if its client has gone.
    pub fn open_content(&mut self, ticket: Ticket, now: Nanos) -> (Content, u64) {
        self.now = now;
        let content = Rc::new(ticket);
        self.contents.push(Rc::clone(&content));
        let mut size = 0;
        if let Some(model) = self.models.iter_mut().find(|model| model.ticket == ticket) {
            size = requests::size(&model.name);
            model.reading = Some(Reading::new(size));
        }
        (content, size)
    }

    pub fn spare_content(&mut self) -> (Content, u64) {
        let nobody = Ticket {
            slot: u32::MAX,
            generation: 0,
        };
        let content = Rc::new(nobody);
        self.contents.push(Rc::clone(&content));
        (content, 77)
    }

    pub fn former_ticket(&self, which: u8) -> Option<Ticket> {
        self.former.get(usize::from(which)).copied()
    }

    pub fn some_train(&self, which: u8) -> Option<(Ticket, BlockRange)> {
        let place = usize::from(which / 2).checked_rem(self.models.len())?;
        let model = &self.models[place];
        Some((model.ticket, model.reading.as_ref()?.last_train?))
    }

    pub fn repeating(&mut self, ticket: Ticket) {
        self.during.repeating = Some(ticket);
        if let Some(reading) = self.model(ticket).and_then(|model| model.reading.as_mut()) {
            reading.entitled += 1;
        }
    }

    pub fn repeated(&mut self) {
        self.during = During::default();
    }

    pub fn active(&self) -> usize {
        self.models.len()
    }

    pub fn is_active(&self, ticket: Ticket) -> bool {
        self.models.iter().any(|model| model.ticket == ticket)
    }

    pub fn any_reading(&self) -> bool {
        self.models.iter().any(|model| model.reading.is_some())
    }

    /// Every transfer has ended, so nobody holds a content but this list.
    pub fn end(&self) {
        assert!(self.models.is_empty());
        for content in &self.contents {
            assert_eq!(
                Rc::strong_count(content),
                1,
                "a content outlives its transfer"
            );
        }
    }

    fn reading(&mut self, client: u8) -> Option<&mut Reading> {
        let model = self
            .models
            .iter_mut()
            .find(|model| model.client == client)?;
        model.reading.as_mut()
    }

    fn model(&mut self, ticket: Ticket) -> Option<&mut Model> {
        self.models.iter_mut().find(|model| model.ticket == ticket)
    }

    fn greet(&self, route: &Route) -> u8 {
        let client = client_of(route);
        assert!(
            self.heard[usize::from(client)],
            "a datagram to a peer that sent nothing"
        );
        client
    }

    /// RFC 1350, section 4, and not more often than the limit says.
    fn told_unknown(&mut self, client: u8, socket: SocketId) {
        let served = self.models.iter().any(|model| model.client == client);
        assert!(
            !served || socket != self.data_socket(client),
            "ERROR 5 to a client being served"
        );
        let now = self.now;
        let last = self.told_unknown[usize::from(client)].replace(now);
        assert!(last.is_none_or(|last| now - last >= STRANGER_INTERVAL));
    }

    /// A request that never became a transfer.
    fn turned_away(&mut self, report: &Report<'_>) -> bool {
        let full = self.models.len() == self.policy.max_transfers;
        let turned_away = match report.outcome {
            Outcome::Shed => report.reason == "too many transfers",
            Outcome::Refused => report.reason != "the input says so",
            _ => false,
        };
        assert!(!turned_away || report.outcome != Outcome::Shed || full);
        turned_away
    }
}

impl Effects for World {
    type Image = Content;

    fn send_blocks(&mut self, route: &Route, image: &Content, train: Train) {
        let client = self.greet(route);
        assert_eq!(**image, train.ticket, "another transfer's file");
        assert_ne!(
            self.during.duplicate,
            Some(train.ticket),
            "a duplicate ACK caused DATA"
        );
        let repeating = self.during.repeating.is_some();
        let home = self.data_socket(client);
        let model = self.model(train.ticket).expect("blocks of no transfer");
        assert_eq!(model.client, client, "another client's transfer");
        assert_eq!(
            route.socket, home,
            "from a port that the client does not know"
        );
        let reading = model.reading.as_mut().expect("blocks of no file");
        if repeating {
            reading.repeated(&train);
        } else {
            reading.train(&train);
        }
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        let client = self.greet(route);
        match decode(packet) {
            Ok(Packet::Oack(options)) => {
                assert!(packet.len() <= 512);
                let reading = self.reading(client).expect("an OACK without a transfer");
                reading.oack(&options);
            }
            Ok(Packet::Error { code, .. }) => {
                assert!(packet.len() <= 128);
                if code == ErrorCode::UNKNOWN_TID && packet.ends_with(b"ID\0") {
                    self.told_unknown(client, route.socket);
                }
            }
            other => panic!("sent {other:?}"),
        }
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        let client = self.greet(request.route);
        assert!(!self.draining, "a request was taken while draining");
        assert!((request.ticket.slot as usize) < self.policy.max_transfers);
        assert!(!self.is_active(request.ticket) && !self.former.contains(&request.ticket));
        assert!(
            self.models.iter().all(|model| model.client != client),
            "two transfers of one peer"
        );
        self.during.noticed += 1;
        self.models.push(Model {
            ticket: request.ticket,
            client,
            name: request.name.to_vec(),
            since: self.now,
            reading: None,
        });
        if !self.queue_full {
            self.pending.push(request.ticket);
        }
        !self.queue_full
    }

    fn unchanged(&mut self, _: &Content) -> bool {
        !self.files_change
    }

    fn finished(&mut self, report: &Report<'_>, image: Option<Content>) {
        let client = client_of(report.route);
        if self.turned_away(report) {
            assert!(image.is_none());
            self.during.noticed += 1;
            return;
        }
        let place = self.models.iter().position(|model| model.client == client);
        let model = self
            .models
            .swap_remove(place.expect("a second report of one request"));
        self.former.push(model.ticket);
        model.check_end(report, self.now);
        assert_eq!(
            image.as_deref(),
            model.reading.as_ref().map(|_| &model.ticket)
        );
    }
}
