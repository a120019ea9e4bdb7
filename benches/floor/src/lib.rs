//! The yardstick: what serving a block must cost.
//! Nothing here is used by the server, and nothing of the server is used here: the two must not share their mistakes.

pub mod relay;
pub mod serve;
pub mod socket;
pub mod wire;
