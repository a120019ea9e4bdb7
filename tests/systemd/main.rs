//! Life under systemd: what it is told, its watchdog, its sockets, its units.
//! It never runs systemd: a socket in its place hears what it would hear.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod activation;
mod manager;
mod notices;
mod units;
