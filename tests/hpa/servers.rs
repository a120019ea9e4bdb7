//! Debian's in.tftpd and ours, started by the same words and asked the same questions.
//! They never share a port or outlive their test.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use tempfile::TempDir;

use crate::support::server::{PATIENCE, PROGRAM};

/// Which program stands behind the name in.tftpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Debian,
    Ours,
}

pub const BOTH: [Which; 2] = [Which::Debian, Which::Ours];

/// The command line of in.tftpd, and a process with its children.
pub struct Daemon {
    child: Child,
    _link: TempDir,
}

impl Which {
    /// The program's path, and what must live as long as it is used.
    pub fn program(self) -> (PathBuf, TempDir) {
        let dir = TempDir::with_prefix("ringboot-link-").expect("a directory");
        let path = match self {
            Self::Debian => ["/usr/sbin/in.tftpd", "/usr/local/sbin/in.tftpd"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.exists())
                .expect("in.tftpd: these tests need the package tftpd-hpa"),
            Self::Ours => {
                let link = dir.path().join("in.tftpd");
                std::os::unix::fs::symlink(PROGRAM, &link).expect("a link");
                link
            }
        };
        (path, dir)
    }
}

impl Daemon {
    /// Starts one with these words.
    pub fn spawn(which: Which, args: &[&str], stdin: Stdio) -> Self {
        let (program, link) = which.program();
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(stdin)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = spawn(command);
        Self { child, _link: link }
    }

    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Asks until it answers at all.
    pub fn ready(mut self, at: SocketAddr) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while ask_for(at, b"/is/it/there", 1, Duration::from_millis(200)) == Answer::Silence {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("it ended: {status}");
            }
            assert!(Instant::now() < deadline, "it does not answer");
        }
        self
    }

    /// Kills the process that was started, and none of those that it has started.
    pub fn kill_alone(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }

    /// Waits for its end.
    pub fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

/// In a group of its own: children of in.tftpd may turn in circles for ever.
pub fn spawn(mut command: Command) -> Child {
    command.process_group(0);
    // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
    command.spawn().expect("a process")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = Pid::from_raw(self.id()).expect("a process");
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What a server says to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Data(Vec<u8>),
    Oack(Vec<u8>),
    Ack,
    Error(u16, Vec<u8>),
    Silence,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => write!(f, "DATA {}", bytes.escape_ascii()),
            Self::Oack(bytes) => write!(f, "OACK {}", bytes.escape_ascii()),
            Self::Ack => write!(f, "ACK"),
            Self::Error(code, text) => write!(f, "ERROR {code} {}", text.escape_ascii()),
            Self::Silence => write!(f, "silence"),
        }
    }
}

/// A read request in octet mode.
pub fn ask(at: SocketAddr, name: &[u8]) -> Answer {
    ask_for(at, name, 1, Duration::from_secs(2))
}

/// A request without options.
pub fn ask_for(at: SocketAddr, name: &[u8], opcode: u8, patience: Duration) -> Answer {
    ask_with(at, &[&[0, opcode], name, b"\0octet\0"].concat(), patience)
}

/// Any request; the first answer. The transfer is not finished.
pub fn ask_with(at: SocketAddr, request: &[u8], patience: Duration) -> Answer {
    let local = if at.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(local).expect("a socket");
    socket
        .set_read_timeout(Some(patience))
        .expect("a time limit");
    socket.send_to(request, at).expect("sent");
    let mut packet = [0; 2048];
    let (len, from) = match socket.recv_from(&mut packet) {
        Ok(received) => received,
        Err(error) => {
            let silent = [
                ErrorKind::WouldBlock,
                ErrorKind::TimedOut,
                ErrorKind::ConnectionRefused,
            ];
            assert!(silent.contains(&error.kind()), "{error}");
            return Answer::Silence;
        }
    };
    match &packet[..len] {
        [0, 3, _, _, data @ ..] => {
            let _ = socket.send_to(&[0, 4, 0, 1], from);
            Answer::Data(data.to_vec())
        }
        [0, 4, ..] => Answer::Ack,
        [0, 5, high, low, text @ .., 0] => {
            Answer::Error(u16::from_be_bytes([*high, *low]), text.to_vec())
        }
        [0, 6, options @ ..] => {
            let _ = socket.send_to(b"\0\x05\0\0\0", from);
            Answer::Oack(options.to_vec())
        }
        other => panic!("{} is no answer", other.escape_ascii()),
    }
}

/// A loopback address that nobody has at the moment, below the ports that the kernel hands out: a
/// client that asks before the server has it would get the same and hear itself.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const MANY: u16 = 10_000;
    let own = u16::try_from(process::id() % u32::from(MANY)).expect("below MANY");
    (0..MANY)
        .map(|_| FIRST + own.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % MANY)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|addr| UdpSocket::bind(addr).is_ok())
        .expect("a free port")
}

/// A directory that every user may search, with files that contain their own name.
pub fn farm(files: &[&str]) -> TempDir {
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::with_prefix("ringboot-hpa-").expect("a directory");
    open_to_all(dir.path());
    let root = dir.path().join("root");
    fs::create_dir(&root).expect("a directory");
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(&path, file).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
    }
    open_to_all(&root);
    dir
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("permissions");
}
