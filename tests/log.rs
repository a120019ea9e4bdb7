//! The log's forms, and what it does under a flood of refusals.

#[macro_use]
mod support;

use std::io::{BufRead, BufReader, PipeReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::fstat;
use support::server::PROGRAM;
use support::{Conversation, Packet, Root, Server};

backends! {
    /// The first ten of a second for each reason, and the number of the others; all with `debug`.
    fn a_flood_of_refusals_is_a_few_lines_and_a_count(setup) {
        const FLOOD: usize = 600;
        let root = Root::new();
        for (level, all) in [("info", false), ("debug", true)] {
            let server = Server::on(root.path(), setup).args(&["--log-level", level]).start();
            for number in 0..FLOOD {
                let mut client = Conversation::with(&server);
                client.rrq(&format!("missing-{number}"), "octet", &[]);
                client.expect_error(1);
            }
            let said = server.stop();
            let lines: Vec<serde_json::Value> = said
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .filter(|line: &serde_json::Value| line["outcome"] == "missing")
                .collect();
            let shown = lines.iter().filter(|line| line["client"].is_string()).count();
            let more: u64 = lines.iter().filter_map(|line| line["more"].as_u64()).sum();
            assert_eq!(shown + usize::try_from(more).expect("few"), FLOOD, "{level}: every one is told");
            if all {
                assert_eq!(shown, FLOOD);
            } else {
                // Ten of each second that the flood took.
                assert!(shown < FLOOD / 2 && more > 0, "{shown} lines, {more} more");
                assert!(lines.len() > shown, "a line with the count");
            }
        }
    }
}

/// A server whose standard error is a pipe that is called the journal's.
struct Journal {
    child: Child,
    lines: BufReader<PipeReader>,
}

impl Journal {
    fn start(root: &Root, args: &[&str], is_journal: bool) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let stat = fstat(&writer).expect("a status");
        let inode = stat.st_ino + u64::from(!is_journal);
        let child = Command::new(PROGRAM)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--io",
                "epoll",
                "--root",
            ])
            .arg(root.path())
            .args(args)
            .env_remove("RUST_LOG")
            .env("JOURNAL_STREAM", format!("{}:{inode}", stat.st_dev))
            .stdin(Stdio::null())
            .stderr(writer)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(reader);
        Self { child, lines }
    }

    fn line(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("a line");
            assert!(read > 0, "the server ended without {wanted:?}");
            if line.contains(wanted) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn port(&mut self) -> String {
        let ready = self.line("ringboot: ready on ");
        let words: Vec<&str> = ready.split(' ').collect();
        words[3].to_owned()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for a name that would forge lines and steer terminals.
fn ask_wildly(addr: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a limit");
    let request = [
        b"\0\x01x\n<0>forged\r\x1b[31mred\x07".as_slice(),
        b"\0octet\0",
    ]
    .concat();
    socket.send_to(&request, addr).expect("sent");
    let mut answer = [0; 600];
    let (len, _) = socket.recv_from(&mut answer).expect("an answer");
    assert!(matches!(Packet::read(&answer[..len]), Packet::Error { .. }));
}

#[test]
fn under_systemd_lines_have_a_priority_and_no_time() {
    let root = Root::new();
    for args in [&[][..], &["--log", "journald"]] {
        let mut server = Journal::start(&root, args, args.is_empty());
        let addr = server.port();
        ask_wildly(&addr);
        let line = server.line("missing");
        assert!(line.starts_with("<6>transfer client=127.0.0.1:"), "{line}");
        assert!(line.contains(r"x\n<0>forged\r\u{1b}[31mred"), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

/// The variable is inherited by whoever is started below a service, with another standard error.
#[test]
fn another_stream_than_the_journals_gets_json() {
    let root = Root::new();
    let mut server = Journal::start(&root, &[], false);
    let addr = server.port();
    ask_wildly(&addr);
    let line = server.line("missing");
    assert!(
        line.starts_with('{') && !line.contains(char::is_control),
        "{line:?}"
    );
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(value["file"], "x\n<0>forged\r\u{1b}[31mred\u{7}");
}

#[test]
fn text_escapes_what_steers_a_terminal() {
    let root = Root::new();
    let mut server = Journal::start(&root, &["--log", "text"], true);
    let addr = server.port();
    ask_wildly(&addr);
    let line = server.line("missing");
    assert!(line.contains(" INFO transfer client=127.0.0.1:"), "{line}");
    assert!(!line.contains(char::is_control), "{line:?}");
}
