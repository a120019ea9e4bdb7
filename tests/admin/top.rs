//! `ringboot top` against a real server: as text, and in a pseudo-terminal.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::http::Watched;
use crate::support::server::{PROGRAM, run_to_end};
use crate::support::{Fetch, Root, Setup};

#[test]
fn it_prints_the_farm_once() {
    let root = Root::with("vmlinuz", b"kernel");
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    Fetch::new(&watched.server, "vmlinuz", &[]).complete();
    thread::sleep(Duration::from_secs(5));
    let admin = watched.admin.to_string();
    let output = run_to_end(&["top", "--once", "--admin", &admin]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        said.starts_with("1 of 1 machines done, 0 transfers"),
        "{said}"
    );
    assert!(
        said.contains("127.0.0.1") && said.contains("vmlinuz"),
        "{said}"
    );
}

#[test]
fn it_says_what_to_do_without_a_server_and_without_the_token() {
    let output = run_to_end(&["top", "--admin", "127.0.0.1:1"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("does the server run with --admin 127.0.0.1:1?"),
        "{said}"
    );

    let root = Root::new();
    let token = root.write("token", b"correct-horse-battery\n");
    let token = token.to_str().expect("text");
    let watched = Watched::start(&root, Setup::EPOLL, &["--admin-token-file", token]);
    let admin = watched.admin.to_string();
    let output = run_to_end(&["top", "--admin", &admin]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--admin-token-file"), "{said}");
    let output = run_to_end(&["top", "--admin", &admin, "--admin-token-file", token]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// `script` lends it a terminal.
#[test]
fn it_lives_in_a_terminal_until_q() {
    let root = Root::with("vmlinuz", b"kernel");
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    Fetch::new(&watched.server, "vmlinuz", &[]).complete();
    thread::sleep(Duration::from_secs(1));
    let command = format!(
        "stty rows 30 cols 120; exec {PROGRAM} top --admin {}",
        watched.admin
    );
    let mut script = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("script, of Debian's bsdutils");
    let mut keys = script.stdin.take().expect("a pipe");
    for key in ["\r", "\u{1b}", "q"] {
        thread::sleep(Duration::from_millis(1500));
        keys.write_all(key.as_bytes()).expect("a key");
    }
    let output = script.wait_with_output().expect("an end");
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{seen}");
    for text in ["127.0.0.1", "vmlinuz", "completed", "recent failures"] {
        assert!(seen.contains(text), "no {text} in {seen:?}");
    }
    assert!(seen.contains("\u{1b}[?1049l"), "the screen is given back");
}
