//! Settings: three spellings of one name, which of them wins, and what `ringboot config` and `ringboot
//! check` say of them.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ringboot::cli::{flags, variable};
use ringboot::config::Config;
use support::server::{PROGRAM, run_to_end};
use support::{Fetch, Root, Server, Setup};

/// A value for each flag of `serve` that is not its default. A new flag needs its line, a key in the file
/// and one in deploy/ringboot.toml.
const SAMPLES: &[(&str, &str)] = &[
    ("msftwindow", "true"),
    ("root", "/tmp"),
    ("listen", "127.0.0.1:6969"),
    ("shards", "3"),
    ("io", "epoll"),
    ("single-port", "true"),
    ("data-ports", "40000-40063"),
    ("max-blksize", "1024"),
    ("max-windowsize", "8"),
    ("frame-memory", "16"),
    ("zero-copy", "off"),
    ("drain-timeout", "5"),
    ("log", "text"),
    ("log-level", "warn"),
    ("allow", "10.0.0.0/8"),
    ("deny", "10.1.0.0/16"),
    ("requests-per-second", "11"),
    ("requests-burst", "12"),
    ("errors-per-second", "13"),
    ("errors-burst", "14"),
    ("transfers-per-client", "15"),
    ("transfers", "16"),
    ("neighbours", "false"),
    ("admin", "127.0.0.1:9070"),
    ("admin-token-file", "/tmp/token"),
    ("map-file", "/tmp/map"),
    ("multicast", "239.255.0.0/24"),
    ("multicast-port", "5000"),
    ("multicast-hops", "2"),
    ("multicast-wait", "3"),
    ("upload", "/tmp"),
    ("upload-policy", "overwrite"),
    ("upload-allow", "*.cfg"),
    ("upload-max-file", "1M"),
    ("upload-max-client", "2M"),
    ("upload-max-total", "3M"),
    ("user", "nobody"),
    ("sandbox", "off"),
];

/// What is no setting.
const NO_SETTINGS: &[&str] = &["config", "takeover"];

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

fn run(args: &[&str], env: &[(&str, &str)]) -> Said {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = command.envs(env.iter().copied()).output().expect("it runs");
    Said {
        status: status.code(),
        out: String::from_utf8(stdout).expect("text"),
        err: String::from_utf8(stderr).expect("text"),
    }
}

/// The settings that are printed, by their name and without their comments.
fn settings(text: &str) -> Vec<String> {
    let code = |line: &str| match line.find("  # ") {
        Some(at) => line[..at].trim_end().to_owned(),
        None => line.split(" # ").next().unwrap_or("").trim_end().to_owned(),
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(code).filter(|line| !line.is_empty()).collect()
}

#[track_caller]
fn line<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no line that begins with {start:?} in\n{text}"))
}

fn file(root: &Root, text: &str) -> PathBuf {
    root.write("ringboot.toml", format!("version = 1\n{text}").as_bytes())
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file_and_all_are_told() {
    let dir = Root::new();
    let path = file(
        &dir,
        "root = 'boot'\nshards = 2\nmax-windowsize = 16\ndrain-timeout = 5\n\n[access]\nallow = '10.0.0.0/8'\n",
    );
    let path = path.to_str().expect("text");
    let env = [
        ("RINGBOOT_CONFIG", path),
        ("RINGBOOT_SHARDS", "3"),
        ("RINGBOOT_MAX_WINDOWSIZE", "8"),
        ("RINGBOOT_DENY", "10.1.0.0/16, 10.2.0.0/16"),
    ];
    let said = run(&["config", "--shards", "4"], &env);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    for (start, value, origin) in [
        (
            "root",
            format!("{}/boot", dir.path().display()),
            format!("{path}:2"),
        ),
        ("shards", "4".into(), "flag --shards".into()),
        (
            "max-windowsize",
            "8".into(),
            "environment RINGBOOT_MAX_WINDOWSIZE".into(),
        ),
        ("drain-timeout", "5".into(), format!("{path}:5")),
        ("io ", "auto".into(), "default".into()),
        ("allow", "[\"10.0.0.0/8\"]".into(), format!("{path}:8")),
        (
            "deny",
            "[\"10.1.0.0/16\", \"10.2.0.0/16\"]".into(),
            "environment RINGBOOT_DENY".into(),
        ),
        ("requests-burst", "20000".into(), "default".into()),
    ] {
        let line = line(&said.out, start);
        assert!(
            line.contains(&value) && line.ends_with(&format!("# {origin}")),
            "{line}"
        );
    }
}

#[test]
fn every_flag_is_a_key_and_a_variable() {
    for flag in flags() {
        if NO_SETTINGS.contains(&flag.as_str()) {
            continue;
        }
        let sample = SAMPLES.iter().find(|(name, _)| *name == flag);
        let (_, value) =
            sample.unwrap_or_else(|| panic!("--{flag} has no sample in tests/config.rs"));
        let by_flag = run(&["config", &format!("--{flag}={value}")], &[]);
        assert_eq!(by_flag.status, Some(0), "--{flag}: {}", by_flag.err);
        let wanted = format!("# flag --{flag}");
        let shown = by_flag.out.lines().find(|line| line.ends_with(&wanted));
        let shown = shown.unwrap_or_else(|| panic!("{wanted} is missing in\n{}", by_flag.out));
        assert!(shown.contains(value) && !shown.starts_with('#'), "{shown}");

        let name = variable(&flag);
        let by_variable = run(&["config"], &[(&name, value)]);
        assert_eq!(by_variable.status, Some(0), "{name}: {}", by_variable.err);
        let wanted = format!("# environment {name}");
        assert!(
            by_variable.out.lines().any(|line| line.ends_with(&wanted)),
            "{}",
            by_variable.out
        );
        assert_eq!(
            settings(&by_flag.out),
            settings(&by_variable.out),
            "--{flag} and {name}"
        );
    }
}

/// Whoever keeps what is printed has the same server without flags and variables.
#[test]
fn what_is_printed_is_a_configuration_that_says_the_same() {
    let dir = Root::new();
    let path = file(
        &dir,
        r#"
root = "boot"
data-ports = "40000-40063"
map-file = "map"
[limits]
requests-per-second = 7
[clients]
leases = [{ file = "dhcp.leases", format = "isc" }]
[[host]]
mac = "52:54:00:12:34:56"
hostname = "node7"
[roots.default]
unique-root = "ip"
[roots."with space"]
path = "other"
ignore-case = true
fallback = "default"
[[rule]]
name = 'a "name" # no comment'
match = '^secret/(?<rest>.*)'
from = ["10.0.0.0/8", "2001:db8::/32"]
mac = "52:54:00"
operation = "read"
options = { blksize = true, tsize = false, windowsize = 16 }
rewrite = '{{rest}}'
repeat = true
[[rule]]
match = '^x'
deny = { code = 1, text = "Not here" }
[[rule]]
match = '^y'
deny = true
[[rule]]
try = ["a", "b"]
template = "t"
[templates.t]
content = """
#!ipxe
kernel {{name}} # with a comment
"""
"#,
    );
    let path = path.to_str().expect("text");
    let first = run(
        &[
            "config", "--config", path, "--shards", "2", "--listen", ":6969",
        ],
        &[],
    );
    assert_eq!(first.status, Some(0), "{}", first.err);
    let printed = dir.write("printed.toml", first.out.as_bytes());
    let printed = printed.to_str().expect("text");
    let second = run(&["config", "--config", printed], &[]);
    assert_eq!(second.status, Some(0), "{}\n{}", second.err, first.out);
    assert_eq!(settings(&first.out), settings(&second.out));
    let read = |path: &str| Config::read(Path::new(path)).expect("a configuration");
    let (one, other) = (read(path), read(printed));
    let plan = |config: &Config| {
        // Rules are told by the line in which they stand.
        let plan = format!("{:?}", config.plan().expect("a plan"));
        let parts: Vec<&str> = plan.split("(line ").collect();
        let without = |part: &&str| {
            part.trim_start_matches(|c: char| c.is_ascii_digit())
                .to_owned()
        };
        parts.iter().map(without).collect::<Vec<_>>()
    };
    assert_eq!(plan(&one), plan(&other));
    assert_eq!(one.file.access(), other.file.access());
    assert!(
        first.out.contains(&format!(
            "[[rule]]                                     # {path}:19"
        )),
        "{}",
        first.out
    );
}

#[test]
fn a_wrong_variable_is_named_with_its_value_and_what_is_allowed() {
    let dir = Root::new();
    let root = dir.path().to_str().expect("text");
    let env = [("RINGBOOT_IO", "magic"), ("RINGBOOT_SHARDS", "0")];
    for command in ["serve", "config"] {
        let said = run(&[command, root], &env);
        assert_eq!(said.status, Some(2), "{command}");
        assert!(
            said.err
                .contains("RINGBOOT_IO=magic: there are: auto, uring, epoll"),
            "{}",
            said.err
        );
        assert!(
            said.err
                .contains("RINGBOOT_SHARDS=0: it is a number from 1 to 1024"),
            "{}",
            said.err
        );
    }
    let said = run(&["check", root], &env);
    assert_eq!(said.status, Some(1));
    assert!(
        said.out.contains("problem: RINGBOOT_IO=magic") && said.out.contains("2 problems"),
        "{}",
        said.out
    );
}

#[test]
fn an_unknown_variable_is_warned_of() {
    let dir = Root::with("file", b"content");
    let server = Server::on(dir.path(), Setup::EPOLL)
        .env("RINGBOOT_DRAIN_TIME", "1")
        .start();
    let warned = server.find_line(Duration::from_secs(10), |line| {
        line.contains(
            "RINGBOOT_DRAIN_TIME means nothing to ringboot; did you mean RINGBOOT_DRAIN_TIMEOUT?",
        )
    });
    assert!(
        warned.is_some_and(|line| line.contains("WARN")),
        "{}",
        server.stderr()
    );
    server.stop();
}

/// As in a container: nothing but the environment.
#[test]
fn a_server_runs_by_its_environment_alone() {
    let dir = Root::with("file", b"content");
    let server = Server::on(Path::new(""), Setup::EPOLL)
        .env("RINGBOOT_ROOT", dir.path().to_str().expect("text"))
        .env("RINGBOOT_SINGLE_PORT", "true")
        .env("RINGBOOT_LOG_LEVEL", "error")
        .start();
    let fetched = Fetch::new(&server, "file", &[]).complete();
    assert_eq!(fetched.data, b"content");
    let said = server.stop();
    assert!(!said.contains("completed"), "the level is error: {said}");
}

#[test]
fn check_names_all_mistakes_and_ends_with_a_verdict() {
    let dir = Root::new();
    let path = file(
        &dir,
        "lissten = ':69'\nshards = 0\n[access]\nalow = []\n[[rule]]\nmach = 'x'\n",
    );
    let path = path.to_str().expect("text");
    let said = run(&["check", "--config", path], &[]);
    assert_eq!(said.status, Some(1), "{}", said.out);
    for wanted in [
        "ringboot.toml:2:1: unknown key `lissten`; did you mean `listen`?",
        "ringboot.toml:3:10: 0 is not within 1 to 1024",
        "ringboot.toml:5:1: unknown key `alow`; did you mean `allow`?",
        "ringboot.toml:7:1: unknown key `mach`; did you mean `match`?",
    ] {
        assert!(
            said.out.contains(wanted),
            "{wanted} is missing in\n{}",
            said.out
        );
    }
    let verdict = format!("bad: {path}: 4 problems, 0 warnings");
    assert_eq!(said.out.lines().last(), Some(verdict.as_str()));

    let good = file(&dir, "root = '.'\nlisten = '127.0.0.1:0'\n");
    let good = good.to_str().expect("text");
    let said = run(&["check", "--config", good], &[]);
    assert_eq!(said.status, Some(0), "{}", said.out);
    let verdict = said.out.lines().last().expect("a verdict");
    assert!(
        verdict.starts_with(&format!("good: {good}: 0 problems")),
        "{verdict}"
    );
    assert_eq!(
        run_to_end(&["check", "--no-such-flag"]).status.code(),
        Some(2)
    );
}

#[test]
fn settings_that_exclude_each_other_are_a_mistake_of_the_file() {
    let dir = Root::new();
    let path = file(&dir, "root = '.'\nsingle-port = true\ndata-ports = '8-9'\n");
    let said = run(&["config", "--config", path.to_str().expect("text")], &[]);
    assert_eq!(said.status, Some(2));
    assert!(
        said.err
            .contains("ringboot.toml:4:1: `single-port` and `data-ports`"),
        "{}",
        said.err
    );
}
