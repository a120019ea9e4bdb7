//! The yardstick and the minimal load generator: what serving a block must cost, and a way to ask for blocks.
//! Nothing here is used by the server, and nothing of the server is used here: the two must not share their mistakes.

pub mod serve;
pub mod socket;
pub mod storm;
pub mod wire;
