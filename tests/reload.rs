//! SIGHUP: new rules for new requests, the old ones to their end for transfers under way, and nothing
//! at all by a file with a mistake.

#[macro_use]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::fetch::Failed;
use support::{Conversation, Fetch, Root, Server, Setup, pattern};

/// How long a line of the log may take.
const SOON: Duration = Duration::from_secs(10);

/// A directory with a configuration.
struct Site {
    dir: Root,
}

impl Site {
    fn new(config: &str) -> Self {
        let site = Self { dir: Root::new() };
        site.configure(config);
        site
    }

    /// Another configuration appears in one step, as editors and tools write it.
    fn configure(&self, config: &str) {
        let text = format!("version = 1\n{config}");
        let fresh = self.dir.write("ringboot.toml.new", text.as_bytes());
        std::fs::rename(fresh, self.config()).expect("renamed");
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("ringboot.toml")
    }

    fn serve(&self, setup: Setup) -> Server {
        Server::configured(&self.config(), setup).start()
    }
}

fn get(server: &Server, name: &str) -> Result<Vec<u8>, u16> {
    match Fetch::new(server, name, &[]).run() {
        Ok(fetched) => Ok(fetched.data),
        Err(Failed::Error { code, .. }) => Err(code),
        Err(other) => panic!("{name}: {other:?}"),
    }
}

backends! {
    /// Roots, rules, templates, lists and windows are those of the file as it is now.
    fn what_is_new_holds_for_new_requests(setup) {
        let site = Site::new("root = 'a'\n");
        site.dir.write("a/file", b"of a");
        site.dir.write("b/file", b"of b");
        site.dir.write("b/other", b"other of b");
        site.dir.write("script", b"for {{ip}}");
        let server = site.serve(setup);
        assert_eq!(get(&server, "file"), Ok(b"of a".to_vec()));
        assert_eq!(get(&server, "other"), Err(1));
        site.configure(
            "root = 'b'\nmax-windowsize = 2\n[[rule]]\nmatch = '^secret'\ndeny = true\n[[rule]]\n\
             match = '^script$'\ntemplate = 't'\n[templates.t]\nfile = 'script'\n",
        );
        let said = server.reload();
        assert!(said.contains("1 root, 2 rules"), "{said}");
        assert_eq!(get(&server, "file"), Ok(b"of b".to_vec()));
        assert_eq!(get(&server, "other"), Ok(b"other of b".to_vec()));
        assert_eq!(get(&server, "secret"), Err(2));
        assert_eq!(get(&server, "script"), Ok(b"for 127.0.0.1".to_vec()));
        let fetched = Fetch::new(&server, "file", &[("windowsize", "16")]).complete();
        assert_eq!(fetched.oack, [("windowsize".to_string(), "2".to_string())]);
        // A template's file is read again, too.
        site.dir.write("script", b"now {{ip}}");
        server.reload();
        assert_eq!(get(&server, "script"), Ok(b"now 127.0.0.1".to_vec()));
        server.stop();
    }

    /// A transfer goes on though its root is gone, its name refused and its client denied.
    fn transfers_under_way_end_as_they_began(setup) {
        let data = pattern(20_000, 1);
        let site = Site::new("root = 'a'\n");
        site.dir.write("a/file", &data);
        std::fs::create_dir(site.dir.path().join("b")).expect("a directory");
        let server = site.serve(setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &data[..512]);
        client.ack(1);
        client.expect_data(2, &data[512..1024]);
        site.configure("root = 'b'\n[access]\ndeny = '127.0.0.0/8'\n[limits]\ntransfers = 1\n[[rule]]\ndeny = true\n");
        server.reload();
        std::fs::remove_dir_all(site.dir.path().join("a")).expect("removed");
        assert_eq!(get(&server, "file"), Err(2), "new requests are refused");
        client.ack(2);
        client.receive_rest(&data, 512, 3);
        assert_eq!(server.transfer_with(client.local()).outcome(), "completed");
        // The list can grow again.
        site.configure("root = 'b'\n");
        site.dir.write("b/file", b"of b");
        server.reload();
        assert_eq!(get(&server, "file"), Ok(b"of b".to_vec()));
        server.stop();
    }

    /// A cap counts the transfers that were there before it.
    fn a_new_cap_counts_what_is_under_way(setup) {
        let data = pattern(2_000, 2);
        let site = Site::new("root = '.'\n");
        site.dir.write("file", &data);
        let server = site.serve(setup);
        let mut first = Conversation::with(&server);
        first.rrq("file", "octet", &[]);
        first.expect_data(1, &data[..512]);
        first.ack(1);
        first.expect_data(2, &data[512..1024]);
        site.configure("root = '.'\n[limits]\ntransfers = 1\n");
        server.reload();
        let mut second = Conversation::with(&server);
        second.rrq("file", "octet", &[]);
        second.expect_silence(Duration::from_millis(200));
        first.ack(2);
        first.receive_rest(&data, 512, 3);
        // Its turn has come.
        second.expect_data(1, &data[..512]);
        server.stop();
    }

    fn a_file_with_a_mistake_changes_nothing(setup) {
        let site = Site::new("root = 'a'\n");
        site.dir.write("a/file", b"of a");
        let server = site.serve(setup);
        for (config, wanted) in [
            ("root = 'b'\nlissten = 1\n", "ringboot.toml:3:1: unknown key `lissten`; did you mean `listen`?"),
            ("root = 'gone'\n", "gone does not exist"),
            ("root = 'b'\n[[rule]]\nmatch = 'a('\ndeny = true\n", "ringboot.toml:4:9: no regular expression"),
            ("root = 'b'\nmap-file = 'gone'\n", "cannot read the map file"),
            ("root = ", "ringboot.toml:2:"),
        ] {
            site.configure(config);
            let said = server.reload();
            assert!(said.contains("nothing has changed") && said.contains(wanted), "{config}: {said}");
            assert!(said.contains("WARN"), "{said}");
            assert_eq!(get(&server, "file"), Ok(b"of a".to_vec()), "{config}");
        }
        std::fs::remove_file(site.config()).expect("removed");
        assert!(server.reload().contains("cannot read the configuration"));
        assert_eq!(get(&server, "file"), Ok(b"of a".to_vec()));
        server.stop();
    }

    /// Monitoring sees that the file on the disk is not the one in force.
    fn a_metric_tells_how_the_last_reading_went(setup) {
        let site = Site::new("root = '.'\n");
        let args = ["--admin", "127.0.0.1:0"];
        let server = Server::configured(&site.config(), setup).args(&args).start();
        let admin = server.find_line(SOON, |line| line.contains("admin port: http://"));
        let admin = admin.expect("an admin port");
        let (_, admin) = admin.split_once("http://").expect("an address");
        let admin: SocketAddr = admin.split_once('/').expect("a path").0.parse().expect("an address");
        assert_eq!(metric(admin, "successful"), 1);
        let begun = metric(admin, "success_timestamp_seconds");
        thread::sleep(Duration::from_millis(1_100));
        site.configure("root = ");
        server.reload();
        assert_eq!(metric(admin, "successful"), 0);
        assert_eq!(metric(admin, "success_timestamp_seconds"), begun);
        site.configure("root = '.'\n");
        server.reload();
        assert_eq!(metric(admin, "successful"), 1);
        assert!(metric(admin, "success_timestamp_seconds") > begun);
        server.stop();
    }

    fn what_needs_a_restart_is_named_and_the_rest_holds(setup) {
        let site = Site::new("root = 'a'\nframe-memory = 16\n");
        site.dir.write("a/file", b"of a");
        site.dir.write("b/file", b"of b");
        let server = site.serve(setup);
        site.configure("root = 'b'\nframe-memory = 32\nzero-copy = 'off'\ndata-ports = '50000-50063'\n");
        server.reload();
        let warned = server.find_line(SOON, |line| {
            line.contains("SIGHUP: what has changed of zero-copy, data-ports, frame-memory needs a restart")
        });
        let warned = warned.or_else(|| server.find_line(Duration::ZERO, |line| line.contains("needs a restart")));
        let warned = warned.expect("a warning");
        assert!(warned.contains("zero-copy") && warned.contains("frame-memory"), "{warned}");
        assert!(!warned.contains("root") && !warned.contains("shards"), "{warned}");
        assert_eq!(get(&server, "file"), Ok(b"of b".to_vec()));
        server.stop();
    }

    /// What the rules ask for beside the name is known from the first request on.
    fn leases_hosts_map_files_and_options_are_read_again(setup) {
        let site = Site::new("root = '.'\nmap-file = 'map'\n");
        site.dir.write("map", b"r ^one$ two\n");
        for name in ["two", "three", "node7", "node8", "by-option"] {
            site.dir.write(name, name.as_bytes());
        }
        let server = site.serve(setup);
        assert_eq!(get(&server, "one"), Ok(b"two".to_vec()));
        site.dir.write("map", b"r ^one$ three\n");
        let said = server.reload();
        assert!(said.contains("1 rule of "), "{said}");
        assert_eq!(get(&server, "one"), Ok(b"three".to_vec()));
        let hosts = |name: &str| {
            format!(
                "root = '.'\n[[host]]\nip = '127.0.0.1'\nhostname = '{name}'\n[[rule]]\noptions = {{ blksize = 999 }}\n\
                 try = ['by-option']\n[[rule]]\nmatch = '^me$'\ntry = ['{{{{hostname}}}}']\n"
            )
        };
        for name in ["node7", "node8"] {
            site.configure(&hosts(name));
            server.reload();
            assert_eq!(get(&server, "me"), Ok(name.as_bytes().to_vec()));
        }
        let fetched = Fetch::new(&server, "me", &[("blksize", "999")]).complete();
        assert_eq!(fetched.data, b"by-option");
        server.stop();
    }

    fn the_level_of_the_log_changes(setup) {
        let site = Site::new("root = '.'\n");
        site.dir.write("file", b"content");
        let server = site.serve(setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
        server.transfer_with(client.local());
        site.configure("root = '.'\nlog-level = 'warn'\n");
        server.signal(Signal::HUP);
        thread::sleep(Duration::from_millis(500));
        for _ in 0..3 {
            assert_eq!(get(&server, "file"), Ok(b"content".to_vec()));
        }
        // The log takes its lines in batches.
        thread::sleep(Duration::from_millis(200));
        site.configure("root = '.'\n");
        server.reload();
        assert_eq!(server.transfer_count(), 1, "those after the first were not told");
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, b"content");
        client.ack(1);
        server.transfer_with(client.local());
        server.stop();
    }

    /// Roots and rules swap under load: who is served by rules of one configuration from the root of the
    /// other would get the wrong file, or none.
    fn a_storm_of_reloads_drops_nobody_and_mixes_nothing(setup) {
        let (a, b) = (pattern(150_000, 1), pattern(150_000, 2));
        let site = Site::new(&half("a", "x"));
        site.dir.write("a/x/file", &a);
        site.dir.write("b/y/file", &b);
        site.dir.write("a/y/file", b"mixed");
        site.dir.write("b/x/file", b"mixed");
        let server = site.serve(setup);
        let load = Load::start(server.addr(), &a, &b);
        let mut reloads = 0;
        let end = Instant::now() + Duration::from_secs(4);
        while Instant::now() < end {
            let (root, directory) = if reloads % 2 == 0 { ("b", "y") } else { ("a", "x") };
            site.configure(&half(root, directory));
            server.signal(Signal::HUP);
            reloads += 1;
            thread::sleep(Duration::from_millis(100));
        }
        let [of_a, of_b] = load.stop();
        println!("{reloads} reloads, {of_a} transfers by one configuration, {of_b} by the other");
        assert!(of_a > 10 && of_b > 10, "{of_a} {of_b}: both were in force under load");
        let said = server.stop();
        let done = said.lines().filter(|line| line.contains("SIGHUP: the configuration was read")).count();
        assert!(done > 10, "{done} of {reloads}");
        assert!(!said.contains("nothing has changed"), "{said}");
    }
}

/// The value of `tftp_config_last_reload_…`.
fn metric(admin: SocketAddr, what: &str) -> u64 {
    let mut stream = TcpStream::connect(admin).expect("a connection");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let name = format!("tftp_config_last_reload_{what} ");
    let value = answer.lines().find_map(|line| line.strip_prefix(&name));
    let value = value.unwrap_or_else(|| panic!("no {name}in\n{answer}"));
    value.trim().parse().expect("a number")
}

/// Names of one root and directory.
fn half(root: &str, directory: &str) -> String {
    format!("root = '{root}'\n[[rule]]\nmatch = '^(.*)$'\nrewrite = '{directory}/{{{{1}}}}'\n")
}

/// Clients that fetch one file after the other, each wholly of one configuration.
struct Load {
    over: Arc<AtomicBool>,
    counts: Arc<[AtomicUsize; 2]>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(server: SocketAddr, a: &[u8], b: &[u8]) -> Self {
        let over = Arc::<AtomicBool>::default();
        let counts = Arc::<[AtomicUsize; 2]>::default();
        let client = |number: usize| {
            let (over, counts) = (Arc::clone(&over), Arc::clone(&counts));
            let contents = [a.to_vec(), b.to_vec()];
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
                    let windowsize = ["1", "8"][number % 2];
                    let options = [("blksize", "1428"), ("windowsize", windowsize)];
                    let fetched = Fetch::from(socket, server, "file", &options).run();
                    let data = fetched
                        .unwrap_or_else(|why| panic!("dropped: {why:?}"))
                        .data;
                    let whose = contents.iter().position(|content| *content == data);
                    let whose = whose.unwrap_or_else(|| panic!("{} bytes of neither", data.len()));
                    counts[whose].fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self {
            clients: (0..6).map(client).collect(),
            over,
            counts,
        }
    }

    fn stop(self) -> [usize; 2] {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client that was served");
        }
        [0, 1].map(|which| self.counts[which].load(Ordering::Relaxed))
    }
}
