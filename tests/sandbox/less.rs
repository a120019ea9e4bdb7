//! Kernels and containers that have less: the server starts with a warning, or refuses where all is
//! demanded.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::jail::{self, Hook};
use crate::support::server::PROGRAM;
use crate::support::{Fetch, Root, Server, Setup, pattern};

/// What is missing, and the words of the warning.
const LESS: [(Hook, &str); 2] = [
    (jail::no_landlock, "has no Landlock"),
    (jail::no_seccomp, "system calls are not filtered"),
];

backends! {
    fn it_serves_with_a_warning(setup) {
        let data = pattern(50_000, 9);
        let root = Root::with("file", &data);
        for (hook, warning) in LESS {
            let server = Server::on(root.path(), setup).jail(hook).start();
            assert_eq!(Fetch::new(&server, "file", &[]).complete().data, data);
            let said = server.stop();
            assert_eq!(said.matches("sandbox: ").count(), 2, "{said}");
            assert!(said.contains(warning), "{said}");
            let lacks = ["landlock=off", "seccomp=off"];
            assert_eq!(lacks.iter().filter(|lack| said.contains(**lack)).count(), 1, "{said}");
        }
    }
}

/// A container without io_uring and without Landlock, as under old engines: epoll, names and rights.
#[test]
fn a_poor_container_is_enough() {
    let data = pattern(50_000, 9);
    let root = Root::with("file", &data);
    let server = Server::on(root.path(), Setup::EPOLL).auto().jail(neither);
    let server = server.start();
    assert_eq!(Fetch::new(&server, "file", &[]).complete().data, data);
    let said = server.stop();
    assert!(said.contains("io=epoll, because"), "{said}");
    assert!(
        said.contains("landlock=off, seccomp=on, ring=none"),
        "{said}"
    );
}

fn neither() -> std::io::Result<()> {
    jail::no_landlock()?;
    jail::no_io_uring()
}

#[test]
fn strict_refuses_in_one_line() {
    for (hook, reason) in LESS {
        let root = Root::with("file", b"content");
        let mut command = Command::new("timeout");
        command
            .args([
                "20",
                PROGRAM,
                "serve",
                "--sandbox",
                "strict",
                "--shards",
                "1",
            ])
            .args(["--listen", "127.0.0.1:0", "--root"])
            .arg(root.path());
        // SAFETY: the hooks use prctl only, which is async-signal-safe.
        unsafe { command.pre_exec(hook) };
        let output = command.output().expect("timeout starts");
        let said = String::from_utf8(output.stderr).expect("a text");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "one line: {said}");
        assert!(
            said.contains(reason) && said.contains("--sandbox strict demands it"),
            "{said}"
        );
    }
}
