//! Other people's clients, with a limit on their time.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest run of one client.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a program to its end. Panics when it is missing or does not end.
pub fn run(dir: &Path, argv: &[&str]) -> Output {
    run_with_input(dir, argv, "")
}

/// The same, with a text for its standard input (at most a pipe's buffer).
pub fn run_with_input(dir: &Path, argv: &[&str], input: &str) -> Output {
    let mut child = Command::new(argv[0])
        .args(&argv[1..])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "cannot run {}: {error}; the tests with real clients need curl, tftp-hpa, atftp, \
                 busybox and iproute2",
                argv[0]
            )
        });
    {
        use std::io::Write;
        let mut stdin = child.stdin.take().expect("a pipe");
        // A client that needs no input may have closed the pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let out = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        bytes
    });
    let err = thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        bytes
    });
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{argv:?} did not end within {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: out.join().expect("a reader"),
        stderr: err.join().expect("a reader"),
    }
}

/// Runs a program that has to succeed.
pub fn succeed(dir: &Path, argv: &[&str]) -> Output {
    let output = run(dir, argv);
    assert!(
        output.status.success(),
        "{argv:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
