//! The real server's process, as the kernel describes it and as each of its threads acts.
//! It never asks the server itself: a line in a log proves nothing.

use std::fs;
use std::time::Duration;

use crate::support::netns::privileged;
use crate::support::{Conversation, Fetch, Root, Server, Setup, pattern};

/// Each thread's `status`.
fn threads(server: &Server) -> Vec<(u32, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("threads");
    tasks
        .map(|task| {
            let task = task.expect("a thread");
            let id = task
                .file_name()
                .to_str()
                .expect("a number")
                .parse()
                .expect("a number");
            let status = fs::read_to_string(task.path().join("status")).expect("a status");
            (id, status)
        })
        .collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
}

backends! {
    /// No thread has a capability, a way to one, or a call that is not filtered.
    fn every_thread_has_given_all_up(setup) {
        let root = Root::with("file", b"content");
        let args = ["--sandbox", "strict", "--upload", root.path().to_str().expect("a text")];
        let server = Server::on(root.path(), setup).args(&args).start();
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        let all = threads(&server);
        assert!(all.len() > 5, "{}", all.len());
        for (_, status) in &all {
            assert_eq!(field(status, "NoNewPrivs"), "1");
            assert_eq!(field(status, "Seccomp"), "2");
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                let expected = match set {
                    // Only who may set capabilities can empty it; it is void without new privileges.
                    "CapBnd" if !rustix::process::geteuid().is_root() => continue,
                    _ => "0000000000000000",
                };
                assert_eq!(field(status, set), expected, "{set}");
            }
        }
        let ring = if setup == Setup::URING { "restricted" } else { "none" };
        let said = server.find_line(Duration::from_secs(10), |line| line.contains("sandbox: "));
        let said = said.expect("a line about the sandbox");
        assert!(said.contains("capabilities=none, landlock=abi "), "{said}");
        assert!(said.contains(&format!("seccomp=on, ring={ring}")), "{said}");
        server.stop();
    }

    /// Files that are made after the start are served, uploads come in, names are looked for in any
    /// case: nothing of that needs what was given up.
    fn it_serves_as_ever(setup) {
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), setup).args(&["--sandbox", "strict"]).start();
        let data = pattern(100_000, 3);
        root.write("sub/later", &data);
        assert_eq!(Fetch::new(&server, "sub/later", &[("blksize", "1400")]).complete().data, data);
        let mut client = Conversation::with(&server);
        client.rrq("../etc/passwd", "octet", &[]);
        client.expect_error(2);
        server.stop();
    }

    /// The user is the one that was named, in every thread, and so are its groups.
    fn root_becomes_the_user(setup) {
        if !privileged() {
            return;
        }
        let root = Root::with("file", b"content");
        rights(root.path(), 0o755);
        for sandbox in ["strict", "off"] {
            let args = ["--user", "nobody", "--sandbox", sandbox];
            let server = Server::on(root.path(), setup).args(&args).start();
            for (_, status) in threads(&server) {
                assert_eq!(field(&status, "Uid"), "65534\t65534\t65534\t65534");
                assert_eq!(field(&status, "Gid"), "65534\t65534\t65534\t65534");
                assert_eq!(field(&status, "Groups"), "65534");
                assert_eq!(field(&status, "CapEff"), "0000000000000000");
            }
            assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
            server.stop();
        }
    }
}

fn rights(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
}

/// Files that are root's only by a capability: it alone stays, and the operator is told.
#[test]
fn what_root_could_not_read_otherwise_keeps_one_capability() {
    if !privileged() {
        return;
    }
    let root = Root::with("file", b"content");
    rights(root.path(), 0o700);
    std::os::unix::fs::chown(root.path(), Some(65_534), Some(65_534)).expect("given away");
    let server = Server::start(root.path(), Setup::EPOLL);
    assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
    for (_, status) in threads(&server) {
        // CAP_DAC_READ_SEARCH
        assert_eq!(field(&status, "CapEff"), "0000000000000004");
    }
    assert!(
        server
            .stop()
            .contains("the capability dac_read_search stays")
    );
}

/// Turned off, nothing is given up: the other tests would notice.
#[test]
fn off_is_off() {
    let root = Root::with("file", b"content");
    let server = Server::on(root.path(), Setup::EPOLL)
        .args(&["--sandbox", "off"])
        .start();
    for (_, status) in threads(&server) {
        assert_eq!(field(&status, "NoNewPrivs"), "0");
        assert_eq!(field(&status, "Seccomp"), "0");
    }
    assert!(!server.stop().contains("sandbox"));
}

#[cfg(target_arch = "x86_64")]
mod injected {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::support::tracee::{Call, Tracee};

    const EACCES: i64 = -(libc::EACCES as i64);
    const EPERM: i64 = -(libc::EPERM as i64);

    backends! {
        /// As if somebody had taken the process over: every thread is made to call what it never would.
        fn no_thread_reads_other_files_or_connects(setup) {
            if !privileged() {
                return;
            }
            let root = Root::with("file", b"content");
            let inside = root.path().join("file");
            let up = root.path().join("up");
            fs::create_dir(&up).expect("a directory");
            let args = ["--upload", up.to_str().expect("a text")];
            let server = Server::on(root.path(), setup).args(&args).start();
            Fetch::new(&server, "file", &[]).complete();
            for (thread, status) in threads(&server) {
                let name = field(&status, "Name");
                let mut tracee = Tracee::stop(thread);
                let opened = tracee.call(&Call::open(&inside));
                assert!(opened >= 0, "{name}: {opened}");
                assert_eq!(tracee.call(&Call::close(opened)), 0, "{name}");
                assert_eq!(tracee.call(&Call::open("/etc/passwd")), EACCES, "{name}");
                assert_eq!(tracee.call(&Call::tcp_socket()), EPERM, "{name}");
                assert_eq!(tracee.call(&Call::new_ring()), EPERM, "{name}");
                assert_eq!(tracee.call(&Call::fork()), EPERM, "{name}");
            }
            // And nobody has noticed.
            assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
            server.stop();
        }
    }

    /// The same calls work where nothing was given up, so the tests above can fail.
    #[test]
    fn without_a_sandbox_they_do() {
        if !privileged() {
            return;
        }
        let root = Root::with("file", b"content");
        let server = Server::on(root.path(), Setup::EPOLL)
            .args(&["--sandbox", "off"])
            .start();
        for (thread, _) in threads(&server) {
            let mut tracee = Tracee::stop(thread);
            for call in [Call::open("/etc/passwd"), Call::tcp_socket()] {
                let fd = tracee.call(&call);
                assert!(fd >= 0, "{fd}");
                assert_eq!(tracee.call(&Call::close(fd)), 0);
            }
        }
        server.stop();
    }

    #[test]
    fn a_server_that_becomes_another_program_ends() {
        if !privileged() {
            return;
        }
        let root = Root::with("file", b"content");
        let mut server = Server::start(root.path(), Setup::EPOLL);
        let (thread, _) = threads(&server).pop().expect("a thread");
        Tracee::stop(thread).call_and_let_go(&Call::exec("/bin/true"));
        let status = server.wait_exit(Duration::from_secs(10));
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
    }
}

backends! {
    /// A root that the sandbox does not know needs a restart, and the log says so; one beside the
    /// configuration does not.
    fn a_reload_cannot_widen_the_sandbox(setup) {
        let (root, elsewhere) = (Root::with("one/file", b"one"), Root::with("file", b"elsewhere"));
        root.write("two/file", b"two");
        let configure = |directory: &str| {
            root.write("ringboot.toml", format!("version = 1\nroot = '{directory}'\n").as_bytes())
        };
        let config = configure("one");
        let server = Server::configured(&config, setup).start();
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"one");
        configure(elsewhere.path().to_str().expect("a text"));
        server.signal(rustix::process::Signal::HUP);
        let said = server.find_line(Duration::from_secs(10), |line| line.contains("nothing has changed"));
        assert!(said.expect("a refusal").contains("restart to use it"));
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"one");
        configure("two");
        server.signal(rustix::process::Signal::HUP);
        server.find_line(Duration::from_secs(10), |line| line.contains("read again")).expect("a reload");
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"two");
        server.stop();
    }
}
