//! Transfers that fail: the exit status, the line, and that nothing is left behind.
//! It never measures time.

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use super::script::{files, get, local_socket, ringboot, server, stderr};

#[test]
fn an_error_in_the_middle_leaves_no_file() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, &[1; 512]);
        side.expect_ack(1);
        side.send(b"\0\x05\0\0disk \x1b[2J gone\n\0");
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &[]);
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line = format!(
        "ringboot: get \"dir/file.bin\" from 127.0.0.1:{port}: server says: disk \\u{{1b}}[2J gone\\n (0)\n"
    );
    assert_eq!(stderr(&output), line);
    assert!(files(place.path()).is_empty());
}

#[test]
fn a_failure_keeps_the_file_that_was_there() {
    let (port, script) = server(|side| {
        side.request();
        side.send(b"\0\x05\0\x01");
    });
    let place = tempdir().unwrap();
    std::fs::write(place.path().join("file.bin"), "old").unwrap();
    let output = get(place.path(), port, &[]);
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("server says: file not found (1)\n"));
    assert_eq!(
        std::fs::read(place.path().join("file.bin")).unwrap(),
        b"old"
    );
    assert_eq!(files(place.path()), ["file.bin"]);
}

#[test]
fn a_silent_server_is_asked_as_often_as_told() {
    let (port, script) = server(|side| {
        for _ in 0..3 {
            side.request();
        }
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--timeout", "0.05", "--retries", "2"]);
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no answer within 0.15 s"));
    assert!(files(place.path()).is_empty());
}

#[test]
fn a_server_that_goes_silent_in_the_middle_hears_that_we_gave_up() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, &[1; 512]);
        for _ in 0..3 {
            side.expect_ack(1);
        }
        side.expect_error(0);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--timeout", "0.05", "--retries", "2"]);
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("went silent in the middle"));
    assert!(files(place.path()).is_empty());
}

#[test]
fn a_closed_port_is_said_at_once() {
    let port = local_socket().local_addr().unwrap().port();
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("connection refused"));
}

#[test]
fn a_file_of_another_size_than_promised_is_not_kept() {
    for sent in [&b"shor"[..], b"longer"] {
        let (port, script) = server(move |side| {
            side.request();
            side.oack(b"tsize\x005\0");
            side.expect_ack(0);
            side.data(1, sent);
            side.expect_error(0);
        });
        let place = tempdir().unwrap();
        let output = get(place.path(), port, &[]);
        script.join().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("promised 5 bytes"));
        assert!(files(place.path()).is_empty());
    }
}

#[test]
fn what_was_not_asked_for_is_refused() {
    for grant in [
        &b"blksize\x001429\0"[..],
        b"windowsize\x000\0",
        b"windowsize\x009\0",
        b"timeout\x005\0",
        b"rollover\x000\0",
        b"tsize\x00x\0",
    ] {
        let (port, script) = server(move |side| {
            side.request();
            side.oack(grant);
            side.expect_error(8);
        });
        let place = tempdir().unwrap();
        let output = get(place.path(), port, &[]);
        script.join().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("was not asked for"));
    }
}

#[test]
fn a_block_longer_than_agreed_is_refused() {
    let (port, script) = server(|side| {
        side.request();
        side.oack(b"blksize\x00100\0");
        side.expect_ack(0);
        side.data(1, &[0; 101]);
        side.expect_error(4);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &[]);
    script.join().unwrap();
    assert!(stderr(&output).contains("more than 100 bytes"));
}

#[test]
fn a_full_disk_is_the_clients_failure_and_the_server_hears_of_it() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, b"x");
        side.expect_error(0);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["-o", "/dev/full"]);
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write /dev/full: No space left"));
}

#[test]
fn an_output_that_cannot_be_opened_costs_the_server_nothing() {
    let listener = local_socket();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["-o", "missing/file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write missing/file"));
    assert!(listener.recv(&mut [0; 600]).is_err(), "a request was sent");
}

#[test]
fn an_interrupt_is_told_to_the_server_and_leaves_no_file() {
    let place = tempdir().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let (port, script) = server(move |side| {
        side.request();
        side.data(1, &[1; 512]);
        side.expect_ack(1);
        sender.send(()).unwrap();
        // The wait for block 2 may have ended before the signal came.
        let mut packet = side.next();
        while packet == [0, 4, 0, 1] {
            packet = side.next();
        }
        assert_eq!(packet[..4], [0, 5, 0, 0]);
    });
    let server = format!("127.0.0.1:{port}");
    let args = ["get", &server, "f", "--retries", "1000"];
    let mut command = ringboot(place.path(), &args);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    receiver.recv().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    script.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("interrupted\n"));
    assert!(files(place.path()).is_empty());
}

#[test]
fn wrong_usage_is_status_2() {
    let place = tempdir().unwrap();
    for args in [
        &["get"][..],
        &["get", "host"],
        &["get", "host:x", "f"],
        &["get", "host", "f", "--blksize", "7"],
        &["get", "host", "f", "--timeout", "0"],
        &["serve"],
        &["probe"],
        &[],
    ] {
        let status = ringboot(place.path(), args).output().unwrap().status;
        assert_eq!(status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_name_without_a_last_part_needs_an_output() {
    let place = tempdir().unwrap();
    for name in ["", "dir/", "..", "a\\"] {
        let output = ringboot(place.path(), &["get", "127.0.0.1:9", name]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("say with -o where to write"));
    }
}

#[test]
fn nobody_need_read_the_summary() {
    let directory = tempdir().unwrap();
    let (port, script) = server(|side| {
        side.request();
        // By now the reader is gone.
        thread::sleep(Duration::from_millis(200));
        side.data(1, b"content");
        side.expect_ack(1);
    });
    let server = format!("127.0.0.1:{port}");
    let mut command = ringboot(directory.path(), &["get", &server, "file"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    script.join().unwrap();
    assert_eq!(files(directory.path()), ["file"]);
}
