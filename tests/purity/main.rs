//! The architecture as a test: who may name whom, and where clocks, backends and `unsafe` stand.
//! It never runs the server; it reads the sources.

mod planted;
mod rules;
mod source;

use std::path::Path;

use rules::Finding;
use source::Source;

#[test]
fn modules_name_only_those_below_them() {
    none(&rules::layers(&sources(&["src"])));
}

#[test]
fn the_core_needs_only_core_and_alloc() {
    let dependencies = rules::dependencies(&read("Cargo.toml"));
    assert!(
        dependencies.contains(&"io_uring".to_owned()),
        "{dependencies:?}"
    );
    none(&rules::pure(&sources(&["src"]), &dependencies));
}

#[test]
fn one_file_asks_what_time_it_is() {
    none(&rules::clocks(&sources(&["src"])));
}

#[test]
fn only_the_shards_name_a_backend() {
    none(&rules::backends(&sources(&["src"])));
}

#[test]
fn every_file_says_its_role_first() {
    none(&rules::roles(&sources(&["src", "tests", "benches"])));
}

#[test]
fn unsafe_stands_only_where_the_kernel_is_met() {
    none(&rules::unsafety(&sources(&["src", "tests", "benches"])));
}

#[test]
fn every_package_heeds_the_lints() {
    let package = |path: &str| (path.to_owned(), read(path));
    let packages = [
        "Cargo.toml",
        "benches/floor/Cargo.toml",
        "benches/packet-path/Cargo.toml",
        "loadgen/Cargo.toml",
    ]
    .map(package);
    none(&rules::lints(&read("Cargo.toml"), &packages));
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |folder: &&str| Source::all_below(root, folder);
    let sources: Vec<Source> = folders.iter().flat_map(below).collect();
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn none(findings: &[Finding]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
