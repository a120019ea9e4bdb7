//! The pure core by itself: the server's own files, which need nothing but `core`, `alloc` and a hash table.
//! Never anything that the server has not.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the server's other modules use the rest"
)]

extern crate alloc;

#[path = "../../../src/endpoint/mod.rs"]
pub mod endpoint;
#[path = "../../../src/limits/mod.rs"]
pub mod limits;
#[path = "../../../src/transfer/mod.rs"]
pub mod transfer;
#[path = "../../../src/wire/mod.rs"]
pub mod wire;
