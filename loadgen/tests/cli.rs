//! The command: exit statuses, where what is printed, Ctrl-C.

mod support;

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bootstorm::result::RunResult;
use support::fake::{Fake, Fault};
use support::server::bytes;

fn bootstorm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstorm"));
    command.args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    bootstorm(args).output().expect("the program runs")
}

#[test]
fn wrong_usage_is_status_2() {
    for args in [
        &["run"][..],
        &[
            "run",
            "127.0.0.1",
            "-m",
            "1",
            "--file",
            "x",
            "--loss",
            "200%",
        ],
        &[
            "run",
            "127.0.0.1",
            "-m",
            "1",
            "--file",
            "x",
            "--arrival",
            "soon",
        ],
        &[
            "boot",
            "127.0.0.1",
            "-m",
            "1",
            "--scenario",
            "nothing-like-it",
        ],
        &[
            "run",
            "127.0.0.1",
            "-m",
            "9",
            "--file",
            "x",
            "--source-net",
            "10.0.0.0/30",
        ],
    ] {
        let output = output(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?} says why");
    }
}

#[test]
fn the_result_goes_to_standard_output_and_the_rest_does_not() {
    let fake = Fake::start(bytes(2_000), Fault::None);
    let target = fake.addr.to_string();
    let args = ["run", &target, "-m", "3", "--file", "f", "--json", "-"];
    let output = output(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let result: RunResult = serde_json::from_slice(&output.stdout).expect("a result alone");
    assert_eq!(result.transfers.completed, 3);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("3 machines"), "the plan: {told}");
}

#[test]
fn failures_and_missed_objectives_are_status_1() {
    let refuses = Fake::start(bytes(10), Fault::Refusal);
    let target = refuses.addr.to_string();
    let failed = output(&["run", &target, "-m", "2", "--file", "f", "--quiet"]);
    assert_eq!(failed.status.code(), Some(1));
    let serves = Fake::start(bytes(2_000), Fault::None);
    let target = serves.addr.to_string();
    let slo = [
        "run",
        &target,
        "-m",
        "2",
        "--file",
        "f",
        "--quiet",
        "--slo",
        "max(transfer) < 1ns",
    ];
    assert_eq!(output(&slo).status.code(), Some(1));
}

#[test]
fn an_interrupted_run_reports_what_there_is() {
    let silent = Fake::start(bytes(10), Fault::Silence);
    let target = silent.addr.to_string();
    let args = [
        "run", &target, "-m", "2", "--file", "f", "--wait", "60", "--json", "-",
    ];
    let child = bootstorm(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    std::thread::sleep(Duration::from_millis(700));
    interrupt(&child);
    let begun = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let result: RunResult = serde_json::from_slice(&output.stdout).expect("a result");
    assert!(result.cut_short);
    assert_eq!((result.transfers.begun, result.transfers.cut), (2, 2));
    assert_eq!(output.status.code(), Some(1));
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status();
    assert!(sent.expect("kill").success());
}

/// What a program prints on a terminal of its own.
fn on_a_terminal(command: &str) -> String {
    // From bsdutils, which is on every Debian system.
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_terminal_sees_progress_in_place_and_a_pipe_sees_lines() {
    let fake = Fake::start(bytes(5_000), Fault::None);
    let target = fake.addr.to_string();
    let load = [
        "run",
        &target,
        "-m",
        "4",
        "--file",
        "f",
        "--slow",
        "20",
        "--interval",
        "0.05",
    ];
    let program = env!("CARGO_BIN_EXE_bootstorm");
    let shown = on_a_terminal(&format!("stty cols 60; {program} {}", load.join(" ")));
    for part in [
        "of 4 transfers",
        "MB/s",
        "p99: first byte",
        "0 failed",
        "\u{1b}[3A",
    ] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    for line in shown.split("\u{1b}[K").skip(1) {
        let line = line.split(['\r', '\n']).next().unwrap_or("");
        assert!(line.chars().count() < 60, "{line:?}");
    }
    let told = String::from_utf8(output(&load).stderr).expect("text");
    assert!(!told.contains('\u{1b}'), "{told:?}");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains("MB/s")).collect();
    assert!(lines.len() > 1, "a line for each interval: {told}");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("0 failed") && line.contains("p99"))
    );
}

#[test]
fn nobody_needs_to_read_to_the_end() {
    for load in ["scenarios", "schema"] {
        let command = format!("{} {load} | head -n 1", env!("CARGO_BIN_EXE_bootstorm"));
        let output = Command::new("bash")
            .args(["-o", "pipefail", "-c", &command])
            .output()
            .expect("bash runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{load}: {told}");
    }
}
