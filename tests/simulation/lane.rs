//! The two identifiers of a transfer: a client's port and the server's socket.
//! It never holds state.

use std::net::{SocketAddr, SocketAddrV4};

use ringboot::endpoint::{Peer, Route};

/// Clients have numbers; number 258 is 10.0.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub client: u32,
    pub port: u16,
    /// 0 is the listening socket.
    pub socket: u16,
}

const NETWORK: u32 = 0x0a00_0000;

/// Ports from here on are strangers'.
pub const STRANGERS_PORT: u16 = 50_000;

impl Lane {
    pub fn peer(self) -> Peer {
        SocketAddr::V4(SocketAddrV4::new((NETWORK + self.client).into(), self.port)).into()
    }

    pub fn of(route: &Route) -> Self {
        let SocketAddr::V4(addr) = route.peer.to_addr() else {
            panic!("the simulated network is IPv4");
        };
        Self {
            client: u32::from(*addr.ip()) - NETWORK,
            port: addr.port(),
            socket: route.socket.0,
        }
    }

    pub const fn is_strangers(self) -> bool {
        self.port >= STRANGERS_PORT
    }
}
