//! The clients of the command line, on plain blocking sockets: `get` and `probe`.
//! It never shares code with the server's packet path except for `wire` and the block numbers.

mod failure;
mod get;
mod probe;
mod resolve;
mod socket;
mod text;

pub use get::get;
pub use probe::probe;

use failure::Failure;
use resolve::resolve;
use socket::{ClientSocket, Heard};
