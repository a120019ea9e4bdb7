//! What the tests of the whole server share: the server process, scripted clients, namespaces.
//! It never looks inside the server: it sees packets, the ready line, the log and `/proc`.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test program uses its own part of the harness"
)]

pub mod conversation;
pub mod fetch;
pub mod jail;
#[macro_use]
pub mod matrix;
pub mod netns;
pub mod packet;
pub mod programs;
pub mod rng;
pub mod root;
pub mod server;
pub mod shard;
pub mod slowfs;
#[cfg(target_arch = "x86_64")]
pub mod tracee;

pub use conversation::Conversation;
pub use fetch::Fetch;
pub use matrix::{Io, Setup};
pub use netns::Netns;
pub use packet::Packet;
pub use rng::Rng;
pub use root::{Root, pattern};
pub use server::{Server, Transfer};
