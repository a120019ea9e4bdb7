//! ringboot: a TFTP server for farms of machines that boot over the network.
//!
//! A datagram flows one way: [`wire`] decodes it, `endpoint` finds whose it is, `transfer` says
//! what follows, and a `shard` sends it. The first three do no I/O and never ask the time.

extern crate alloc;

pub mod advise;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod endpoint;
pub mod files;
pub mod generate;
pub mod hosts;
pub mod hpa;
pub mod import;
pub mod limits;
pub mod names;
pub mod observe;
pub mod shard;
pub mod top;
pub mod transfer;
pub mod wire;
