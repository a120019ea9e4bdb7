//! The clients of the command line, on plain blocking sockets: `get`, `put` and `probe`.
//! It never shares code with the server's packet path except for `wire` and `transfer`: `put` sends
//! as the server does.

mod command;
mod failure;
mod get;
mod probe;
mod progress;
mod put;
mod resolve;
mod socket;
mod terms;
mod text;

pub use get::get;
pub use probe::probe;
pub use put::put;

use failure::Failure;
use resolve::resolve;
use socket::{ClientSocket, Heard};
