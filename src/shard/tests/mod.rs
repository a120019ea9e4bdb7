//! One suite for every backend, on loopback.
//! It never asserts how fast something is, only that it comes.

mod harness;
mod receive;
mod send;
mod sockets;
