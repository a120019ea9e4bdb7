//! What a run showed, as one JSON document under a schema. Everything that is printed, merged,
//! compared or drawn is made from it. It never measures.

pub mod compare;
mod counts;
mod curve;
mod histogram;
mod intervals;
mod merge;
#[cfg(test)]
pub mod sample;
mod shape;
mod store;

pub use histogram::encoded;
pub use merge::{gather, merge};
pub use shape::*;
pub use store::{read, schema, write};
