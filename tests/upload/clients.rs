//! Real clients upload: curl, tftp-hpa, atftp, busybox and our own; and ours to other servers.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sender::server;
use crate::support::server::PROGRAM;
use crate::support::{Root, Server, pattern, programs};

/// Around the borders of blocks of 512 and 1428 bytes.
const SIZES: [usize; 6] = [0, 1, 512, 1_428, 100_000, 1_000_003];

/// Uploads a file of each size by `command`, which gets the local path and the name to give it.
fn put_all(server: &Server, dir: &Root, command: impl Fn(&str, &str) -> Vec<String>) {
    let from = Root::new();
    for size in SIZES {
        let name = format!("file-{size}");
        let content = pattern(size, size as u64);
        let path = from.write(&name, &content);
        let argv = command(path.to_str().unwrap(), &name);
        let argv: Vec<_> = argv.iter().map(String::as_str).collect();
        programs::succeed(from.path(), &argv);
        let got = fs::read(dir.path().join(&name)).unwrap_or_default();
        assert!(got == content, "{argv:?}: {} bytes of {size}", got.len());
        let transfer = server.wait_for(|transfer| transfer.text("file") == name);
        assert_eq!(transfer.outcome(), "completed");
        fs::remove_file(dir.path().join(&name)).unwrap();
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

backends! {
    fn curl_uploads(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        put_all(&server, &dir, |path, name| {
            let url = format!("tftp://{}/{name}", server.addr());
            words(&["curl", "-sS", "--max-time", "20", "--tftp-blksize", "1428", "-T", path, &url])
        });
    }

    fn tftp_hpa_uploads(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let port = server.addr().port().to_string();
        put_all(&server, &dir, |path, name| {
            words(&["tftp", "-m", "binary", "127.0.0.1", &port, "-c", "put", path, name])
        });
    }

    fn atftp_uploads(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let port = server.addr().port().to_string();
        put_all(&server, &dir, |path, name| {
            words(&["atftp", "--put", "-l", path, "-r", name, "--option", "blksize 1428",
                "--option", "windowsize 8", "127.0.0.1", &port])
        });
    }

    fn busybox_uploads(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let port = server.addr().port().to_string();
        put_all(&server, &dir, |path, name| {
            words(&["busybox", "tftp", "-b", "1428", "-p", "-l", path, "-r", name, "127.0.0.1", &port])
        });
    }

    fn our_own_client_uploads(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let addr = server.addr().to_string();
        put_all(&server, &dir, |path, name| {
            words(&[PROGRAM, "put", &addr, path, "--as", name, "--windowsize", "16"])
        });
    }
}

/// `ringboot put` to another server on a free port, which `start` runs on a directory.
fn put_to_another(start: impl Fn(u16, &Path) -> Command) {
    let (dir, from) = (Root::new(), Root::new());
    programs::succeed(dir.path(), &["chmod", "777", "."]);
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut command = start(port, dir.path());
    let other = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _other = Other(other.expect("the other server"));
    let addr = format!("127.0.0.1:{port}");
    for size in SIZES {
        let name = format!("file-{size}");
        let content = pattern(size, 7);
        let path = from.write(&name, &content);
        let argv = [PROGRAM, "put", &addr, path.to_str().unwrap(), "--quiet"];
        let deadline = Instant::now() + Duration::from_secs(10);
        while !programs::run(from.path(), &argv).status.success() {
            assert!(Instant::now() < deadline, "{argv:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
        // It may acknowledge before it has written.
        let stored = dir.path().join(&name);
        while fs::read(&stored).unwrap_or_default() != content {
            assert!(Instant::now() < deadline, "{size} bytes did not arrive");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn our_client_uploads_to_tftp_hpa() {
    put_to_another(|port, dir| {
        let mut command = Command::new("in.tftpd");
        let address = format!("127.0.0.1:{port}");
        command
            .args(["-L", "-c", "-p", "-u", "root", "-a", &address, "-s"])
            .arg(dir);
        command
    });
}

/// Its package and tftp-hpa's server exclude each other: `ATFTPD` names an unpacked one.
#[ignore = "needs ATFTPD=/path/to/atftpd"]
#[test]
fn our_client_uploads_to_atftpd() {
    put_to_another(|port, dir| {
        let mut command = Command::new(std::env::var_os("ATFTPD").expect("ATFTPD"));
        let port = port.to_string();
        command.args([
            "--daemon",
            "--no-fork",
            "--user",
            "root.root",
            "--bind-address",
            "127.0.0.1",
            "--port",
            &port,
        ]);
        command.arg(dir);
        command
    });
}
