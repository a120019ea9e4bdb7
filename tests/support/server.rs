//! A `ringboot serve` process and what it tells: the ready line, the log, its exit, `/proc`.
//! It never outlives its test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use serde_json::Value;

use super::jail::Hook;
use super::{Io, Netns, Setup};

/// How long anything may take that the server does at once on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Lines of the server that a failed test shows.
const LAST_WORDS: usize = 20;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_ringboot");

/// Whether an environment variable is set to something other than nothing and 0.
pub fn flag(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// How to start a server.
pub struct Builder {
    root: std::path::PathBuf,
    listen: Vec<String>,
    args: Vec<String>,
    shards: u16,
    birth: Birth,
}

/// What a server finds when it comes to life.
#[derive(Default)]
struct Birth {
    netns: Option<String>,
    hook: Option<Hook>,
    env: Vec<(String, String)>,
    /// Passed as systemd does.
    sockets: Vec<OwnedFd>,
}

/// A running server.
pub struct Server {
    child: Child,
    addrs: Vec<SocketAddr>,
    ready: String,
    lines: Arc<Lines>,
    reader: Option<JoinHandle<()>>,
    stopped: bool,
}

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// The log line of one finished transfer.
#[derive(Debug, Clone)]
pub struct Transfer(pub Value);

impl Transfer {
    pub fn text(&self, field: &str) -> &str {
        self.0[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text {field} in {}", self.0))
    }

    pub fn number(&self, field: &str) -> u64 {
        self.0[field]
            .as_u64()
            .unwrap_or_else(|| panic!("no number {field} in {}", self.0))
    }

    pub fn millis(&self, field: &str) -> f64 {
        self.0[field]
            .as_f64()
            .unwrap_or_else(|| panic!("no number {field} in {}", self.0))
    }

    pub fn outcome(&self) -> &str {
        self.text("outcome")
    }
}

impl Builder {
    pub fn listen(mut self, addr: &str) -> Self {
        self.listen.push(addr.into());
        self
    }

    /// No `--listen`: port 69 on every address.
    pub fn default_listen(mut self) -> Self {
        self.listen.push(String::new());
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(ToString::to_string));
        self
    }

    pub const fn shards(mut self, shards: u16) -> Self {
        self.shards = shards;
        self
    }

    pub fn netns(mut self, netns: &Netns) -> Self {
        self.birth.netns = Some(netns.name().into());
        self
    }

    /// Leaves the choice of the backend to the server.
    pub fn auto(mut self) -> Self {
        "auto".clone_into(&mut self.args[1]);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.birth.env.push((name.into(), value.into()));
        self
    }

    /// Keeps something from the server, as a container would.
    pub const fn jail(mut self, hook: Hook) -> Self {
        self.birth.hook = Some(hook);
        self
    }

    /// Passes sockets instead of naming addresses. None may have a descriptor below 100.
    pub fn sockets(mut self, sockets: Vec<OwnedFd>) -> Self {
        let above = |socket| rustix::io::fcntl_dupfd_cloexec(socket, 100).expect("a descriptor");
        self.birth.sockets = sockets.iter().map(above).collect();
        self.default_listen()
    }

    pub fn start(self) -> Server {
        let mut args = vec!["serve".to_string()];
        if !self.root.as_os_str().is_empty() {
            args.push("--root".into());
            args.push(self.root.to_str().expect("a plain path").into());
        }
        let listen = match self.listen.as_slice() {
            [] => vec!["127.0.0.1:0".to_string()],
            all => all.to_vec(),
        };
        for addr in listen.iter().filter(|addr| !addr.is_empty()) {
            args.extend(["--listen".into(), addr.clone()]);
        }
        args.extend(["--shards".into(), self.shards.to_string()]);
        args.extend(self.args);
        let server = Server::spawn(self.birth, &args);
        assert!(!server.addrs.is_empty(), "an address in {}", server.ready);
        server
    }
}

impl Server {
    /// A server for one cell of the matrix, on a free loopback port, with two shards.
    pub fn on(root: &Path, setup: Setup) -> Builder {
        let mut args = vec!["--io".to_string(), setup.io.as_str().into()];
        if setup.single_port {
            args.push("--single-port".into());
        }
        Builder {
            root: root.to_owned(),
            listen: Vec::new(),
            args,
            shards: 2,
            birth: Birth::default(),
        }
    }

    /// The same, whose root and other settings stand in a file.
    pub fn configured(config: &Path, setup: Setup) -> Builder {
        let config = config.to_str().expect("a plain path");
        Self::on(Path::new(""), setup).args(&["--config", config])
    }

    pub fn start(root: &Path, setup: Setup) -> Self {
        Self::on(root, setup).start()
    }

    fn spawn(birth: Birth, args: &[String]) -> Self {
        let Birth {
            netns,
            hook,
            env,
            sockets,
        } = birth;
        // `ip netns exec` and the shell become the program, so the process id stays.
        let mut command = match &netns {
            Some(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name, PROGRAM]);
                command
            }
            None if !sockets.is_empty() => {
                let mut command = Command::new("sh");
                command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", PROGRAM]);
                command.env("LISTEN_FDS", sockets.len().to_string());
                command
            }
            None => Command::new(PROGRAM),
        };
        let passed: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        command
            .args(args)
            .env_remove("RUST_LOG")
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // SAFETY: prctl and setrlimit, which the hooks use as well, and dup2 are async-signal-safe and
        // touch no memory of the parent. What dup2 replaces is the child's copy.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                for (socket, place) in passed.iter().zip(3..) {
                    if libc::dup2(*socket, place) < 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                hook.map_or(Ok(()), |hook| hook())
            });
        }
        let mut child = command.spawn().expect("the server starts");
        let lines = Arc::new(Lines::default());
        let stderr = child.stderr.take().expect("a pipe");
        let reader = thread::spawn({
            let lines = Arc::clone(&lines);
            move || lines.read(BufReader::new(stderr))
        });
        let mut server = Self {
            child,
            addrs: Vec::new(),
            ready: String::new(),
            lines,
            reader: Some(reader),
            stopped: false,
        };
        server.await_ready();
        server
    }

    fn await_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.find_line(Duration::from_millis(20), |line| {
                line.starts_with("ringboot: ready on ")
            });
            if let Some(line) = line {
                let rest = line.trim_start_matches("ringboot: ready on ");
                let (addrs, _) = rest.split_once(' ').expect("a word behind the addresses");
                self.addrs = addrs
                    .split(',')
                    .map(|addr| addr.parse().unwrap_or_else(|_| panic!("address in {line}")))
                    .collect();
                self.ready = line;
                return;
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.stopped = true;
                panic!("the server did not start: {status}\n{}", self.stderr());
            }
            assert!(
                Instant::now() < deadline,
                "no ready line within {PATIENCE:?}:\n{}",
                self.last_words()
            );
        }
    }

    /// The first listening address.
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The line that said that the server is ready.
    pub fn ready(&self) -> &str {
        &self.ready
    }

    pub fn stderr(&self) -> String {
        self.lines.lines.lock().expect("lines").join("\n")
    }

    /// Log lines of finished transfers so far.
    pub fn transfers(&self) -> Vec<Transfer> {
        let lines = self.lines.lines.lock().expect("lines");
        lines.iter().filter_map(|line| transfer(line)).collect()
    }

    /// How many there are, without reading them.
    pub fn transfer_count(&self) -> usize {
        let lines = self.lines.lines.lock().expect("lines");
        let ended = lines.iter().filter(|line| line.contains("\"outcome\":"));
        ended.count()
    }

    /// The end of what the server said, for failures.
    fn last_words(&self) -> String {
        let lines = self.lines.lines.lock().expect("lines");
        let from = lines.len().saturating_sub(LAST_WORDS);
        lines[from..].join("\n")
    }

    /// The log line of the transfer with this client; waits for it.
    pub fn transfer_with(&self, client: SocketAddr) -> Transfer {
        let client = client.to_string();
        self.wait_for(|transfer| transfer.text("client") == client)
    }

    /// The first transfer that `wanted` holds for; waits for it.
    pub fn wait_for(&self, wanted: impl Fn(&Transfer) -> bool) -> Transfer {
        self.wait_within(PATIENCE, wanted)
    }

    pub fn wait_within(&self, patience: Duration, wanted: impl Fn(&Transfer) -> bool) -> Transfer {
        let line = self.find_line(patience, |line| {
            transfer(line).is_some_and(|transfer| wanted(&transfer))
        });
        let line = line.unwrap_or_else(|| panic!("no such transfer in\n{}", self.last_words()));
        transfer(&line).expect("a transfer")
    }

    /// A line of standard error; waits for it.
    pub fn find_line(&self, patience: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.lines.lines.lock().expect("lines");
        let mut read = 0;
        loop {
            let found = lines[read..].iter().find(|line| wanted(line));
            if let Some(line) = found {
                return Some(line.clone());
            }
            read = lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            (lines, _) = self.lines.more.wait_timeout(lines, left).expect("lines");
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The id of the thread with this name. A thread takes its name when it first runs, which may be later than
    /// the server is ready.
    pub fn thread(&self, name: &str) -> u32 {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(id) = self.find_thread(name) {
                return id;
            }
            assert!(Instant::now() < deadline, "no thread {name}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn find_thread(&self, name: &str) -> Option<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("threads");
        let found = tasks.flatten().find(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        });
        found?.file_name().to_str()?.parse().ok()
    }

    pub fn alive(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Resident memory in KiB.
    pub fn rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let field = line.and_then(|line| line.split_whitespace().nth(1));
        field.expect("VmRSS").parse().expect("a number")
    }

    /// Open file descriptors.
    pub fn fds(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .expect("fds")
            .count()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a signal to our child");
    }

    /// SIGHUP, and the line that says what came of it. Who asks from then on is answered by it.
    #[track_caller]
    pub fn reload(&self) -> String {
        let told = |line: &str| {
            line.contains("SIGHUP: the configuration was read")
                || line.contains("SIGHUP: nothing has changed")
        };
        let before = self.stderr().lines().filter(|line| told(line)).count();
        self.signal(Signal::HUP);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.stderr();
            if let Some(line) = said.lines().filter(|line| told(line)).nth(before) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no word about SIGHUP:\n{said}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM, a clean exit, and all that was said.
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait_exit(Duration::from_secs(60));
        assert_eq!(status.code(), Some(0), "{status}\n{}", self.stderr());
        self.stderr()
    }

    /// SIGTERM and the exit status, whatever it is.
    pub fn end(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait_exit(Duration::from_secs(60)).code()
    }

    /// Waits for the end of a process that the test has killed.
    pub fn killed(mut self) {
        self.wait_exit(PATIENCE);
    }

    /// Waits for the process to end by itself.
    pub fn wait_exit(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "the server did not end within {patience:?}:\n{}",
                self.last_words()
            );
            thread::sleep(Duration::from_millis(5));
        };
        self.stopped = true;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stopped {
            return;
        }
        let crashed = match self.child.try_wait() {
            Ok(Some(status)) => status.signal().is_some() || status.code() != Some(0),
            _ => false,
        };
        let _ = self.child.kill();
        let _ = self.child.wait();
        if crashed && !thread::panicking() {
            panic!("the server died during the test:\n{}", self.last_words());
        }
        if thread::panicking() {
            eprintln!("--- the server said at last:\n{}\n---", self.last_words());
        }
    }
}

impl Lines {
    fn read(&self, from: impl BufRead) {
        for line in from.split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.lock().expect("lines").push(line);
            self.more.notify_all();
        }
    }
}

fn transfer(line: &str) -> Option<Transfer> {
    let value: Value = serde_json::from_str(line).ok()?;
    // Not the count of those that have no line of their own.
    (value["message"] == "transfer").then_some(Transfer(value))
}

/// Runs `ringboot` with these arguments to its end, within a limit.
pub fn run_to_end(args: &[&str]) -> std::process::Output {
    let mut argv = vec![PROGRAM];
    argv.extend_from_slice(args);
    super::programs::run(Path::new("/"), &argv)
}

/// Whether this machine's backend `io` is to be tested.
pub fn wants(io: Io) -> bool {
    io != Io::Uring || !flag("RINGBOOT_SKIP_URING")
}
