//! Each rule meets sources that break it, and must name file and line.
//! It never reads the project's own files.

use super::rules::{self, Finding};
use super::source::Source;

fn planted(path: &str, lines: &[&str]) -> Vec<Source> {
    vec![Source::new(path, lines.join("\n"))]
}

#[track_caller]
fn found(findings: &[Finding], expected: &[&str]) {
    assert_eq!(findings, expected);
}

#[test]
fn an_import_upwards_is_found_however_it_is_spelled() {
    let lines = [
        "//! A view.",
        "use crate::limits::NAME_MAX;",
        "use crate::endpoint::Peer;",
        "use crate::{limits, transfer::Nanos, wire::{Packet, decode}, files};",
        "use super::super::shard::Outbox;",
        "use super::packet::split_nul;",
        "fn f() { log!(\"crate::daemon\", crate::clock::now()); }",
    ];
    found(
        &rules::layers(&planted("src/wire/options.rs", &lines)),
        &[
            "src/wire/options.rs:3: `wire` names `endpoint`",
            "src/wire/options.rs:4: `wire` names `transfer`",
            "src/wire/options.rs:4: `wire` names `files`",
            "src/wire/options.rs:5: `wire` names `shard`",
            "src/wire/options.rs:7: `wire` names `clock`",
        ],
    );
}

#[test]
fn super_in_a_mod_file_is_the_crate() {
    let lines = ["use super::wire::Packet;", "use super::shard::Outbox;"];
    found(
        &rules::layers(&planted("src/transfer/mod.rs", &lines)),
        &["src/transfer/mod.rs:2: `transfer` names `shard`"],
    );
}

#[test]
fn an_unknown_module_needs_its_line() {
    found(
        &rules::layers(&planted("src/weather.rs", &["//! Rain."])),
        &["src/weather.rs:1: `weather` has no line in LAYERS"],
    );
}

#[test]
fn foreign_names_in_the_core_are_found() {
    let lines = [
        "use core::fmt; use alloc::vec::Vec; use hashbrown::HashTable;",
        "use std::io;",
        "fn f() { let x = libc::socket(1, 2, 3); println!(\"std {x}\"); }",
        "#[cfg(test)] mod tests { use std::time::Instant; }",
    ];
    let dependencies = ["libc", "hashbrown"].map(str::to_owned);
    found(
        &rules::pure(&planted("src/endpoint/slots.rs", &lines), &dependencies),
        &[
            "src/endpoint/slots.rs:1: `hashbrown`",
            "src/endpoint/slots.rs:2: `std`",
            "src/endpoint/slots.rs:3: `libc`",
            "src/endpoint/slots.rs:3: `println`",
        ],
    );
    found(
        &rules::pure(&planted("src/daemon/mod.rs", &lines), &dependencies),
        &[],
    );
}

#[test]
fn dependencies_are_read_from_the_manifest() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# io = uring\nio-uring = \"0.7\"\n\
                    libc = { version = \"0.2\" }\n\n[dev-dependencies]\nsyn = \"2\"\n";
    assert_eq!(rules::dependencies(manifest), ["io_uring", "libc"]);
}

#[test]
fn clocks_and_backends_out_of_place_are_found() {
    let lines = [
        "// Instant",
        "use std::time::Instant;",
        "use io_uring::IoUring;",
    ];
    let sources = planted("src/client/probe.rs", &lines);
    found(
        &rules::clocks(&sources),
        &["src/client/probe.rs:2: `Instant`"],
    );
    found(
        &rules::backends(&sources),
        &["src/client/probe.rs:3: `io_uring`"],
    );
    let sources = planted("src/clock.rs", &lines);
    found(&rules::clocks(&sources), &[]);
    let sources = planted("src/shard/ring.rs", &lines);
    found(&rules::backends(&sources), &[]);
}

#[test]
fn a_file_without_a_role_is_found() {
    let silent = "benches/core.rs:1: does not begin with a `//!` line";
    found(
        &rules::roles(&planted("benches/core.rs", &["use x::y;"])),
        &[silent],
    );
    found(
        &rules::roles(&planted("benches/core.rs", &["//! Benches."])),
        &[],
    );
}

#[test]
fn unsafe_out_of_place_is_found_and_so_is_a_stale_entry() {
    let lines = [
        "//! unsafe",
        "fn f() { let s = \"unsafe\"; }",
        "unsafe impl Send for X {}",
    ];
    let findings = rules::unsafety(&planted("src/wire/packet.rs", &lines));
    assert_eq!(findings[0], "src/wire/packet.rs:3: `unsafe`");
    assert!(findings.contains(&"src/shard/mtu.rs: needs no `unsafe`".to_owned()));
}

#[test]
fn lints_that_are_switched_off_are_found() {
    let workspace = "[workspace.lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n";
    let package = ("a/Cargo.toml".to_owned(), "[package]\n".to_owned());
    found(
        &rules::lints(workspace, &[package]),
        &[
            "Cargo.toml: lacks `unsafe_op_in_unsafe_fn = \"deny\"`",
            "a/Cargo.toml: does not take the workspace's lints",
        ],
    );
}
