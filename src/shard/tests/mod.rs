//! One suite for every backend, on loopback.
//! It never asserts how fast something is, only that it comes.

mod busy;
mod congestion;
mod crowds;
mod harness;
mod kernel;
mod receive;
mod scarcity;
mod send;
mod sockets;
