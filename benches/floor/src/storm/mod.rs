//! The minimal generator: one thread that plays thousands of clients at addresses of their own.
//! Never shares code with the server, so that neither hides the other's mistakes.

pub mod batch;
pub mod client;
pub mod cpu;
pub mod engine;
pub mod random;
pub mod report;
