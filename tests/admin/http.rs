//! An HTTP client that sends what it is told and hands back what came.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::support::server::{Builder, PATIENCE};
use crate::support::{Root, Server, Setup};

/// A server with an admin port, and where that is.
pub struct Watched {
    pub server: Server,
    pub admin: SocketAddr,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Watched {
    pub fn start(root: &Root, setup: Setup, args: &[&str]) -> Self {
        Self::by(Server::on(root.path(), setup).args(args))
    }

    pub fn by(builder: Builder) -> Self {
        let server = builder.args(&["--admin", "127.0.0.1:0"]).start();
        let admin = address(&server);
        Self { server, admin }
    }

    pub fn get(&self, path: &str) -> Answer {
        get(self.admin, path, &[])
    }
}

/// What the log says of the admin port.
pub fn address(server: &Server) -> SocketAddr {
    let told = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let rest = line["message"]
            .as_str()?
            .strip_prefix("admin port: http://")?;
        rest.trim_end_matches('/').parse().ok()
    };
    let line = server.find_line(PATIENCE, |line| told(line).is_some());
    told(&line.expect("a line about the admin port")).expect("an address")
}

pub fn get(to: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    let host = format!("Host: {to}");
    let headers = [&[host.as_str(), "Connection: close"], headers].concat();
    raw(
        to,
        &format!("GET {path} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")),
    )
}

/// Sends these bytes and reads to the end.
pub fn raw(to: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    // A server that refuses may close before it has read all: what it said counts.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status in {answer:?}")),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}
