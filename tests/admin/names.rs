//! Machines' names on the farm page: they are those of the configuration that is in force.
//! It never looks at the page itself.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::http::Watched;
use crate::support::server::PATIENCE;
use crate::support::{Fetch, Root, Server, Setup};

/// Reads events until one of them says `word`.
#[track_caller]
fn await_event(admin: SocketAddr, word: &str) {
    let mut stream = TcpStream::connect(admin).expect("a connection");
    let wait = Some(Duration::from_millis(200));
    stream.set_read_timeout(wait).expect("a timeout");
    write!(stream, "GET /events HTTP/1.1\r\nHost: {admin}\r\n\r\n").expect("a request");
    let (mut said, mut bytes) = (Vec::new(), [0; 4096]);
    let end = Instant::now() + PATIENCE;
    while !String::from_utf8_lossy(&said).contains(word) {
        let told = String::from_utf8_lossy(&said);
        assert!(Instant::now() < end, "no {word} in {told}");
        let length = stream.read(&mut bytes).unwrap_or(0);
        said.extend_from_slice(&bytes[..length]);
    }
}

#[test]
fn a_reload_renames_the_machines() {
    let site = Root::with("root/vmlinuz", b"kernel");
    let named = |name: &str| {
        let text = format!(
            "version = 1\nroot = 'root'\n[[host]]\nip = '127.0.0.1'\nhostname = '{name}'\n"
        );
        let fresh = site.write("fresh.toml", text.as_bytes());
        let config = site.path().join("ringboot.toml");
        fs::rename(fresh, &config).expect("renamed");
        config
    };
    let config = named("before-it");
    let watched = Watched::by(Server::configured(&config, Setup::EPOLL));
    Fetch::new(&watched.server, "vmlinuz", &[]).complete();
    await_event(watched.admin, "\"before-it\"");
    named("after-it");
    watched.server.signal(Signal::HUP);
    await_event(watched.admin, "\"after-it\"");
    watched.server.stop();
}
