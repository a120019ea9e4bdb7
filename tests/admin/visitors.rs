//! Who may look, and what a visitor can do to the admin port: nothing.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::http::{Answer, Watched, address, get, raw};
use crate::support::server::{Server, run_to_end};
use crate::support::{Root, Setup};

#[test]
fn addresses_that_others_reach_need_a_token() {
    let root = Root::new();
    let root_path = root.path().to_str().expect("text");
    let output = run_to_end(&[
        "serve",
        root_path,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "0.0.0.0:0",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--admin-token-file"), "{said}");

    let token = root.write("token", b"correct-horse-battery\n");
    let token = token.to_str().expect("text");
    let args = ["--admin", "0.0.0.0:0", "--admin-token-file", token];
    let server = Server::on(root.path(), Setup::EPOLL).args(&args).start();
    let mut admin = address(&server);
    admin.set_ip("127.0.0.1".parse().expect("an address"));
    for path in ["/", "/metrics", "/events", "/machine", "/nothing"] {
        let answer = get(admin, path, &[]);
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer.head.contains("www-authenticate: basic"),
            "{answer:?}"
        );
        let wrong = get(
            admin,
            path,
            &["Authorization: Bearer correct-horse-batterz"],
        );
        assert_eq!(wrong.status, 401, "{path}");
    }
    let bearer = "Authorization: Bearer correct-horse-battery";
    assert_eq!(get(admin, "/metrics", &[bearer]).status, 200);
    // me:correct-horse-battery
    let basic = "Authorization: Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5";
    assert_eq!(get(admin, "/metrics", &[basic]).status, 200);
    // Balancers and the kubelet know no token.
    assert_eq!(get(admin, "/livez", &[]).status, 200);
    assert_eq!(get(admin, "/readyz", &[]).status, 200);
    assert!(!server.stop().contains("correct-horse"));
}

#[test]
fn a_page_of_a_foreign_name_sees_nothing() {
    let root = Root::new();
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let ask = |host: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw(watched.admin, &request).status
    };
    assert_eq!(ask("rebound.example:9069"), 421);
    assert_eq!(ask("localhost"), 200);
    assert_eq!(ask("[::1]:1"), 200);
}

#[test]
fn only_get_is_answered_and_every_answer_says_how_to_treat_it() {
    let root = Root::new();
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let host = watched.admin;
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request =
            format!("{method} /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(watched.admin, &request).status, 405, "{method}");
    }
    for path in ["/", "/metrics", "/livez", "/nothing"] {
        let answer = watched.get(path);
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'",
        ] {
            assert!(answer.head.contains(header), "{path}: {answer:?}");
        }
    }
    let policy = |answer: &Answer| {
        let line = answer
            .head
            .lines()
            .find(|line| line.starts_with("content-security-policy"));
        line.expect("a policy").to_owned()
    };
    let (one, other) = (watched.get("/"), watched.get("/"));
    assert!(policy(&one).contains("script-src 'nonce-") && !policy(&one).contains("unsafe"));
    assert_ne!(policy(&one), policy(&other), "a number that is used once");
    let head = format!("HEAD /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = raw(watched.admin, &head);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(watched.get("/nothing").status, 404);
}

#[test]
fn silent_and_endless_visitors_are_shown_out() {
    let root = Root::new();
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let begun = Instant::now();
    // More than there are seats: the others wait until these are taken away.
    let mut silent: Vec<TcpStream> = (0..80)
        .map(|_| TcpStream::connect(watched.admin).expect("a connection"))
        .collect();
    assert_eq!(watched.get("/livez").status, 200);
    assert!(
        begun.elapsed() > Duration::from_secs(5),
        "there were seats enough: {:?}",
        begun.elapsed()
    );
    let first = silent.first_mut().expect("a visitor");
    first
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let mut rest = Vec::new();
    // Closed, with or without a word.
    let _ = first.read_to_end(&mut rest);
    drop(silent);

    let mut endless = TcpStream::connect(watched.admin).expect("a connection");
    endless
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let _ = endless.write_all(b"GET /livez HTTP/1.1\r\nX: ");
    let _ = endless.write_all(&vec![b'x'; 1 << 20]);
    let mut answer = Vec::new();
    let _ = endless.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    for nonsense in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(watched.admin).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream.write_all(nonsense.as_bytes()).expect("sent");
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert_eq!(watched.get("/livez").status, 200);
}

#[test]
fn a_taken_port_is_told_and_a_successor_takes_over() {
    let root = Root::new();
    let foreign = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = foreign.local_addr().expect("an address").to_string();
    let root_path = root.path().to_str().expect("text");
    let output = run_to_end(&[
        "serve",
        root_path,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        &taken,
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("--admin {taken}: cannot listen there")),
        "{said}"
    );

    let old = Watched::start(&root, Setup::EPOLL, &[]);
    let admin = old.admin.to_string();
    let args = ["--admin", admin.as_str()];
    let new = Server::on(root.path(), Setup::EPOLL).args(&args).start();
    old.server.stop();
    assert_eq!(get(address(&new), "/readyz", &[]).status, 200);
}
