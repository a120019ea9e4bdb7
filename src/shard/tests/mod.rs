//! One suite for every backend, on loopback.
//! It never asserts how fast something is, only that it comes.

mod busy;
mod congestion;
mod harness;
mod receive;
mod scarcity;
mod send;
mod sockets;
