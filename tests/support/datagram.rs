//! A client's datagram as an endpoint without sockets is given it.
//! It never arrives anywhere else: there is one socket, which listens and carries data.

use std::net::SocketAddr;

use ringboot::endpoint::{Datagram, Local, Route, SocketId};

pub fn datagram(peer: SocketAddr, bytes: &[u8]) -> Datagram<'_> {
    Datagram {
        route: Route {
            peer: peer.into(),
            local: Local::default(),
            socket: SocketId(1),
        },
        listening: true,
        carries_data: true,
        max_blksize: 1468,
        bytes,
    }
}
