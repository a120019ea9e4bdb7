//! One core's loop: receive, hand to the endpoint, send what it says, sleep until the next deadline.
//! It never opens a file and never waits for anything but its backend.

mod address;
mod backend;
mod backlog;
mod bind;
mod control;
mod delivery;
mod direct;
mod epoll;
mod epoll_wait;
mod errqueue;
mod inbox;
mod mailbox;
mod mtu;
mod open;
mod options;
mod outbox;
mod outside;
mod render;
mod segmentation;
mod sockets;
mod steer;
mod streams;
pub mod uring;
mod waker;
mod worker;

pub use backend::{Arrival, Backend, Counters, Event};
pub use bind::{adopt, bind};
pub use epoll::EpollBackend;
pub use mailbox::{Address, Letter, Mailbox, Order, Orders, mailbox};
pub use mtu::Mtus;
pub use open::{IoChoice, Opened, ZeroCopy, open, uring_refusal};
pub use outbox::Outbox;
pub use outside::Outside;
pub use sockets::{BindError, Buffers, Layout, Listen, Plan, Role, Sockets};
pub use uring::ZeroCopyNews;
pub use waker::Waker;
pub use worker::{Settings, Worker};

#[cfg(test)]
mod tests;

/// The errno of the system call that just failed on this thread.
fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
