//! Write requests: what the protocol demands, what the operator allows, what a disk can do, and who
//! survives a kill. Most tests run on io_uring and epoll, with data ports and in single-port mode.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod clients;
mod crowd;
mod disk;
mod naming;
mod policy;
mod protocol;
mod reload;
mod sender;
mod sudden_death;
