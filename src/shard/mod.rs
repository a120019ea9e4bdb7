//! One core's loop: receive, hand to the endpoint, send what it says, sleep until the next deadline.
//! It never opens a file and never waits for anything but its backend.

mod address;
mod backend;
mod bind;
mod control;
mod mailbox;
mod mtu;
mod options;
mod outbox;
mod outside;
mod render;
mod segmentation;
mod sockets;
mod waker;
mod worker;

pub use backend::{Arrival, Backend, Counters, Event};
pub use bind::bind;
pub use mailbox::{Address, Mailbox, Order, Orders, mailbox};
pub use mtu::Mtus;
pub use outbox::Outbox;
pub use outside::Outside;
pub use sockets::{BindError, Buffers, Layout, Listen, Plan, Role, Sockets};
pub use waker::Waker;
pub use worker::{Settings, Worker};
