//! No zombie panels: every metric that an alert or a panel names is on the server's page, and moves in a run.
//! It never asks whether it moves for the right reason: `tests/admin` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::exposition::Page;
use super::http::Watched;
use super::prometheus::expressions;
use super::support::server::{PATIENCE, Server};
use super::support::{Conversation, Fetch, Packet, Root, Setup, packet, pattern};
use super::tools::from_here;

/// Facts about the program: they have labels worth showing and never change.
const FACTS: [&str; 2] = ["tftp_build_info", "tftp_backend_info"];

/// Datagrams of the smallest kind that fill any receive buffer that the server takes: 32 MiB, which the kernel doubles, at
/// 768 bytes for each of them.
const FLOOD: usize = 120_000;

/// What operators read: the rules and every panel.
fn questions() -> Vec<String> {
    let rules = fs::read_to_string(from_here("deploy/prometheus/ringboot.rules.yaml"));
    let mut questions = vec![rules.expect("the rules")];
    questions.extend(expressions().into_iter().map(|(_, expression)| expression));
    questions
}

/// The metrics' names in a question.
fn names(question: &str) -> BTreeSet<String> {
    let words = question.split(|char: char| !(char.is_ascii_lowercase() || char == '_'));
    let ours = words.filter(|word| word.starts_with("tftp_"));
    ours.map(ToOwned::to_owned).collect()
}

/// Values that a question expects of a label: `outcome=~"shed|aborted"`.
fn values(question: &str, label: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for operator in ["=\"", "=~\"", "!~\""] {
        for rest in question.split(&format!("{label}{operator}")).skip(1) {
            let list = rest.split('"').next().expect("a value");
            values.extend(list.split('|').map(ToOwned::to_owned));
        }
    }
    values
}

/// What has been seen of each series.
struct Watch {
    watched: Watched,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Watch {
    fn page(&mut self) -> Page {
        let page = Page::read(&self.watched.get("/metrics").body, false);
        for (series, value) in &page.samples {
            let seen = self.seen.entry(series.clone()).or_default();
            seen.insert(value.to_string());
        }
        page
    }

    /// Scrapes until a metric's sum passes a bound, as Prometheus would.
    fn until(&mut self, name: &str, passes: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !passes(self.page().family_sum(name)) {
            assert!(Instant::now() < deadline, "{name} does not move");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn moved(&self, name: &str) -> bool {
        let of = |series: &str| series.split('{').next() == Some(name);
        let mut series = self.seen.iter().filter(|(series, _)| of(series));
        series.any(|(_, values)| values.len() > 1)
    }
}

#[test]
fn every_metric_of_a_rule_or_a_panel_is_there_and_moves() {
    let root = Root::with("file", &pattern(100_000, 1));
    let map = root.write("map", b"r ^never once\n");
    let limits = "version = 1\n[limits]\nerrors-per-second = 1\nerrors-burst = 1\n";
    let config = root.write("limits.toml", limits.as_bytes());
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let server = Server::on(root.path(), Setup::EPOLL).args(&[
        "--upload",
        &text(root.path()),
        "--map-file",
        &text(&map),
        "--config",
        &text(&config),
    ]);
    let mut watch = Watch {
        watched: Watched::by(server),
        seen: BTreeMap::new(),
    };
    watch.page();

    transfers(&mut watch);
    changes(&mut watch, &root);
    reloads(&mut watch, &map);
    flood(&mut watch);
    drain(&mut watch);

    for question in questions() {
        for name in names(&question) {
            let there = watch
                .seen
                .keys()
                .any(|series| series.split('{').next() == Some(name.as_str()));
            assert!(
                there,
                "the server has no {name}, which this asks: {question}"
            );
            let fact = FACTS.contains(&name.as_str());
            assert!(fact || watch.moved(&name), "{name} never moves: {question}");
        }
        for label in ["outcome", "op", "result", "limit", "reason"] {
            for value in values(&question, label) {
                let pair = format!("{label}=\"{value}\"");
                let there = watch.seen.keys().any(|series| series.contains(&pair));
                assert!(there, "no series has {pair}, which this asks: {question}");
            }
        }
    }
}

/// Reads, uploads, resends and refusals.
fn transfers(watch: &mut Watch) {
    Fetch::new(&watch.watched.server, "file", &[]).complete();
    watch.until("tftp_transfer_duration_seconds_count", |count| count > 0.5);

    let mut late = Conversation::with(&watch.watched.server);
    late.rrq("file", "octet", &[]);
    late.expect();
    watch.until("tftp_transfers_active", |count| count > 0.5);
    late.ack(1);
    late.expect();
    thread::sleep(Duration::from_millis(600));
    late.send(&packet::error(0, "enough"));
    watch.until("tftp_retransmitted_blocks_total", |count| count > 0.5);

    let mut upload = Conversation::with(&watch.watched.server);
    upload.request(&packet::request(2, b"new", "octet", &[]));
    assert_eq!(upload.expect(), Packet::Ack(0));
    upload.send(b"\0\x03\0\x01hello");
    watch.until("tftp_uploads_total", |count| count > 0.5);

    for _ in 0..5 {
        let mut client = Conversation::with(&watch.watched.server);
        client.rrq("missing", "octet", &[]);
    }
    watch.until("tftp_limited_total", |count| count > 0.5);
}

/// A file that is overwritten while it is read.
fn changes(watch: &mut Watch, root: &Root) {
    root.write("changing", &[1; 5_000]);
    let mut client = Conversation::with(&watch.watched.server);
    client.rrq("changing", "octet", &[]);
    client.expect();
    fs::write(root.path().join("changing"), [2; 4_000]).expect("written");
    for block in 1..=8 {
        client.ack(block);
        if matches!(client.expect(), Packet::Error { .. }) {
            break;
        }
    }
    watch.until("tftp_file_changed_during_transfer_total", |count| {
        count > 0.5
    });
}

/// A reload that fails, and one that does not.
fn reloads(watch: &mut Watch, map: &std::path::Path) {
    fs::write(map, "r (((\n").expect("written");
    watch.watched.server.signal(Signal::HUP);
    watch.until("tftp_config_last_reload_successful", |good| good < 0.5);
    let before = watch
        .page()
        .get("tftp_config_last_reload_success_timestamp_seconds");
    thread::sleep(Duration::from_millis(1_100));
    fs::write(map, "r ^never twice\n").expect("written");
    watch.watched.server.signal(Signal::HUP);
    let timestamp = "tftp_config_last_reload_success_timestamp_seconds";
    watch.until(timestamp, |now| now > before);
}

/// More junk than fits the receive buffer of a server that does not look.
fn flood(watch: &mut Watch) {
    watch.watched.server.signal(Signal::STOP);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..FLOOD {
        let _ = socket.send_to(b"\0\x09", watch.watched.server.addr());
    }
    watch.watched.server.signal(Signal::CONT);
    watch.until("tftp_socket_receive_drops_total", |count| count > 0.5);
    watch.until("tftp_dropped_datagrams_total", |count| count > 0.5);
    // This client repeats its request until there is room again.
    Fetch::new(&watch.watched.server, "file", &[]).complete();
}

/// A transfer that is under way when the server is told to end.
fn drain(watch: &mut Watch) {
    let mut client = Conversation::with(&watch.watched.server);
    // The flood may still fill the socket of this client's shard.
    client.rrq("file", "octet", &[]);
    while client.next_within(Duration::from_millis(500)).is_none() {
        client.rrq("file", "octet", &[]);
    }
    // The first block once more.
    client.expect();
    watch.watched.server.signal(Signal::TERM);
    watch.until("tftp_ready", |ready| ready < 0.5);
    client.send(&packet::error(0, "enough"));
}
