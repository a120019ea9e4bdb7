//! What is done with one fuzz input. A target panics when the core breaks a promise.
//! It never depends on how the input was made: libFuzzer and `cargo test` call the same code.

pub mod decode;
pub mod endpoint;
pub mod input;
pub mod negotiate;
pub mod upload;
