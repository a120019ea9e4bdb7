//! What the endpoint does with its timers while their answers may lie unread.

use std::hash::RandomState;
use std::net::SocketAddr;
use std::vec::Vec;

use super::{
    Datagram, Effects, Endpoint, Local, OpenRequest, Opened, Peer, Policy, Report, Route, SocketId,
    Ticket, Train,
};
use crate::limits::RETRY_INITIAL;
use crate::transfer::Nanos;

const T0: Nanos = Nanos::from_secs(1);

#[derive(Default)]
struct Outside {
    opens: Vec<Ticket>,
    trains: usize,
}

impl Effects for Outside {
    type Image = ();

    fn send_blocks(&mut self, _: &Route, (): &(), _: Train) {
        self.trains += 1;
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

/// An endpoint that has just sent the first block of a file.
fn one_block_out() -> (Endpoint<(), RandomState>, Outside) {
    let mut endpoint = Endpoint::new(Policy::default(), RandomState::new(), T0);
    let mut outside = Outside::default();
    let route = Route {
        peer: Peer::from(SocketAddr::from(([192, 0, 2, 7], 2_000))),
        local: Local::default(),
        socket: SocketId(0),
    };
    let request = Datagram {
        route,
        listening: true,
        carries_data: true,
        max_blksize: 1_468,
        bytes: b"\0\x01f\0octet\0",
    };
    endpoint.datagram(T0, &request, &mut outside);
    let ticket = outside.opens.pop().expect("a file is asked for");
    let file = Opened {
        image: (),
        size: 10_000,
    };
    endpoint.opened(T0, ticket, Ok(file), &mut outside);
    assert_eq!(outside.trains, 1);
    (endpoint, outside)
}

#[test]
fn a_timer_that_was_not_due_when_the_reading_began_is_held() {
    let (mut endpoint, mut outside) = one_block_out();
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
