//! The rules of the architecture, each as a function from sources to what breaks it.
//! They never look at comments or texts: only code counts.

use super::source::{Source, Token};

/// Which of our modules each one may name. What is not listed here may name none, and a new
/// module needs its line.
const LAYERS: &[(&str, &[&str])] = &[
    // The bounds are partly times, and time is the transfer's type.
    ("limits", &["transfer"]),
    ("clock", &["transfer"]),
    ("wire", &["limits"]),
    ("transfer", &["limits", "wire"]),
    ("endpoint", &["limits", "transfer", "wire"]),
    ("names", &["endpoint", "limits", "wire"]),
    (
        "files",
        &[
            "clock", "endpoint", "hosts", "limits", "names", "transfer", "wire",
        ],
    ),
    ("hosts", &["clock", "limits", "names", "transfer"]),
    (
        "observe",
        &["clock", "endpoint", "hosts", "limits", "transfer", "wire"],
    ),
    (
        "shard",
        &[
            "clock", "endpoint", "files", "limits", "names", "observe", "transfer", "wire",
        ],
    ),
    ("top", &["cli", "limits", "observe"]),
    // in.tftpd's ways: a stage of the naming policy.
    ("hpa", &["limits", "names", "wire"]),
    ("import", &["cli", "limits", "observe"]),
    ("generate", &["cli"]),
    ("client", &["cli", "clock", "limits", "transfer", "wire"]),
    (
        "daemon",
        &[
            "cli", "clock", "config", "endpoint", "files", "hosts", "hpa", "limits", "names",
            "observe", "shard", "transfer",
        ],
    ),
    (
        "config",
        &["cli", "endpoint", "hosts", "hpa", "limits", "names"],
    ),
    ("cli", &["endpoint", "limits", "names", "transfer"]),
    (
        "advise",
        &[
            "cli", "config", "daemon", "endpoint", "files", "names", "observe", "shard", "wire",
        ],
    ),
];

/// They do no I/O and ask no clock, so that a simulator can be their whole world.
const PURE: [&str; 3] = ["wire", "transfer", "endpoint"];

/// Where a pure module may use a crate beside `core` and `alloc`.
const PURE_CRATES: &[(&str, &str)] = &[
    ("src/endpoint/keyed.rs", "siphasher"),
    ("src/endpoint/table.rs", "hashbrown"),
];

/// `std` by its own name, and by the macros that need no name.
const STD: [&str; 7] = [
    "std",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
    "thread_local",
];

/// Every way to learn the time that this project could come upon.
const CLOCKS: [&str; 7] = [
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "clock_gettime",
    "gettimeofday",
    "ClockId",
    "timespec_get",
];

const BACKENDS: [&str; 5] = ["io_uring", "uring", "epoll", "EpollBackend", "UringBackend"];

/// The files that meet the kernel, where no safe wrapper exists; `/` ends a folder.
const UNSAFE: &[&str] = &[
    "src/client/socket.rs",
    "src/clock.rs",
    "src/daemon/background.rs",
    "src/daemon/finisher.rs",
    "src/daemon/inherited.rs",
    "src/daemon/precedence.rs",
    "src/daemon/user.rs",
    "src/files/memory.rs",
    "src/files/upload/restrict.rs",
    "src/shard/delivery.rs",
    "src/shard/epoll.rs",
    "src/shard/epoll_wait.rs",
    "src/shard/errqueue.rs",
    "src/shard/inbox.rs",
    "src/shard/mtu.rs",
    "src/shard/options.rs",
    "src/shard/render.rs",
    "src/shard/steer.rs",
    "src/shard/tests/congestion.rs",
    "src/shard/uring/",
    "tests/admin/freeze.rs",
    "tests/allocation/counting.rs",
    "tests/files/content.rs",
    "tests/hpa/ere.rs",
    "tests/hpa/servers.rs",
    "tests/sandbox/child.rs",
    "tests/sandbox/less.rs",
    "tests/scarcity.rs",
    "tests/support/jail.rs",
    "tests/support/server.rs",
    "tests/support/tracee.rs",
    "benches/floor/src/",
];

/// Something that breaks a rule, as `file:line: what`.
pub type Finding = String;

pub fn layers(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in production(sources) {
        let module = source.module();
        let Some(top) = module.first() else {
            continue;
        };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| name == top) else {
            findings.push(format!("{}:1: `{top}` has no line in LAYERS", source.path));
            continue;
        };
        for (name, line) in source.imports() {
            if name != *top && !allowed.contains(&name) {
                findings.push(format!("{}:{line}: `{top}` names `{name}`", source.path));
            }
        }
    }
    findings
}

pub fn pure(sources: &[Source], dependencies: &[String]) -> Vec<Finding> {
    find_words(sources, |source, word| {
        let inside = source
            .module()
            .first()
            .is_some_and(|top| PURE.contains(top));
        let foreign =
            STD.contains(&word) || word == "extern" || dependencies.iter().any(|name| name == word);
        inside && foreign && !PURE_CRATES.contains(&(source.path.as_str(), word))
    })
}

pub fn clocks(sources: &[Source]) -> Vec<Finding> {
    find_words(sources, |source, word| {
        source.path != "src/clock.rs" && CLOCKS.contains(&word)
    })
}

pub fn backends(sources: &[Source]) -> Vec<Finding> {
    find_words(sources, |source, word| {
        !source.path.starts_with("src/shard/") && BACKENDS.contains(&word)
    })
}

/// Every file says first what it is for.
pub fn roles(sources: &[Source]) -> Vec<Finding> {
    let silent = |source: &&Source| !source.text.starts_with("//! ");
    let say = |source: &Source| format!("{}:1: does not begin with a `//!` line", source.path);
    sources.iter().filter(silent).map(say).collect()
}

/// `unsafe` only where it is expected, and no file expected without need. That each block says
/// why it is sound is a lint's business (`undocumented_unsafe_blocks`).
pub fn unsafety(sources: &[Source]) -> Vec<Finding> {
    let listed = |path: &str| UNSAFE.iter().find(|entry| path.starts_with(**entry));
    let mut findings = Vec::new();
    let mut unused: Vec<&str> = UNSAFE.to_vec();
    for source in sources {
        let Some(token) = source.tokens().iter().find(|token| token.text == "unsafe") else {
            continue;
        };
        match listed(&source.path) {
            Some(entry) => unused.retain(|other| other != entry),
            None => findings.push(at(source, token)),
        }
    }
    findings.extend(
        unused
            .iter()
            .map(|entry| format!("{entry}: needs no `unsafe`")),
    );
    findings
}

/// The lints that watch over `unsafe` blocks, and whether each package heeds them.
pub fn lints(workspace: &str, packages: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in [
        "undocumented_unsafe_blocks = \"deny\"",
        "unsafe_op_in_unsafe_fn = \"deny\"",
    ] {
        if !workspace.lines().any(|other| other == line) {
            findings.push(format!("Cargo.toml: lacks `{line}`"));
        }
    }
    for (path, manifest) in packages {
        if !manifest.contains("[lints]\nworkspace = true\n") {
            findings.push(format!("{path}: does not take the workspace's lints"));
        }
    }
    findings
}

/// The names of `[dependencies]` as Rust spells them.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap_or("");
    let name = |line: &str| {
        let (name, _) = line.split_once(" = ")?;
        (!name.starts_with('#')).then(|| name.replace('-', "_"))
    };
    section.lines().filter_map(name).collect()
}

fn production(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| !source.is_test())
}

fn find_words(sources: &[Source], wrong: impl Fn(&Source, &str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in production(sources) {
        let found = source
            .tokens()
            .iter()
            .filter(|token| wrong(source, &token.text));
        findings.extend(found.map(|token| at(source, token)));
    }
    findings
}

fn at(source: &Source, token: &Token) -> Finding {
    format!("{}:{}: `{}`", source.path, token.line, token.text)
}
