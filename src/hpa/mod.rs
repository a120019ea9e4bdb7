//! What it takes to stand in for tftp-hpa's in.tftpd: its map files and its command line.
//! It never serves: it says how the server should.

pub mod map;
mod source;
mod stage;

pub use source::{MapError, MapSource};
pub use stage::{HpaNames, Paths};
