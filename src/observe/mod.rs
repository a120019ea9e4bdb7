//! What operators see: log lines, metrics, health, the farm.
//! It never runs on a shard's thread, but for the counting itself.

pub mod admin;
pub mod farm;
pub mod health;
mod journal;
pub mod lines;
pub mod live;
pub mod log;
pub mod metrics;
pub mod record;
mod refusals;
pub mod reloads;
pub mod stats;
