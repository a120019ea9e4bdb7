//! One transfer: a state machine that is told what arrived and when, and answers in block ranges.
//! It never does I/O, never reads a clock and never sees the file's bytes.

mod time;
mod window;

pub use time::Nanos;
pub use window::{BlockRange, Rollover};
