//! What a run showed, as one JSON document under a schema. Everything that is printed, merged,
//! compared or drawn is made from it. It never measures.

mod shape;

pub use shape::*;
