//! What operators see: one line for each finished transfer.
//! It never runs on a shard's thread.

pub mod log;
pub mod record;
