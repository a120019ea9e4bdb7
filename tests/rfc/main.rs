//! One test for each clause of the RFCs, against the running server over loopback. Every test runs
//! on io_uring and epoll, with data ports and in single-port mode.
//!
//! An ACK sent "slowly" teaches the server a long round trip, so that its resend timers stay out
//! of tests that count packets.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod base_1350;
mod blksize_2348;
mod hosts_1123;
mod hpa_options;
mod options_2347;
mod timeout_tsize_2349;
mod window_7440;
