//! One core's loop: receive, hand to the endpoint, send what it says, sleep until the next deadline.
//! It never opens a file and never waits for anything but its backend.

mod address;
mod backend;
mod backlog;
mod bind;
mod choose;
mod control;
mod delivery;
mod epoll;
mod errqueue;
mod inbox;
mod mtu;
mod options;
mod outbox;
mod render;
mod segmentation;
mod sockets;
pub mod uring;
mod waker;

pub use backend::{Arrival, Backend, Counters, Event};
pub use bind::bind;
pub use choose::{IoChoice, Opened, open};
pub use epoll::EpollBackend;
pub use mtu::Mtus;
pub use outbox::Outbox;
pub use sockets::{BindError, Buffers, Layout, Listen, Plan, Role, Sockets};
pub use waker::Waker;

#[cfg(test)]
mod tests;

/// The errno of the system call that just failed on this thread.
fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
