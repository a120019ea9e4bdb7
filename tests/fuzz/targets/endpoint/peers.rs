//! The clients of the play: ports of one host, another host, IPv6, a link-local address.
//! It never knows what they do.

use std::net::SocketAddr;

use ringboot::endpoint::{Local, Peer, Route};

pub const PEERS: u8 = 5;

pub fn peer(client: u8) -> Peer {
    let addr = match client % PEERS {
        0 => "192.0.2.1:2000",
        1 => "192.0.2.1:2001",
        2 => "192.0.2.2:2000",
        3 => "[2001:db8::1]:2000",
        _ => "[fe80::1%3]:2000",
    };
    addr.parse::<SocketAddr>().unwrap().into()
}

pub fn local(client: u8) -> Local {
    let ip = if client % PEERS < 3 {
        "192.0.2.69"
    } else {
        "2001:db8::69"
    };
    Local::new(ip.parse().unwrap(), 0)
}

/// Whose route this is; the answer must leave from the address that was asked.
pub fn client_of(route: &Route) -> u8 {
    let client = (0..PEERS).find(|&client| peer(client) == route.peer);
    let client = client.expect("an address that nobody has");
    assert_eq!(
        route.local,
        local(client),
        "answered from an address that was not asked"
    );
    client
}
