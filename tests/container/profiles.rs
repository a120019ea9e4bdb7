//! The seccomp profiles are the runtime's default and exactly io_uring's three calls, in both forms.
//! It never trusts the script that made them: it compares the documents itself.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::image::{from_here, json, succeed};
use super::possible;

/// The default profile as Debian packages it.
const PACKAGED: &str = "/usr/share/containers/seccomp.json";

/// How to say that a call is allowed.
const ALLOW: &str = "SCMP_ACT_ALLOW";

/// Our profile in the form that runc and containerd read.
pub fn ours() -> Value {
    json(&from_here("deploy/container/seccomp-oci.json"))
}

/// The runtime's default in the same form.
pub fn default() -> Value {
    let text = succeed(Command::new(from_here("deploy/container/seccomp")).arg("--plain"));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_profile_is_the_default_and_three_calls() {
    if !possible() {
        return;
    }
    let packaged = json(PACKAGED.as_ref());
    let mut profile = json(&from_here("deploy/container/seccomp.json"));
    let rules = profile["syscalls"].as_array_mut().expect("rules");
    let added = rules.pop().expect("a rule");
    assert_eq!(profile, packaged, "all but the last rule is the default");
    assert_eq!(
        added["names"],
        json!(["io_uring_enter", "io_uring_register", "io_uring_setup"])
    );
    assert_eq!(added["action"], ALLOW);
}

#[test]
fn the_decided_form_allows_exactly_three_calls_more_than_the_default() {
    if !possible() {
        return;
    }
    let allowed = |profile: &Value| -> BTreeSet<String> {
        let rules = profile["syscalls"].as_array().expect("rules").iter();
        rules
            .filter(|rule| rule["action"] == ALLOW)
            .flat_map(|rule| rule["names"].as_array().expect("names"))
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    let (ours, default) = (ours(), default());
    let more: Vec<_> = allowed(&ours)
        .difference(&allowed(&default))
        .cloned()
        .collect();
    assert_eq!(
        more,
        ["io_uring_enter", "io_uring_register", "io_uring_setup"]
    );
    assert!(allowed(&ours).is_superset(&allowed(&default)));
    assert_eq!(ours["defaultAction"], "SCMP_ACT_ERRNO");
    // Conditions were decided for a process without privileges.
    for call in [
        "bpf",
        "delete_module",
        "open_by_handle_at",
        "perf_event_open",
    ] {
        assert!(!allowed(&ours).contains(call), "{call}");
    }
}

#[test]
fn the_files_are_what_the_script_makes() {
    if !possible() {
        return;
    }
    succeed(Command::new(from_here("deploy/container/seccomp")).arg("--check"));
}
