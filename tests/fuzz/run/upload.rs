//! libFuzzer's entry to the target `upload`. It never does anything by itself.
#![no_main]

#[allow(dead_code, reason = "each entry uses one of the targets")]
#[path = "../targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::upload::check(bytes));
