//! What is measured while machines boot: latencies, counts, the generator's own conduct, the
//! server's use of the machine.
//! It never touches a packet.

pub mod clock;
pub mod histogram;
pub mod process;
mod recorder;

pub use recorder::{Recorder, Sample, StepRecord, Totals, sum as sum_transfers};
