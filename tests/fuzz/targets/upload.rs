//! The bytes play a few clients that upload, a disk and the clock against an endpoint.
//! Demanded: blocks are stored in order and only where room was kept; an ACK says what is stored, and
//! of a last block only what is durable; one report for each request; nothing is left in the end.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use ringboot::endpoint::{
    Datagram, Effects, Endpoint, Local, OpenRequest, Outcome, Peer, Policy, Refusal, Report, Route,
    SocketId, Ticket, Train,
};
use ringboot::limits::DALLY;
use ringboot::transfer::Nanos;
use ringboot::wire::options::parse_decimal;
use ringboot::wire::{ErrorCode, OptionName, Packet, decode};

use super::input::Input;

const CLIENTS: u8 = 4;
const OPERATIONS: usize = 300;
const REFUSAL: Refusal<'static> = Refusal {
    code: ErrorCode::DISK_FULL,
    text: "no",
    reason: "the input says so",
};

pub fn check(bytes: &[u8]) {
    let mut play = Play {
        endpoint: Endpoint::new(
            Policy {
                uploads: true,
                ..Policy::default()
            },
            BuildHasherDefault::default(),
            Nanos::ZERO,
        ),
        world: World::default(),
        now: Nanos::ZERO,
    };
    let mut input = Input::new(bytes);
    for _ in 0..OPERATIONS {
        if play.operation(&mut input).is_none() {
            break;
        }
        assert_eq!(play.endpoint.active(), play.world.active());
    }
    play.end();
}

struct Play {
    endpoint: Endpoint<(), BuildHasherDefault<DefaultHasher>>,
    world: World,
    now: Nanos,
}

#[derive(Default)]
struct World {
    uploads: HashMap<Ticket, Upload>,
    /// Waits for a file to be made.
    wanted: Vec<Ticket>,
    committed: Vec<Ticket>,
    waiting: Vec<Ticket>,
    no_room: bool,
    requests: u64,
    reports: u64,
}

struct Upload {
    peer: Peer,
    blksize: usize,
    room: usize,
    blocks: u64,
    /// A block shorter than the others came.
    last: bool,
    durable: bool,
    reported: bool,
}

impl Play {
    fn operation(&mut self, input: &mut Input<'_>) -> Option<()> {
        let now = self.now;
        match input.byte()? % 12 {
            0 | 1 => {
                let (client, kind) = (input.byte()?, input.byte()?);
                let options = [
                    "",
                    "blksize\x008\0",
                    "blksize\x0016\0windowsize\x004\0tsize\x00100\0",
                ];
                let options = options[usize::from(kind % 3)];
                let request = format!("\0\x02f{}\0octet\0{options}", kind % 5);
                self.datagram(client, request.as_bytes());
            }
            2..=5 => self.data(input.byte()?, input.byte()?, input.byte()?),
            6 => {
                let answer = input.byte()?;
                if let Some(ticket) = self.world.wanted.pop() {
                    let result = if answer < 220 { Ok(()) } else { Err(REFUSAL) };
                    self.endpoint.created(now, ticket, result, &mut self.world);
                }
            }
            7 => {
                let answer = input.byte()?;
                if let Some(ticket) = self.world.committed.pop() {
                    self.stored(ticket, answer < 220);
                }
            }
            8 => {
                self.world.no_room = input.byte()?.is_multiple_of(2);
                for ticket in std::mem::take(&mut self.world.waiting) {
                    self.endpoint.room(now, ticket, &mut self.world);
                }
            }
            9 => {
                self.now = now + Nanos::from_millis(u64::from(input.byte()?) * 20);
                self.advance();
            }
            10 => {
                let (client, code) = (input.byte()?, input.byte()?);
                self.datagram(client, &[0, 5, 0, code, 0]);
            }
            _ => {
                let (client, wire) = (input.byte()?, input.number()?);
                let [high, low] = wire.to_be_bytes();
                self.datagram(client, &[0, 3 + (low & 1), high, low, 1, 2, 3]);
            }
        }
        Some(())
    }

    /// DATA around the block that is due, each with its number as its payload.
    fn data(&mut self, client: u8, offset: u8, len: u8) {
        let peer = peer(client);
        let found = self
            .world
            .uploads
            .values()
            .find(|upload| upload.peer == peer);
        let (due, blksize) = found.map_or((1, 8), |upload| (upload.blocks + 1, upload.blksize));
        let block =
            (due + u64::from(offset % 16 / 8 * offset % 8)).saturating_sub(u64::from(offset / 128));
        let len = if len < 200 {
            blksize
        } else {
            usize::from(len) % (blksize + 2)
        };
        let mut packet = vec![0, 3];
        packet.extend_from_slice(&(block as u16).to_be_bytes());
        packet.extend(block.to_be_bytes().iter().cycle().take(len));
        self.datagram(client, &packet);
    }

    fn datagram(&mut self, client: u8, bytes: &[u8]) {
        let route = Route {
            peer: peer(client),
            local: Local::default(),
            socket: SocketId(0),
        };
        let datagram = Datagram {
            route,
            listening: true,
            carries_data: true,
            max_blksize: 1468,
            bytes,
        };
        let repeated = self.endpoint.counters().repeated_requests;
        self.world.requests += u64::from(matches!(decode(bytes), Ok(Packet::Wrq(_))));
        self.endpoint.datagram(self.now, &datagram, &mut self.world);
        self.world.requests -= self.endpoint.counters().repeated_requests - repeated;
    }

    fn stored(&mut self, ticket: Ticket, well: bool) {
        if let Some(upload) = self.world.uploads.get_mut(&ticket) {
            upload.durable = well;
        }
        let result = if well { Ok(()) } else { Err(REFUSAL) };
        self.endpoint
            .stored(self.now, ticket, result, &mut self.world);
    }

    fn advance(&mut self) {
        self.endpoint.advance(self.now, &mut self.world);
    }

    /// The disk answers, the clients do not.
    fn end(mut self) {
        self.world.no_room = false;
        while let Some(ticket) = self.world.wanted.pop() {
            self.endpoint
                .created(self.now, ticket, Ok(()), &mut self.world);
        }
        for ticket in std::mem::take(&mut self.world.waiting) {
            self.endpoint.room(self.now, ticket, &mut self.world);
        }
        while let Some(ticket) = self.world.committed.pop() {
            self.stored(ticket, true);
        }
        let last = self.now + Nanos::from_secs(200) + DALLY;
        while let Some(deadline) = self.endpoint.next_deadline().filter(|_| self.now < last) {
            self.now = self.now.max(deadline);
            self.advance();
        }
        assert_eq!(self.endpoint.active(), 0, "an upload outlived all patience");
        assert_eq!(self.endpoint.next_deadline(), None);
        assert_eq!(
            self.world.reports, self.world.requests,
            "one report for each request"
        );
    }
}

impl World {
    fn active(&self) -> usize {
        self.uploads
            .values()
            .filter(|upload| !upload.reported)
            .count()
    }
}

fn peer(client: u8) -> Peer {
    let port = 2_000 + u16::from(client % CLIENTS);
    std::net::SocketAddr::from(([192, 0, 2, 1], port)).into()
}

impl Effects for World {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), _: Train) {
        panic!("DATA to a client that uploads");
    }

    fn send_packet(&mut self, route: &Route, packet: &[u8]) {
        let uploads = self.uploads.values_mut();
        let mut uploads = uploads.filter(|upload| upload.peer == route.peer);
        match decode(packet) {
            Ok(Packet::Ack { block }) => {
                let acked = uploads.any(|upload| {
                    let room = upload.last || upload.room >= upload.blksize;
                    block == upload.blocks as u16 && room && (upload.durable || !upload.last)
                });
                assert!(acked, "ACK {block} of what is not stored, or without room");
            }
            Ok(Packet::Oack(options)) => {
                let blksize = options.get(OptionName::Blksize).and_then(parse_decimal);
                let fresh = uploads.find(|upload| upload.blocks == 0 && upload.room > 0);
                fresh.expect("an OACK without an upload").blksize = blksize.unwrap_or(512) as usize;
            }
            Ok(Packet::Error { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    fn open(&mut self, _: OpenRequest<'_>) -> bool {
        panic!("nobody reads");
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn create(&mut self, request: OpenRequest<'_>, _: Option<u64>) -> bool {
        self.wanted.push(request.ticket);
        let upload = Upload {
            peer: request.route.peer,
            blksize: 512,
            room: 0,
            blocks: 0,
            last: false,
            durable: false,
            reported: false,
        };
        self.uploads
            .retain(|_, old| old.peer != upload.peer || !old.reported);
        self.uploads.insert(request.ticket, upload);
        true
    }

    fn reserve(&mut self, ticket: Ticket, bytes: usize) -> bool {
        if self.no_room {
            self.waiting.push(ticket);
            return false;
        }
        let upload = self.uploads.get_mut(&ticket).expect("an upload");
        upload.room = upload.room.max(bytes);
        true
    }

    fn store(&mut self, ticket: Ticket, payload: &[u8]) {
        let upload = self.uploads.get_mut(&ticket).expect("an upload");
        assert!(!upload.last, "a block behind the last one");
        assert!(payload.len() <= upload.room, "more than there is room for");
        upload.room -= payload.len();
        upload.blocks += 1;
        upload.last = payload.len() < upload.blksize;
        if let Some(number) = payload.first_chunk::<8>() {
            assert_eq!(u64::from_be_bytes(*number), upload.blocks, "out of order");
        }
    }

    fn commit(&mut self, ticket: Ticket) {
        assert!(self.uploads[&ticket].last, "not the last block");
        assert!(!self.committed.contains(&ticket), "twice");
        self.committed.push(ticket);
    }

    fn discard(&mut self, ticket: Ticket) {
        // A report follows; an upload that came to nothing is none any more.
        self.committed.retain(|other| *other != ticket);
        self.waiting.retain(|other| *other != ticket);
        self.uploads.remove(&ticket);
    }

    fn finished(&mut self, report: &Report<'_>, _: Option<()>) {
        assert!(report.write);
        self.reports += 1;
        if report.outcome == Outcome::Completed {
            let done = self.uploads.values_mut().find(|upload| {
                upload.peer == report.route.peer && upload.durable && !upload.reported
            });
            done.expect("completed and not durable").reported = true;
        }
    }
}
