//! A container run by runc: the image's files, a configuration as Kubernetes would make it, the server's log.
//! It never outlives its test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::image::{image, succeed};
use super::support::Netns;

/// How long a container may take to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a container may do.
pub struct Bundle<'a> {
    root: &'a Path,
    netns: &'a Netns,
    args: Vec<String>,
    seccomp: Value,
    capabilities: Vec<&'a str>,
    user: u32,
}

/// A container that runs, or has run.
pub struct Container {
    id: String,
    dir: TempDir,
    runc: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl<'a> Bundle<'a> {
    /// The image as it is, with `root` served, in a network namespace, under a seccomp profile: no capabilities, no
    /// new privileges, nothing writable.
    pub fn new(root: &'a Path, netns: &'a Netns, seccomp: Value) -> Self {
        Self {
            root,
            netns,
            args: Vec::new(),
            seccomp,
            capabilities: Vec::new(),
            user: 65_532,
        }
    }

    /// More arguments than the image's own.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(ToString::to_string));
        self
    }

    /// Root, with these capabilities and no others.
    pub fn by_root_with(mut self, capabilities: &[&'a str]) -> Self {
        self.user = 0;
        self.capabilities.extend_from_slice(capabilities);
        self
    }

    /// Runs it. The server need not come up.
    pub fn run(self) -> Container {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("ringboot-test-{}-{number}", process::id());
        let dir = TempDir::with_prefix("ringboot-bundle-").expect("a temporary directory");
        image().unpack(&dir.path().join("rootfs"));
        // The container's user has to pass through, and to read what is served.
        for path in [dir.path(), self.root] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        let config = serde_json::to_vec_pretty(&self.config()).expect("JSON");
        fs::write(dir.path().join("config.json"), config).expect("a file");
        let mut runc = runc(&dir)
            .args(["run", "--bundle"])
            .arg(dir.path())
            .arg(&id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runc");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(runc.stderr.take().expect("a pipe"));
        thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    lines.lock().expect("lines").push(line);
                }
            }
        });
        Container {
            id,
            dir,
            runc,
            lines,
        }
    }

    /// Runs it and waits for the ready line.
    pub fn start(self) -> Container {
        let container = self.run();
        container.line("ringboot: ready on ");
        container
    }

    /// The runtime's configuration (OCI runtime specification 1.0.2).
    fn config(&self) -> Value {
        let image = &image().config["config"];
        let words = |name: &str| image[name].as_array().cloned().unwrap_or_default();
        let mut args = words("Entrypoint");
        args.extend(words("Cmd"));
        args.extend(self.args.iter().map(|arg| json!(arg)));
        let capabilities = json!({
            "bounding": self.capabilities, "effective": self.capabilities,
            "permitted": self.capabilities, "inheritable": [], "ambient": [],
        });
        let netns = format!("/run/netns/{}", self.netns.name());
        json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": { "uid": self.user, "gid": self.user },
                "args": args,
                "env": image["Env"],
                "cwd": "/",
                "capabilities": capabilities,
                "noNewPrivileges": true,
            },
            "root": { "path": "rootfs", "readonly": true },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
                { "destination": "/srv/tftp", "type": "bind", "source": self.root, "options": ["bind", "ro"] },
            ],
            "linux": {
                "namespaces": [
                    { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
                    { "type": "network", "path": netns },
                ],
                "seccomp": self.seccomp,
            },
        })
    }
}

impl Container {
    /// The first line with this text in it. Panics when it does not come.
    pub fn line(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines.lock().expect("lines").clone();
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(
                Instant::now() < deadline,
                "no line with \"{text}\" within {PATIENCE:?}:\n{}",
                lines.join("\n")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that it has written.
    pub fn log(&self) -> String {
        self.lines.lock().expect("lines").join("\n")
    }

    /// The server's process on this host.
    pub fn pid(&self) -> u64 {
        let state = succeed(runc(&self.dir).args(["state", &self.id]));
        let state: Value = serde_json::from_str(&state).expect("JSON");
        state["pid"].as_u64().expect("a process")
    }

    pub fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("a file of /proc")
    }

    /// Stops it as an engine does.
    pub fn terminator(&self) -> impl FnOnce() + Send + 'static + use<> {
        let mut kill = runc(&self.dir);
        kill.args(["kill", &self.id, "TERM"]);
        move || {
            succeed(&mut kill);
        }
    }

    /// The server's exit status.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.runc.try_wait().expect("a child") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "it did not end within {PATIENCE:?}:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut delete = runc(&self.dir);
        delete.args(["delete", "--force", &self.id]);
        let _ = delete.stderr(Stdio::null()).status();
        let _ = self.runc.wait();
    }
}

/// runc with a state of its own: what else runs on this host is not touched.
fn runc(dir: &TempDir) -> Command {
    let mut command = Command::new("runc");
    command.arg("--root").arg(dir.path().join("state"));
    command
}
