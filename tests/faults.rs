//! What goes wrong on every farm: packets get lost, clients vanish, files change under a transfer,
//! nobody reads the log. The server stays, and no client ends with wrong bytes.

#[macro_use]
mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::conversation::any_port;
use support::fetch::Failed;
use support::packet::error;
use support::server::{PATIENCE, PROGRAM};
use support::{Conversation, Fetch, Root, Server, Setup, pattern};

type Change = fn(&Path);

/// Ways in which a file changes while it is read.
const CHANGES: [(&str, Change); 9] = [
    ("truncated to nothing", |path| truncate(path, 0)),
    ("truncated inside a page", |path| truncate(path, 50_123)),
    ("truncated before what was sent", |path| truncate(path, 700)),
    ("truncated by a byte", |path| truncate(path, LEN as u64 - 1)),
    ("truncated and filled again", |path| {
        truncate(path, 0);
        fs::write(path, pattern(LEN, 99)).unwrap();
    }),
    ("overwritten in place", |path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&pattern(LEN, 98), 0).unwrap();
    }),
    ("appended to", |path| {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"more").unwrap();
    }),
    ("replaced", |path| {
        let new = path.with_extension("new");
        fs::write(&new, pattern(LEN, 97)).unwrap();
        fs::rename(new, path).unwrap();
    }),
    ("deleted", |path| fs::remove_file(path).unwrap()),
];

const LEN: usize = 200_000;

fn truncate(path: &Path, len: u64) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(len)
        .unwrap();
}

/// The old bytes exactly, or an ERROR.
fn fetch_through(
    server: &Server,
    path: PathBuf,
    how: &str,
    change: Change,
    options: &[(&str, &str)],
) {
    fs::write(&path, pattern(LEN, 1)).unwrap();
    let fetch = Fetch::new(server, "file", options).at(20, move || change(&path));
    match fetch.run() {
        Ok(fetched) => assert!(
            fetched.data == pattern(LEN, 1),
            "{how}, {options:?}: a mixture was completed"
        ),
        Err(Failed::Error { text, .. }) => assert!(!text.contains("/"), "no path of ours: {text}"),
        Err(Failed::Silence) => panic!("{how}, {options:?}: the client was left alone"),
    }
}

matrix! {
    /// A file that changes during its transfer: the old bytes exactly, or ERROR; and the server is
    /// still there for the next.
    fn a_changing_file_never_becomes_a_mixture(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        for (how, change) in CHANGES {
            for options in [&[][..], &[("blksize", "1428"), ("windowsize", "8")], &[("blksize", "4096")]] {
                fetch_through(&server, root.path().join("file"), how, change, options);
            }
        }
        // Still serving.
        root.write("file", b"content");
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        server.stop();
    }

    /// The same for a text in netascii.
    fn a_changing_text_never_becomes_a_mixture(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        let text = "0123456789abcdef0123456789abcd\n".repeat(LEN / 31);
        let wire = text.replace('\n', "\r\n");
        for (how, change) in CHANGES {
            let path = root.write("file", text.as_bytes());
            let fetch = Fetch::new(&server, "file", &[]).netascii("file", &[]).at(20, move || change(&path));
            match fetch.run() {
                Ok(fetched) => assert!(fetched.data == wire.as_bytes(), "{how}: a mixture was completed"),
                Err(Failed::Error { .. }) => {}
                Err(Failed::Silence) => panic!("{how}: the client was left alone"),
            }
        }
        server.stop();
    }

    /// A file that is truncated under many transfers at a time, each at another block.
    fn a_file_is_truncated_under_many_transfers(setup) {
        let data = pattern(LEN, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut clients: Vec<_> = (0..100).map(|_| Conversation::with(&server)).collect();
        for client in &mut clients {
            client.rrq("file", "octet", &[("blksize", "1000")]);
        }
        for (depth, client) in (0..).zip(&mut clients) {
            client.expect_oack(&[("blksize", "1000")]);
            client.ack(0);
            for block in 1..=depth % 10 + 1_u16 {
                client.expect_data(block, &data[usize::from(block - 1) * 1000..][..1000]);
                if block <= depth % 10 {
                    client.ack(block);
                }
            }
        }
        truncate(&root.path().join("file"), 100);
        for (depth, client) in (0..).zip(&mut clients) {
            let mut block = depth % 10 + 1;
            // Whatever still comes, the end is an ERROR.
            loop {
                client.ack(block);
                match client.expect() {
                    support::Packet::Data { block: next, .. } => {
                        assert!(next <= 200, "never the last block, which is empty");
                        block = next;
                    }
                    support::Packet::Error { .. } => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(server.transfer_with(client.local()).outcome(), "aborted");
        }
        root.write("file", b"content");
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        server.stop();
    }

    /// The next request gets the file as it is then, however often it changed.
    fn a_new_request_gets_the_new_content(setup) {
        let root = Root::new();
        let server = Server::start(root.path(), setup);
        for round in 0..40 {
            let data = pattern(3000, round);
            match round % 3 {
                0 => drop(root.write("file", &data)),
                1 => {
                    let new = root.write("new", &data);
                    fs::rename(new, root.path().join("file")).unwrap();
                }
                _ => {
                    fs::remove_file(root.path().join("file")).unwrap();
                    root.write("file", &data);
                }
            }
            let fetched = Fetch::new(&server, "file", &[("blksize", "1400")]).complete();
            assert!(fetched.data == data, "round {round}");
        }
        fs::remove_file(root.path().join("file")).unwrap();
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_error(1);
        server.stop();
    }

    /// A client whose port is closed is gone at once: ICMP says so.
    fn a_closed_client_is_gone_at_once(setup) {
        let root = Root::with("file", &pattern(5000, 1));
        let server = Server::start(root.path(), setup);
        for options in [&[][..], &[("blksize", "1000"), ("windowsize", "4")]] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", options);
            drop(client.expect());
            client.ack(if options.is_empty() { 1 } else { 0 });
            drop(client.expect());
            let local = client.local();
            drop(client);
            let transfer = server.wait_within(Duration::from_secs(9), |transfer| transfer.text("client") == local.to_string());
            assert_eq!(transfer.outcome(), "peer_gone");
        }
        server.stop();
    }

    /// One packet in a hundred is lost: it costs round trips, not seconds. This client never sends
    /// an ACK again by itself (GRUB), so each lost packet waits for the server.
    fn one_percent_loss_costs_round_trips(setup) {
        let data = pattern(1428 * 1500 + 17, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for options in [&[("blksize", "1428")][..], &[("blksize", "1428"), ("windowsize", "16")]] {
            let fetched = Fetch::new(&server, "file", options).lossy(100, 7).complete();
            assert!(fetched.data == data, "the same bytes");
            assert!(fetched.lost >= 10, "{} lost", fetched.lost);
            // A timer of a second would take at least so many seconds.
            let limit = Duration::from_millis(250) * u32::try_from(fetched.lost).unwrap();
            assert!(fetched.took < limit, "{} lost, {:?}", fetched.lost, fetched.took);
        }
        server.stop();
    }

    /// One packet in five is lost, and it still arrives.
    fn heavy_loss_is_survived(setup) {
        let data = pattern(100_000, 2);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for (seed, windowsize) in [(1, "1"), (2, "8"), (3, "32")] {
            let options = [("blksize", "1428"), ("windowsize", windowsize)];
            let fetched = Fetch::new(&server, "file", &options).lossy(5, seed).patience(Duration::from_secs(29)).complete();
            assert!(fetched.data == data, "the same bytes");
        }
        server.stop();
    }

    /// Regular files only, whatever else lies in the root; and no request waits for a FIFO.
    fn only_regular_files_are_served(setup) {
        let root = Root::with("file", b"content");
        fs::create_dir(root.path().join("directory")).unwrap();
        let fifo = root.path().join("fifo");
        support::programs::succeed(root.path(), &["mkfifo", fifo.to_str().unwrap()]);
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        let server = Server::start(root.path(), setup);
        for name in ["directory", "directory/", "fifo", "socket", "/", "."] {
            let mut client = Conversation::with(&server);
            client.rrq(name, "octet", &[]);
            client.expect_error(2);
            assert_eq!(server.transfer_with(client.local()).outcome(), "refused", "{name}");
        }
        let mut client = Conversation::with(&server);
        client.rrq("file/below", "octet", &[]);
        client.expect_error(1);
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        server.stop();
    }

    /// Symbolic links inside the root lead on; those out of it do not.
    fn links_stay_inside_the_root(setup) {
        let outside = Root::with("secret", b"secret");
        let root = Root::with("real/file", b"content");
        let link = |target: &Path, name: &str| symlink(target, root.path().join(name)).unwrap();
        link(Path::new("real/file"), "inside");
        link(Path::new("real"), "directory");
        link(&root.path().join("real/file"), "whole path");
        link(Path::new("inside"), "twice");
        link(Path::new("/etc/passwd"), "absolute");
        link(&outside.path().join("secret"), "outside");
        link(Path::new("../../../../../../etc/passwd"), "up");
        link(Path::new("/proc/self/root/etc/passwd"), "magic");
        link(Path::new("loop"), "loop");
        link(Path::new("nowhere"), "dangling");
        link(outside.path(), "elsewhere");
        let server = Server::start(root.path(), setup);
        for name in ["inside", "directory/file", "whole path", "twice"] {
            assert_eq!(Fetch::new(&server, name, &[]).complete().data, b"content", "{name}");
        }
        for name in ["absolute", "outside", "up", "magic", "loop", "dangling", "elsewhere/secret"] {
            match Fetch::new(&server, name, &[]).run() {
                Err(Failed::Error { code: 1 | 2, .. }) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
        server.stop();
    }
}

backends! {
    /// A client that never answers gets a few datagrams and is forgotten: `timed_out`.
    fn a_silent_client_times_out(setup) {
        let root = Root::with("file", &pattern(5000, 1));
        let server = Server::start(root.path(), setup);
        let mut plain = Conversation::with(&server);
        plain.rrq("file", "octet", &[]);
        let mut asking = Conversation::with(&server);
        asking.rrq("file", "octet", &[("blksize", "1000"), ("windowsize", "64")]);
        for client in [&mut plain, &mut asking] {
            let transfer = server.wait_within(Duration::from_secs(30), |transfer| transfer.text("client") == client.local().to_string());
            assert_eq!(transfer.outcome(), "timed_out");
            let packets = client.listen_for(Duration::from_millis(50));
            assert!((2..=5).contains(&packets.len()), "{} datagrams", packets.len());
        }
        server.stop();
    }

    /// Clients that stop at the beginning of a huge file leave nothing behind: it is mapped, not read.
    fn a_client_leaves_a_huge_file(setup) {
        let root = Root::new();
        File::create(root.path().join("huge")).unwrap().set_len(6 << 30).unwrap();
        let server = Server::start(root.path(), setup);
        let before = server.rss();
        for _ in 0..20 {
            let mut client = Conversation::with(&server);
            client.rrq("huge", "octet", &[("blksize", "65464"), ("windowsize", "2"), ("tsize", "0")]);
            client.expect_oack(&[("blksize", "65464"), ("windowsize", "2"), ("tsize", "6442450944")]);
            client.ack(0);
            for block in 1..=2 {
                client.expect_data(block, &[0; 65464]);
            }
            client.send(&error(3, "Disk full"));
            assert_eq!(server.transfer_with(client.local()).outcome(), "peer_error");
        }
        let after = server.rss();
        assert!(after < before + 100_000, "{before} KiB became {after}");
        server.stop();
    }

    /// Nobody reads the log: the pipe fills up, then breaks. Files are served all the same.
    fn a_stuck_log_stops_nothing(setup) {
        let root = Root::with("file", b"content");
        let mut unread = Unread::start(&root, setup);
        // Some 300 bytes a line, and a pipe holds 64 KiB.
        let result = std::panic::catch_unwind(|| fetch_often(unread.addr, 2_000));
        unread.log = None;
        let broken = std::panic::catch_unwind(|| fetch_often(unread.addr, 500));
        let alive = unread.child.try_wait().unwrap().is_none();
        drop(unread);
        result.expect("served with a full pipe");
        broken.expect("served with a broken pipe");
        assert!(alive, "the server outlives its log");
    }

    /// Nor does it keep the server from ending when it is told to.
    fn a_stuck_log_does_not_hold_up_the_end(setup) {
        let root = Root::with("file", b"content");
        let mut unread = Unread::start(&root, setup);
        fetch_often(unread.addr, 1_000);
        let pid = Pid::from_child(&unread.child);
        kill_process(pid, Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match unread.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "still there after SIGTERM"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0));
    }
}

/// A server whose log is read up to the ready line and no further.
struct Unread {
    child: Child,
    addr: SocketAddr,
    log: Option<BufReader<ChildStderr>>,
}

impl Unread {
    fn start(root: &Root, setup: Setup) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--shards", "2", "--io"])
            .args([setup.io.as_str(), "--root"])
            .arg(root.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let addr = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "no ready line");
            if let Some(rest) = line.strip_prefix("ringboot: ready on ") {
                break rest.split(' ').next().unwrap().parse().unwrap();
            }
        };
        let log = Some(log);
        Self { child, addr, log }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fetch_often(addr: SocketAddr, rounds: usize) {
    for _ in 0..rounds {
        let mut client = Conversation::between(any_port(addr), addr);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
    }
}

/// A client that had begun and falls silent is given up after the stated time. Half a minute, so
/// that it runs only when asked for.
#[test]
#[ignore = "takes half a minute"]
fn a_client_that_falls_silent_is_given_up() {
    let root = Root::with("file", &pattern(5000, 1));
    let server = Server::start(root.path(), Setup::EPOLL);
    let mut client = Conversation::with(&server);
    client.rrq("file", "octet", &[]);
    client.expect_data(1, &pattern(5000, 1)[..512]);
    client.ack(1);
    let local = client.local().to_string();
    let transfer = server.wait_within(Duration::from_secs(60), |transfer| {
        transfer.text("client") == local
    });
    assert_eq!(transfer.outcome(), "timed_out");
    assert!(transfer.millis("duration_ms") >= 25_000.0);
}

/// 4 GiB and more to the last byte, in large windows. Nightly.
#[test]
#[ignore = "reads more than 4 GiB"]
fn more_than_4_gib_to_the_last_byte() {
    let root = Root::new();
    let file = File::create(root.path().join("huge")).unwrap();
    let size = (4_u64 << 30) + 12_345;
    file.set_len(size).unwrap();
    let end = pattern(5000, 1);
    file.write_all_at(&end, size - 5000).unwrap();
    drop(file);
    let server = Server::start(root.path(), Setup::URING);
    let options = [("blksize", "1428"), ("windowsize", "64"), ("tsize", "0")];
    let fetched = Fetch::new(&server, "huge", &options)
        .tail(100_000)
        .complete();
    assert_eq!(fetched.bytes, size);
    assert!(fetched.data.ends_with(&end));
    server.stop();
}
