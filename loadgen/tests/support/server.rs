//! `ringboot serve` on a free loopback port.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub struct Server {
    child: Child,
    pub addr: SocketAddr,
}

impl Server {
    /// Serves a directory, on one shard.
    pub fn start(root: &Path) -> Self {
        Self::listening(root, "127.0.0.1:0")
    }

    pub fn listening(root: &Path, listen: &str) -> Self {
        Self::run(Command::new(program()), root, listen)
    }

    /// Serves in a network namespace.
    pub fn inside(netns: &str, root: &Path, listen: &str) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns]).arg(program());
        Self::run(command, root, listen)
    }

    fn run(mut command: Command, root: &Path, listen: &str) -> Self {
        let mut child = command
            .args(["serve", "--shards", "1", "--listen", listen, "--root"])
            .arg(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let ready = lines.by_ref().map_while(Result::ok);
        let mut ready =
            ready.filter_map(|line| Some(line.strip_prefix("ringboot: ready on ")?.to_string()));
        let ready = ready.next().expect("a ready line");
        let addr = ready
            .split([' ', ','])
            .next()
            .and_then(|addr| addr.parse().ok());
        // Somebody must read the log, or the server would drop lines.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            child,
            addr: addr.expect("an address"),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's binary of the same build as this test.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("our own path");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("target/profile/deps");
        let mut build = Command::new(env!("CARGO"));
        // With a test, as libraries then have the features that they have in a build of all tests, and there is
        // nothing left to build after one.
        build.args(["build", "--quiet", "--workspace", "--bin", "ringboot"]);
        build.args(["--test", "config"]);
        build
            .arg("--target-dir")
            .arg(folder.parent().expect("target"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(
            build.status().expect("cargo").success(),
            "ringboot is built"
        );
        folder.join("ringboot")
    })
}

/// A directory with these files.
pub fn root(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    for (name, content) in files {
        fs::write(root.path().join(name), content).expect("a file");
    }
    root
}

/// Bytes in which no two blocks are alike.
pub fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}
