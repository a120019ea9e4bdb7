//! A farm of clients around one endpoint, for the benches of the core.
//! It never touches a socket or a clock: time is a number that grows.

#[path = "../tests/support/datagram.rs"]
mod datagram;

use std::net::SocketAddr;

use datagram::datagram;
use ringboot::endpoint::{
    Effects, Endpoint, Keyed, OpenRequest, Opened, Policy, Report, Route, Ticket, Train,
};
use ringboot::transfer::{Nanos, Offer, SizeSaid, negotiate};
use ringboot::wire::{OptionSet, Packet, decode, packet};

pub const REQUEST: &[u8] =
    b"\0\x01pxelinux.0\0octet\0tsize\x000\0blksize\x001408\0windowsize\x0016\0";

pub const SIZE: u64 = 1 << 40;
pub const OFFER: Offer = Offer {
    max_blksize: 1468,
    max_windowsize: 64,
    size: SizeSaid::Ours(SIZE),
    invitation: None,
    refused: OptionSet::NONE,
    timeout: None,
};

/// Reads a request and makes the OACK. Says whether there is one.
pub fn answer(request: &[u8]) -> bool {
    match decode(request) {
        Ok(Packet::Rrq(request)) => negotiate(&request.options, &OFFER).1.is_some(),
        _ => false,
    }
}

/// Clients, all served by one endpoint.
pub struct Farm {
    pub endpoint: Endpoint<(), Keyed>,
    pub outside: Outside,
    pub now: Nanos,
}

/// Takes what the endpoint asks for and does nothing with it.
#[derive(Default)]
pub struct Outside {
    tickets: Vec<Ticket>,
    /// Blocks of DATA, and the bytes of other packets.
    pub blocks: u64,
    pub others: u64,
}

impl Farm {
    /// Every client has its OACK and has said nothing yet.
    pub fn new(clients: u32, windowsize: u16) -> Self {
        let mut farm = Self {
            endpoint: Endpoint::new(Policy::default(), Keyed::new([1, 2]), Nanos::ZERO),
            outside: Outside::default(),
            now: Nanos(1),
        };
        let request = format!("\0\x01f\0octet\0blksize\x001468\0windowsize\0{windowsize}\0");
        for client in 0..clients {
            farm.datagram(client, request.as_bytes());
        }
        for ticket in std::mem::take(&mut farm.outside.tickets) {
            let file = Opened {
                image: (),
                size: SIZE,
            };
            farm.endpoint
                .opened(farm.now, ticket, Ok(file), &mut farm.outside);
        }
        farm
    }

    pub fn ack(&mut self, client: u32, block: u16) {
        // About what a loaded core needs for each packet, so that timers come up as they would.
        self.now = self.now + Nanos(2_000);
        self.datagram(client, &packet::ack(block));
        self.endpoint.advance(self.now, &mut self.outside);
    }

    fn datagram(&mut self, client: u32, bytes: &[u8]) {
        let peer = SocketAddr::from(((0x7f00_0000 + client).to_be_bytes(), 2_000));
        let datagram = datagram(peer, bytes);
        self.endpoint
            .datagram(self.now, &datagram, &mut self.outside);
    }
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), train: Train) {
        self.blocks += u64::from(train.blocks.count);
    }

    fn send_packet(&mut self, _: &Route, packet: &[u8]) {
        self.others += packet.len() as u64;
    }

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.tickets.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn finished(&mut self, _: &Report<'_>, _: Option<()>) {}
}
