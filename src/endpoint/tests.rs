//! What the endpoint does with its timers while their answers may lie unread, and with guesses that are wrong.
//! It never sends: effects are noted.

use std::hash::RandomState;
use std::net::SocketAddr;
use std::vec::Vec;

use super::{
    Datagram, Effects, Endpoint, Guess, Local, OpenRequest, Opened, Peer, Policy, Report, Route,
    SocketId, Ticket, Train,
};
use crate::limits::RETRY_INITIAL;
use crate::transfer::Nanos;

const T0: Nanos = Nanos::from_secs(1);

#[derive(Default)]
struct Outside {
    opens: Vec<Ticket>,
    trains: usize,
    /// Whom the newest train went to, and its first block.
    newest: Option<(Peer, u64)>,
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, route: &Route, (): &(), train: Train) {
        self.trains += 1;
        self.newest = Some((route.peer, train.blocks.first));
    }

    fn send_packet(&mut self, _: &Route, _: &[u8]) {}

    fn open(&mut self, request: OpenRequest<'_>) -> bool {
        self.opens.push(request.ticket);
        true
    }

    fn unchanged(&mut self, (): &()) -> bool {
        true
    }

    fn finished(&mut self, _: &Report<'_>, _: Option<()>) {}
}

fn peer(port: u16) -> Peer {
    Peer::from(SocketAddr::from(([192, 0, 2, 7], port)))
}

fn from(peer: Peer, bytes: &[u8]) -> Datagram<'_> {
    Datagram {
        route: Route {
            peer,
            local: Local::default(),
            socket: SocketId(0),
        },
        listening: true,
        carries_data: true,
        max_blksize: 1_468,
        bytes,
    }
}

/// An endpoint that has just sent the first block of a file to each of these ports.
fn one_block_out(ports: &[u16]) -> (Endpoint<(), RandomState>, Outside) {
    let mut endpoint = Endpoint::new(Policy::default(), RandomState::new(), T0);
    let mut outside = Outside::default();
    for &port in ports {
        let request = from(peer(port), b"\0\x01f\0octet\0");
        endpoint.datagram(T0, &request, &mut outside);
        let ticket = outside.opens.pop().expect("a file is asked for");
        let file = Opened {
            image: (),
            size: 10_000,
        };
        endpoint.opened(T0, ticket, Ok(file), &mut outside);
    }
    assert_eq!(outside.trains, ports.len());
    (endpoint, outside)
}

#[test]
fn a_timer_that_was_not_due_when_the_reading_began_is_held() {
    let (mut endpoint, mut outside) = one_block_out(&[2_000]);
    let tick = Nanos::from_millis(2);
    let deadline = T0 + RETRY_INITIAL;
    let now = deadline + Nanos::from_secs(1);
    assert!(endpoint.advance_to(deadline - tick, now, &mut outside));
    assert_eq!(outside.trains, 1, "its answer may lie unread");
    assert!(endpoint.advance_to(deadline + tick, now, &mut outside));
    assert_eq!(outside.trains, 2);
    let next = endpoint.next_deadline().expect("a timer");
    assert!(next > now, "the next interval begins with the resend");
}

#[test]
fn a_wrong_guess_leads_to_nobody_elses_transfer() {
    let [one, other, stranger] = [2_000, 2_001, 2_002].map(peer);
    let (mut endpoint, mut outside) = one_block_out(&[2_000, 2_001]);
    let mut guesses = [Guess::default(); 3];
    let peers = [Some(one), Some(other), None];
    endpoint.foresee(SocketId(0), &peers, &mut guesses);
    let [guess_one, guess_other, nothing] = guesses;
    assert_ne!(guess_one, guess_other);
    assert_eq!(nothing, Guess::default());

    // Right, wrong, and none.
    let mut sent_on_ack = |peer, block, guess| {
        outside.newest = None;
        let ack = crate::wire::packet::ack(block);
        endpoint.foreseen(T0, &from(peer, &ack), guess, &mut outside);
        outside.newest
    };
    assert_eq!(sent_on_ack(one, 1, guess_one), Some((one, 2)));
    assert_eq!(sent_on_ack(other, 1, guess_one), Some((other, 2)));
    assert_eq!(sent_on_ack(other, 2, Guess::default()), Some((other, 3)));
    assert_eq!(sent_on_ack(stranger, 1, guess_one), None);
    assert_eq!(endpoint.counters().unknown_tid, 1);

    // The transfer is gone before its datagram is looked at.
    let goodbye = from(one, b"\0\x05\0\0\0");
    endpoint.datagram(T0, &goodbye, &mut outside);
    let ack = crate::wire::packet::ack(2);
    outside.newest = None;
    endpoint.foreseen(T0, &from(one, &ack), guess_one, &mut outside);
    assert_eq!(outside.newest, None);
    assert_eq!(endpoint.counters().unknown_tid, 2);
}
