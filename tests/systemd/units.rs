//! The units as shipped: systemd understands them, and thinks well of their hardening.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::programs;
use crate::support::server::PROGRAM;

/// `systemd-analyze security` says "OK" up to 5.0; this is what the shipped unit reaches, times ten.
const EXPOSURE: &str = "17";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/systemd")
        .join(name)
}

#[test]
fn systemd_understands_every_line() {
    let dir = TempDir::new().expect("a directory");
    for name in ["ringboot.service", "ringboot.socket"] {
        let unit = fs::read_to_string(shipped(name)).expect("a unit");
        // The package's path, where this machine has the program under test.
        let unit = unit.replace("/usr/bin/ringboot", PROGRAM);
        fs::write(dir.path().join(name), unit).expect("written");
    }
    let output = programs::run(
        dir.path(),
        &[
            "systemd-analyze",
            "verify",
            "--man=no",
            "./ringboot.service",
            "./ringboot.socket",
        ],
    );
    let said = String::from_utf8(output.stderr).expect("a text");
    // Before systemd 253 the line above it counts.
    let foreign = said
        .lines()
        .filter(|line| !line.contains("service type, ignoring: notify-reload"));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new(), "{said}");
}

#[test]
fn little_of_the_system_is_exposed() {
    let unit = shipped("ringboot.service");
    let unit = unit.to_str().expect("a text");
    let threshold = format!("--threshold={EXPOSURE}");
    programs::succeed(
        Path::new("/"),
        &[
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            unit,
        ],
    );
}

/// The kernel's filter in the unit lets through what ours does; else the server would be slower or
/// less confined than it thinks.
#[test]
fn the_unit_names_what_the_sandbox_needs() {
    let unit = fs::read_to_string(shipped("ringboot.service")).expect("a unit");
    for needed in [
        "@system-service",
        "capset",
        "sched_setaffinity",
        "seccomp",
        "landlock_restrict_self",
        "AF_NETLINK",
        "AF_UNIX",
    ] {
        assert!(unit.contains(needed), "{needed}");
    }
}
