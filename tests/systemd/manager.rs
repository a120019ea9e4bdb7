//! A service manager's end of the notification socket.
//! It never judges what it hears.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longer than anything takes that a server does by itself.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Manager {
    dir: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix("ringboot-notify-").expect("a directory");
        let socket = UnixDatagram::bind(dir.path().join("notify")).expect("a socket");
        Self { dir, socket }
    }

    /// What a service finds in NOTIFY_SOCKET.
    pub fn address(&self) -> String {
        let path = self.dir.path().join("notify");
        path.to_str().expect("a text").into()
    }

    /// The first notice with this line; those before it are passed over.
    pub fn await_line(&self, line: &str) -> String {
        let notice = self.hear(line, PATIENCE);
        notice.unwrap_or_else(|| panic!("nobody said {line}"))
    }

    /// The same, or none in this time.
    pub fn hear(&self, line: &str, time: Duration) -> Option<String> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.checked_duration_since(Instant::now())?;
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            let mut bytes = [0; 4096];
            let Ok(length) = self.socket.recv(&mut bytes) else {
                continue;
            };
            let notice = String::from_utf8(bytes[..length].to_vec()).expect("a text");
            if notice.lines().any(|other| other == line) {
                return Some(notice);
            }
        }
    }
}
