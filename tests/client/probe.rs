//! The monitoring probe: one line, and the status that a monitor reads.
//! It never measures time.

use std::path::Path;
use std::process::{Output, Stdio};

use super::script::{local_socket, ringboot, server};

fn probe(port: u16, args: &[&str]) -> Output {
    let server = format!("127.0.0.1:{port}");
    let args = [&["probe", &*server], args].concat();
    ringboot(Path::new("."), &args).output().unwrap()
}

#[track_caller]
fn check(output: &Output, status: i32, start: &str) {
    let line = String::from_utf8_lossy(&output.stdout);
    assert!(line.starts_with(start), "{line}");
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    assert_eq!(output.status.code(), Some(status));
    assert!(output.stderr.is_empty());
}

#[test]
fn an_error_is_an_answer_and_its_text_stays_on_its_line() {
    let (port, script) = server(|side| {
        assert_eq!(side.request(), b"ringboot-probe\0octet\0");
        side.send(b"\0\x05\0\x01File | not\nfound\0");
    });
    let output = probe(port, &[]);
    script.join().unwrap();
    let start =
        format!("TFTP OK - 127.0.0.1:{port} answered ERROR 1 \"File \\x7c not\\nfound\" in ");
    check(&output, 0, &start);
    let line = String::from_utf8(output.stdout).unwrap();
    let (_, figures) = line.split_once('|').unwrap();
    assert!(figures.starts_with(" rtt=0."), "{figures}");
    assert!(figures.ends_with("s;;;0\n"), "{figures}");
}

#[test]
fn a_transfer_that_began_is_ended() {
    for (packet, word) in [(&b"\0\x03\0\x01abc"[..], "DATA 1"), (b"\0\x06", "OACK")] {
        let (port, script) = server(move |side| {
            assert_eq!(side.request(), b"dude.txt\0octet\0");
            side.send(packet);
            side.expect_error(0);
        });
        let output = probe(port, &["--file", "dude.txt"]);
        script.join().unwrap();
        check(
            &output,
            0,
            &format!("TFTP OK - 127.0.0.1:{port} answered {word} in "),
        );
    }
}

#[test]
fn one_lost_request_is_no_outage() {
    let (port, script) = server(|side| {
        side.request();
        side.request();
        side.send(b"\0\x05\0\x02");
    });
    // Long enough that a busy machine still answers within the second half.
    let output = probe(port, &["--timeout", "4"]);
    script.join().unwrap();
    check(
        &output,
        0,
        &format!("TFTP OK - 127.0.0.1:{port} answered ERROR 2 (access violation)"),
    );
}

#[test]
fn silence_and_what_is_no_tftp_are_dead() {
    let (port, script) = server(|side| {
        side.request();
        for junk in [
            &b""[..],
            b"x",
            b"\0\x09hello",
            b"\0\x04\0\0",
            b"\0\x01f\0octet\0",
        ] {
            side.send(junk);
        }
        side.request();
    });
    let output = probe(port, &["--timeout", "0.3"]);
    script.join().unwrap();
    check(
        &output,
        2,
        &format!("TFTP CRITICAL - no answer from 127.0.0.1:{port} within 0.3 s\n"),
    );
}

#[test]
fn a_closed_port_is_dead_with_its_reason() {
    let port = local_socket().local_addr().unwrap().port();
    let start = format!("TFTP CRITICAL - 127.0.0.1:{port}: connection refused");
    // So long a timeout would be noticed.
    check(&probe(port, &["--timeout", "255"]), 2, &start);
}

#[test]
fn an_unknown_host_is_one_line_too() {
    let args = ["probe", "no-such-host.invalid", "--timeout", "1"];
    let output = ringboot(Path::new("."), &args).output().unwrap();
    check(
        &output,
        2,
        "TFTP CRITICAL - cannot resolve host no-such-host.invalid: ",
    );
}

/// A monitor that reads the status alone may have hung up.
#[test]
fn nobody_need_read_the_line() {
    let (port, script) = server(|side| {
        side.request();
        // By now the reader is gone.
        std::thread::sleep(std::time::Duration::from_millis(200));
        side.send(b"\0\x05\0\x01no\0");
    });
    let server = format!("127.0.0.1:{port}");
    let mut command = ringboot(Path::new("."), &["probe", &server]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.join().unwrap();
}
