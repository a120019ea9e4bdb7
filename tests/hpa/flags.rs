//! The same command line for Debian's in.tftpd and for ours.
//! It never assumes what a flag does: both must do the same.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::servers::{Answer, BOTH, Daemon, Which, ask, ask_with, farm, free_address, spawn};
use crate::support::server::PATIENCE;

#[test]
fn without_secure_names_are_full_paths_within_the_directories() {
    if crate::no_root() {
        return;
    }
    let dir = farm(&["one/a", "two/b", "three/c"]);
    let root = dir.path().join("root");
    let path = |name: &str| root.join(name).to_str().expect("text").to_owned();
    let (one, two) = (path("one"), path("two"));
    let names = [
        path("one/a"),
        path("two/b"),
        path("three/c"),
        path("one/missing"),
        path("one/../three/c"),
        "one/a".into(),
        "/etc/passwd".into(),
        "a".into(),
    ];
    let [theirs, ours] = BOTH.map(|which| {
        let at = free_address();
        let address = at.to_string();
        let _daemon =
            Daemon::spawn(which, &["-L", "-a", &address, &one, &two], Stdio::null()).ready(at);
        names.each_ref().map(|name| ask(at, name.as_bytes()))
    });
    assert_eq!(theirs, ours);
    assert!(matches!(ours[0], Answer::Data(_)));
}

#[test]
fn only_what_everybody_may_read_is_served_unless_permissive() {
    if crate::no_root() {
        return;
    }
    use std::os::unix::fs::{PermissionsExt, chown};

    let dir = farm(&["a", "private"]);
    let root = dir.path().join("root");
    let private = root.join("private");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).expect("permissions");
    // The file of the user that the server becomes.
    chown(&private, Some(65_534), None).expect("nobody's file");
    for (flags, served) in [("-Ls", false), ("-Lsp", true)] {
        let [theirs, ours] = BOTH.map(|which| {
            let at = free_address();
            let args = [flags, "-a", &at.to_string(), root.to_str().expect("text")];
            let _daemon = Daemon::spawn(which, &args, Stdio::null()).ready(at);
            [ask(at, b"a"), ask(at, b"private")]
        });
        assert_eq!(theirs, ours, "{flags}");
        assert_eq!(matches!(ours[1], Answer::Data(_)), served, "{ours:?}");
    }
}

#[test]
fn the_block_size_is_capped() {
    if crate::no_root() {
        return;
    }
    let dir = farm(&["a"]);
    let root = dir.path().join("root");
    let request = b"\0\x01a\0octet\0blksize\x009000\0";
    let [theirs, ours] = BOTH.map(|which| {
        let at = free_address();
        let args = [
            "-L",
            "-s",
            "-B",
            "1024",
            "-a",
            &at.to_string(),
            root.to_str().expect("text"),
        ];
        let _daemon = Daemon::spawn(which, &args, Stdio::null()).ready(at);
        ask_with(at, request, Duration::from_secs(2))
    });
    assert_eq!(theirs, ours);
    assert_eq!(ours, Answer::Oack(b"blksize\x001024\0".to_vec()));
}

#[test]
fn wrong_flags_end_with_the_same_status() {
    if crate::no_root() {
        return;
    }
    let dir = farm(&["a"]);
    let root = dir.path().join("root");
    let root = root.to_str().expect("text");
    let at = free_address().to_string();
    for args in [
        &["-L", "-s", "-a", &at][..],
        &["-L", "-s", "-a", &at, root, root],
        &["-L", "-s", "-a", &at, "/no/such/directory"],
        &["-L", "-s", "-a", &at, "-u", "no-such-user", root],
        &["-L", "-s", "-a", &at, "-B", "100", root],
        &["-L", "-s", "-a", &at, "-R", "9:1", root],
        &["-L", "-s", "-a", &at, "-m", "/no/such/map", root],
        &["-L", "-4", "-s", "-a", "[::1]:7", root],
    ] {
        let [theirs, ours] = BOTH.map(|which| {
            let mut daemon = Daemon::spawn(which, args, Stdio::null());
            daemon.end(PATIENCE).and_then(|status| status.code())
        });
        assert_eq!(theirs, ours, "{args:?}");
        assert!(ours.is_some_and(|code| code != 0), "{args:?}");
    }
}

#[test]
fn the_background_the_pid_file_and_the_user() {
    if crate::no_root() {
        return;
    }
    for which in BOTH {
        let dir = farm(&["a"]);
        let (root, pidfile) = (dir.path().join("root"), dir.path().join("pid"));
        let at = free_address();
        let pid_text = pidfile.to_str().expect("text");
        let args = [
            "-l",
            "-s",
            "-P",
            pid_text,
            "-a",
            &at.to_string(),
            root.to_str().expect("text"),
        ];
        let mut daemon = Daemon::spawn(which, &args, Stdio::null());
        let status = daemon.end(PATIENCE).expect("the foreground ends");
        assert!(status.success(), "{which:?}: {status}");
        let answer = ask_until_there(at);
        assert_eq!(answer, Answer::Data(b"a".to_vec()), "{which:?}");
        let mode = fs::metadata(&pidfile).expect("a pid file").mode();
        assert_eq!(mode & 0o022, 0, "{which:?}: others may write it: {mode:o}");
        let pid: i32 = fs::read_to_string(&pidfile)
            .expect("a pid file")
            .trim()
            .parse()
            .expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
        let gone = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            !pidfile.exists()
        });
        assert!(gone, "{which:?} leaves its pid file");
    }
}

#[test]
fn it_serves_on_the_socket_of_inetd_and_ends_when_idle() {
    if crate::no_root() {
        return;
    }
    for which in BOTH {
        let dir = farm(&["a"]);
        let root = dir.path().join("root");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let at = socket.local_addr().expect("an address");
        let args = ["-s", "-t", "2", root.to_str().expect("text")];
        let socket = std::os::fd::OwnedFd::from(socket);
        let mut daemon = Daemon::spawn(which, &args, Stdio::from(socket));
        assert_eq!(
            ask_until_there(at),
            Answer::Data(b"a".to_vec()),
            "{which:?}"
        );
        let status = daemon.end(PATIENCE).expect("an end after two idle seconds");
        assert!(status.success(), "{which:?}: {status}");
    }
}

#[test]
fn it_serves_on_sockets_of_systemd() {
    if crate::no_root() {
        return;
    }
    let dir = farm(&["a"]);
    let root = dir.path().join("root");
    // As systemd does for `ListenDatagram=69`: one socket for both versions of IP.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).expect("a socket");
    socket.set_only_v6(false).expect("both versions");
    let any: std::net::SocketAddr = "[::]:0".parse().expect("an address");
    socket.bind(&any.into()).expect("bound");
    let port = socket
        .local_addr()
        .expect("an address")
        .as_socket()
        .expect("IP")
        .port();

    let (program, _link) = Which::Ours.program();
    // The shell passes the socket as systemd does; `exec` keeps the process id.
    let script = format!(
        "LISTEN_PID=$$ LISTEN_FDS=1 exec {} -s {} 3<&0 </dev/null",
        program.display(),
        root.display()
    );
    let mut command = Command::new("/bin/sh");
    let socket = std::os::fd::OwnedFd::from(socket);
    command.args(["-c", &script]).stdin(Stdio::from(socket));
    let mut child = spawn(command);
    for client in ["127.0.0.1", "[::1]"] {
        let at = format!("{client}:{port}").parse().expect("an address");
        assert_eq!(ask_until_there(at), Answer::Data(b"a".to_vec()), "{client}");
    }
    child.kill().expect("it runs");
    child.wait().expect("a child");
}

/// in.tftpd says what is wrong, with -v what is asked; so do we, in as many steps.
#[test]
fn verbosity_raises_the_level_of_the_log() {
    if crate::no_root() {
        return;
    }
    let dir = farm(&["a"]);
    let root = dir.path().join("root");
    let lines = |flags: &[&str]| {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let at = free_address();
        let (program, _link) = Which::Ours.program();
        let mut command = Command::new(program);
        command
            .args(["-L", "-s", "-a", &at.to_string()])
            .args(flags)
            .arg(&root)
            .stderr(log.reopen().expect("the file"));
        let mut child = spawn(command);
        assert_eq!(ask_until_there(at), Answer::Data(b"a".to_vec()));
        // More of a kind than have a line of their own in a second.
        for _ in 0..20 {
            ask(at, b"missing");
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
        child.wait().expect("a child");
        let said = fs::read_to_string(log.path()).expect("the log");
        let count = |word: &str| said.lines().filter(|line| line.contains(word)).count();
        (count("\"completed\""), count("\"missing\",\"bytes\""))
    };
    for (flags, completed, missing) in [
        (&[][..], 0, 0..1),
        (&["-v"], 1, 10..20),
        (&["--verbosity", "1"], 1, 10..20),
        (&["-vv"], 1, 20..21),
        (&["-v", "--verbosity=1"], 1, 20..21),
    ] {
        let found = lines(flags);
        assert_eq!(found.0, completed, "{flags:?}");
        assert!(missing.contains(&found.1), "{flags:?}: {found:?}");
    }
}

/// The file `a`, from a server that may still be starting.
fn ask_until_there(at: std::net::SocketAddr) -> Answer {
    for _ in 0..50 {
        let answer = ask_with(at, b"\0\x01a\0octet\0", Duration::from_millis(400));
        if answer != Answer::Silence {
            return answer;
        }
    }
    Answer::Silence
}
