//! One transfer: a state machine that is told what arrived and when, and answers in block ranges.
//! It never does I/O, never reads a clock and never sees the file's bytes.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable
    )
)]

pub mod multicast;
pub mod negotiate;
mod pace;
mod patience;
mod receive;
mod retry;
mod send;
mod time;
mod window;

pub use multicast::{GroupStep, GroupTransfer};
pub use negotiate::{Invitation, MAX_BLKSIZE, Offer, SizeSaid, Terms, negotiate};
pub use receive::{Answer, Taken, WriteTransfer};
pub use send::{ReadTransfer, Step};
pub use time::Nanos;
pub use window::{BlockRange, Rollover, last_block};
