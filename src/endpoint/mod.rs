//! All transfers of one shard: finds whose a datagram is, starts, drives and ends transfers.
//! It never does I/O: what must happen outside goes through [`Effects`].

mod effects;
mod report;
mod route;

pub use effects::{Effects, OpenRequest, Train};
pub use report::{Outcome, Report};
pub use route::{Local, Peer, Route, SocketId, Ticket};
