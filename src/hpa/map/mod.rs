//! tftp-hpa's map files (`in.tftpd --map-file`): rules that rewrite names, read and run.
//! It never asks the disk itself, and whatever name comes out is confined like a client's own.

pub mod ere;
mod file;
mod fuel;
mod replacement;
mod rule;
mod run;

pub use file::{MapFault, MapFile};
pub use fuel::{Exhausted, Fuel};
pub use run::{Asker, Host, Outcome, Refusal, Silent};
