//! The container image, built by `deploy/container/build` and run by runc under the profiles that runtimes have.
//! It never needs a registry, a network beyond its own namespaces, or an engine like Docker.
//!
//! Needs root, buildah and runc (Debian packages); `RINGBOOT_SKIP_CONTAINERS=1` skips it.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod bundle;
mod image;
mod profiles;
mod run;

use std::process::{Command, Stdio};

use support::server::flag;

/// Whether containers can be run. Panics when not, unless the caller said that this is known.
fn possible() -> bool {
    if flag("RINGBOOT_SKIP_CONTAINERS") {
        eprintln!("skipped: RINGBOOT_SKIP_CONTAINERS is set");
        return false;
    }
    for tool in ["buildah", "runc"] {
        let mut command = Command::new(tool);
        let status = command.arg("--version").stdout(Stdio::null()).status();
        assert!(
            status.is_ok(),
            "cannot run {tool}: install the Debian packages buildah and runc; RINGBOOT_SKIP_CONTAINERS=1 skips this"
        );
    }
    support::netns::privileged()
}
