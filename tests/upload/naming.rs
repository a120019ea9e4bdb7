//! Write requests under the operator's rules, roots and configuration file.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;

use crate::sender::{Refused, Upload};
use crate::support::server::{Builder, run_to_end};
use crate::support::{Conversation, Root, Server, Setup};

/// A directory with a configuration and the roots `root`, `up` and `other`.
pub struct Site(Root);

impl Site {
    pub fn new(config: &str) -> Self {
        let dir = Root::new();
        for name in ["root", "up", "other"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        let site = Self(dir);
        site.configure(config);
        site
    }

    /// The configuration appears in one step.
    pub fn configure(&self, config: &str) {
        let text = format!("version = 1\nroot = \"root\"\n{config}");
        let fresh = self.0.write("ringboot.toml.new", text.as_bytes());
        fs::rename(fresh, self.path("ringboot.toml")).expect("renamed");
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    fn builder(&self, setup: Setup) -> Builder {
        let config = self.text("ringboot.toml");
        Server::on(&self.path("root"), setup).args(&["--config", &config])
    }

    pub fn serve(&self, setup: Setup) -> Server {
        self.builder(setup).start()
    }

    /// What `ringboot` says, and its exit status.
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let config = self.text("ringboot.toml");
        let output = run_to_end(&[args, &["--config", &config]].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    }

    fn explain(&self, name: &str, from: &str) -> (Option<i32>, String) {
        self.run(&["explain", "--write", name, "--from", from])
    }
}

pub fn put(server: &Server, name: &str, content: &str) -> Result<(), u16> {
    put_from(server, "127.0.0.1", name, content)
}

fn put_from(server: &Server, ip: &str, name: &str, content: &str) -> Result<(), u16> {
    let socket = UdpSocket::bind((ip, 0)).expect("an address of this host");
    let mut client = Conversation::between(socket, server.addr());
    let sent = Upload::new(name, content.as_bytes())
        .sized()
        .send_by(&mut client);
    sent.map_err(|Refused(code, _)| code)
}

backends! {
    /// A rule for writes rewrites, refuses and redirects them; reads do not meet it.
    fn rules_hold_for_uploads(setup) {
        let site = Site::new(
            r#"
[upload]
dir = "up"
[roots.other]
path = "other"
uploads = true
[roots.closed]
path = "root"
[[rule]]
operation = "write"
match = '^keys/'
deny = { code = 2, text = "Keep out" }
[[rule]]
operation = "write"
match = '^(?<host>[a-z]+)-confg$'
rewrite = '{{host}}-{{ip-dash}}.cfg'
[[rule]]
operation = "write"
match = '^o/'
rewrite = ''
root = "other"
[[rule]]
operation = "write"
match = '^c/'
root = "closed"
[[rule]]
operation = "read"
match = '^readme$'
rewrite = 'elsewhere'
"#,
        );
        let server = site.serve(setup);
        assert_eq!(put(&server, "keys/a", "x"), Err(2));
        assert_eq!(put(&server, r"\keys\a", "x"), Err(2));
        assert_eq!(put(&server, "router-confg", "router"), Ok(()));
        assert_eq!(site.read("up/router-127-0-0-1.cfg").as_deref(), Some("router"));
        assert_eq!(put(&server, "o/there", "other"), Ok(()));
        assert_eq!(site.read("other/there").as_deref(), Some("other"));
        assert_eq!(put(&server, "c/nowhere", "x"), Err(2), "that root takes none");
        assert_eq!(put(&server, "readme", "mine"), Ok(()));
        assert_eq!(site.read("up/readme").as_deref(), Some("mine"));
        assert_eq!(fs::read_dir(site.path("root")).expect("a root").count(), 0);

        let (status, said) = site.explain("router-confg", "10.0.0.9");
        assert_eq!(status, Some(0), "{said}");
        let wanted = format!("answer: an upload to {}, a new file", site.text("up/router-10-0-0-9.cfg"));
        assert!(said.contains(&wanted), "{said}");
        let (status, said) = site.explain("c/nowhere", "10.0.0.9");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("the root \"closed\" takes no uploads"), "{said}");
        let (status, said) = site.explain("keys/a", "10.0.0.9");
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("ERROR 2 \"Keep out\""), "{said}");
    }

    /// Two names that rules make one are one: the first to be complete wins.
    fn rewritten_names_are_rivals(setup) {
        use crate::sender::{data, wrq};
        use crate::support::Packet;
        let site = Site::new(
            "[upload]\ndir = 'up'\npolicy = 'overwrite'\n[roots.sub]\npath = 'up/sub'\nuploads = true\n\
             [[rule]]\nmatch = '^alias$'\nrewrite = 'f'\nroot = 'sub'\n",
        );
        fs::create_dir(site.path("up/sub")).expect("a directory");
        let server = site.serve(setup);
        let mut clients = ["sub/f", "alias"].map(|name| {
            let mut client = Conversation::with(&server);
            client.request(&wrq(name, "octet", &[]));
            assert_eq!(client.expect(), Packet::Ack(0));
            client
        });
        clients[1].send(&data(1, b"second"));
        assert_eq!(clients[1].expect(), Packet::Ack(1));
        clients[0].send(&data(1, b"first"));
        clients[0].expect_error(6);
        assert_eq!(site.read("up/sub/f").as_deref(), Some("second"));
    }

    /// A client's own directory takes its files, if there is one.
    fn clients_have_directories_of_their_own(setup) {
        let site = Site::new("[upload]\ndir = 'up'\n[roots.upload]\nunique-root = 'ip'\n");
        fs::create_dir(site.path("up/127.0.0.2")).expect("a directory");
        let server = site.serve(setup);
        assert_eq!(put_from(&server, "127.0.0.2", "cfg", "two"), Ok(()));
        assert_eq!(put_from(&server, "127.0.0.3", "cfg", "three"), Ok(()));
        assert_eq!(site.read("up/127.0.0.2/cfg").as_deref(), Some("two"));
        assert_eq!(site.read("up/cfg").as_deref(), Some("three"));
    }

    /// A file is found in any case, so that it is replaced and not doubled; new names stay as they are.
    fn any_case_holds_for_uploads(setup) {
        let site = Site::new(
            "[upload]\ndir = 'up'\npolicy = 'overwrite'\n[roots.upload]\nignore-case = true\n",
        );
        fs::create_dir(site.path("up/Switches")).expect("a directory");
        fs::write(site.path("up/Switches/One.CFG"), "old").expect("a file");
        let server = site.serve(setup);
        assert_eq!(put(&server, r"SWITCHES\ONE.cfg", "new"), Ok(()));
        assert_eq!(put(&server, "switches/Two.cfg", "two"), Ok(()));
        assert_eq!(site.read("up/Switches/One.CFG").as_deref(), Some("new"));
        assert_eq!(site.read("up/Switches/Two.cfg").as_deref(), Some("two"));
        assert_eq!(fs::read_dir(site.path("up/Switches")).expect("a directory").count(), 2);
    }

    /// `[upload]` says the same as the flags, and a flag wins.
    fn the_file_says_what_the_flags_say(setup) {
        let site = Site::new(
            "[upload]\ndir = 'up'\npolicy = 'existing'\nallow = ['*.cfg', '*.txt']\nmax-file = '10'\n\
             max-client = '14'\nmax-total = '25'\n",
        );
        fs::write(site.path("up/a.cfg"), "old").expect("a file");
        let server = site.serve(setup);
        assert_eq!(put(&server, "b.cfg", "x"), Err(1));
        assert_eq!(put(&server, "a.bin", "x"), Err(2));
        assert_eq!(put(&server, "a.cfg", "12345678901"), Err(3));
        assert_eq!(put(&server, "a.cfg", "1234567890"), Ok(()));
        drop(server);
        let server = site.builder(setup).args(&["--upload-policy", "create"]).start();
        assert_eq!(put(&server, "a.cfg", "x"), Err(6));
        assert_eq!(put(&server, "b.cfg", "1234567890"), Ok(()));
        assert_eq!(put(&server, "c.txt", "12345"), Err(3), "max-client");
        assert_eq!(put_from(&server, "127.0.0.2", "c.txt", "123456"), Err(3), "max-total");
        assert_eq!(put_from(&server, "127.0.0.2", "c.txt", "12345"), Ok(()));
        drop(server);
        let other = site.text("other");
        let server = site.builder(setup).args(&["--upload", &other, "--upload-policy", "create"]).start();
        assert_eq!(put(&server, "a.cfg", "x"), Ok(()));
        assert_eq!(site.read("other/a.cfg").as_deref(), Some("x"));
    }

    /// A map file of tftp-hpa sees the direction: G rules are for reads, P rules for writes.
    fn map_files_see_the_direction(setup) {
        let site = Site::new("[upload]\ndir = 'up'\n");
        let map = site.path("map");
        fs::write(&map, "rG ^cfg$ read-cfg\nrP ^cfg$ written-\\i\naP ^secret Keep\\ out\n").expect("a map");
        let map = map.to_str().expect("text");
        let server = site.builder(setup).args(&["--map-file", map]).start();
        fs::write(site.path("root/read-cfg"), "read").expect("a file");
        assert_eq!(put(&server, "cfg", "mine"), Ok(()));
        assert_eq!(site.read("up/written-127.0.0.1").as_deref(), Some("mine"));
        assert_eq!(put(&server, "secret", "x"), Err(2));
        let got = crate::support::Fetch::new(&server, "cfg", &[]).run();
        assert_eq!(got.expect("the file").data, b"read");
    }

    /// SIGHUP reads the map file again, for both directions; a faulty one changes nothing.
    fn sighup_reads_the_map_file_again(setup) {
        use std::time::Duration;
        use rustix::process::Signal;
        let site = Site::new("[upload]\ndir = 'up'\n");
        let map = site.path("map");
        fs::write(&map, "r ^one$ 1\n").expect("a map");
        let map_text = map.to_str().expect("text");
        let server = site.builder(setup).args(&["--map-file", map_text]).start();
        for number in ["1", "2"] {
            fs::write(site.path("root").join(number), number).expect("a file");
        }
        let read = |name: &str| crate::support::Fetch::new(&server, name, &[]).run().map(|got| got.data);
        assert_eq!(read("one").expect("the file"), b"1");
        let again = |text: &str, word: &str| {
            fs::write(&map, text).expect("a map");
            server.signal(Signal::HUP);
            let told = |line: &str| line.contains("SIGHUP") && line.contains(word);
            server.find_line(Duration::from_secs(10), told).expect("a word about it");
            // The shards hear of it a moment later.
            std::thread::sleep(Duration::from_millis(300));
        };
        again("rG ^one$ 2\nrP ^one$ up-one\n", "was read again");
        assert_eq!(read("one").expect("the file"), b"2");
        assert_eq!(put(&server, "one", "x"), Ok(()));
        assert_eq!(site.read("up/up-one").as_deref(), Some("x"));
        again("rz broken\n", "nothing has changed");
        assert_eq!(read("one").expect("the file"), b"2");
    }
}

/// What `check` says of uploads.
#[test]
fn check_finds_what_is_wrong_with_uploads() {
    for (config, wanted, status) in [
        ("[upload]\ndir = 'up'\n", "", 0),
        ("[upload]\ndir = 'root'\n", "problem: uploads go to", 1),
        (
            "[upload]\ndir = 'up'\n[roots.o]\npath = 'up/sub'\n[[rule]]\nmatch='x'\nroot='o'\n",
            "problem: uploads go to",
            1,
        ),
        (
            "[upload]\ndir = 'none'\n",
            "problem: nothing can be uploaded to",
            1,
        ),
        (
            "[roots.default]\nuploads = true\n",
            "warning: the root \"default\" is served, and takes uploads",
            0,
        ),
        (
            "[upload]\npolicy = 'create'\n",
            "warning: `[upload]` changes nothing",
            0,
        ),
        (
            "[[rule]]\noperation = 'write'\nstop = true\n",
            "can never match: it is for write requests",
            1,
        ),
        (
            "[upload]\ndir = 'up'\n[roots.o]\npath = 'other'\n[[rule]]\noperation = 'write'\nroot = 'o'\n",
            "leads uploads to the root \"o\", which takes none",
            1,
        ),
    ] {
        let site = Site::new(config);
        fs::create_dir(site.path("up/sub")).expect("a directory");
        let (code, said) = site.run(&["check", "--listen", "127.0.0.1:0"]);
        assert!(said.contains(wanted), "{config}: {said}");
        assert_eq!(code, Some(status), "{config}: {said}");
    }
}

/// What the server's user may not do is found, although root asks.
#[test]
fn check_asks_as_the_servers_user() {
    use std::os::unix::fs::PermissionsExt;

    if !crate::support::netns::privileged() {
        return;
    }
    let site = Site::new("user = 'nobody'\n[upload]\ndir = 'up'\n");
    let mode = |name: &str, mode| {
        let rights = fs::Permissions::from_mode(mode);
        fs::set_permissions(site.path(name), rights).expect("changed");
    };
    let check = || site.run(&["check", "--listen", "127.0.0.1:0"]);
    mode("", 0o755);
    let (code, said) = check();
    assert!(
        said.contains("problem: the user \"nobody\" may not write to"),
        "{said}"
    );
    assert_eq!(code, Some(1), "{said}");
    mode("up", 0o777);
    let (code, said) = check();
    assert!(
        said.contains("ok: the user \"nobody\" may read and write"),
        "{said}"
    );
    assert_eq!(code, Some(0), "{said}");
    mode("root", 0o700);
    let (code, said) = check();
    assert!(
        said.contains("problem: the user \"nobody\" may not read"),
        "{said}"
    );
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = site.run(&["check", "--user", "nobody-of-this-name"]);
    assert!(
        said.contains("there is no user \"nobody-of-this-name\""),
        "{said}"
    );
    assert_eq!(code, Some(1), "{said}");
}

/// Flags about uploads that go nowhere are a mistake.
#[test]
fn flags_without_a_directory_are_refused() {
    let dir = Root::new();
    let root = dir.path().to_str().expect("text");
    let output = run_to_end(&["serve", root, "--upload-policy", "create"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("without --upload DIR"), "{said}");
    assert!(Path::new(root).exists());
}
