//! The metrics page: its form, and that every figure on it moves for its own reason.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::exposition::Page;
use super::http::{Watched, get};
use crate::support::netns::privileged;
use crate::support::server::{PATIENCE, Server};
use crate::support::slowfs::SlowFs;
use crate::support::{Conversation, Fetch, Packet, Root, Setup, packet, pattern};

impl Watched {
    fn page(&self) -> Page {
        Page::read(&self.get("/metrics").body, false)
    }

    /// Waits until a sample is at least so high.
    fn reaches(&self, series: &str, value: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.page().get(series) < value {
            assert!(
                Instant::now() < deadline,
                "{series} stays at {}",
                self.page().get(series)
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn both_forms_hold_together() {
    let root = Root::new();
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let answer = watched.get("/metrics");
    assert!(
        answer
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    let classic = Page::read(&answer.body, false);
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5";
    let answer = get(watched.admin, "/metrics", &[accept]);
    assert!(
        answer
            .head
            .contains("content-type: application/openmetrics-text"),
        "{}",
        answer.head
    );
    let open = Page::read(&answer.body, true);
    let names = |page: &Page| page.samples.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&classic), names(&open));
    let info = format!(
        "tftp_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(classic.get(&info) > 0.0);
    assert!(classic.get("tftp_config_last_reload_success_timestamp_seconds") > 1.7e9);
    assert!(classic.get(r#"tftp_backend_info{shard="0",backend="epoll",why=""}"#) > 0.0);
    let filtered = |name: &String| {
        name.starts_with("tftp_sandbox_info") && name.contains("seccomp=\"on\",ring=\"none\"")
    };
    assert!(classic.samples.keys().any(filtered));
}

/// What ecosystem knows of us by name, and dashboards will.
#[test]
fn the_promised_metrics_are_there_before_anything_happened() {
    let root = Root::new();
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let page = watched.page();
    for (name, kind) in [
        ("tftp_requests_total", "counter"),
        ("tftp_transfers_total", "counter"),
        ("tftp_transfers_active", "gauge"),
        ("tftp_transfer_duration_seconds", "histogram"),
        ("tftp_first_data_seconds", "histogram"),
        ("tftp_sent_bytes_total", "counter"),
        ("tftp_received_bytes_total", "counter"),
        ("tftp_retransmitted_blocks_total", "counter"),
        ("tftp_dropped_datagrams_total", "counter"),
        ("tftp_socket_receive_drops_total", "counter"),
        ("tftp_ring_overflows_total", "counter"),
        ("tftp_buffers_exhausted_total", "counter"),
        ("tftp_congested_total", "counter"),
        ("tftp_gso_fallbacks_total", "counter"),
        ("tftp_parked_total", "counter"),
        ("tftp_zero_copy_trains_total", "counter"),
        ("tftp_frame_memory_bytes", "gauge"),
        ("tftp_frame_memory_limit_bytes", "gauge"),
        ("tftp_frames_refused_total", "counter"),
        ("tftp_shard_busy_seconds_total", "counter"),
        ("tftp_limited_total", "counter"),
        ("tftp_file_changed_during_transfer_total", "counter"),
        ("tftp_uploads_total", "counter"),
        ("tftp_config_last_reload_successful", "gauge"),
        ("tftp_config_last_reload_success_timestamp_seconds", "gauge"),
        ("tftp_backend_info", "gauge"),
        ("tftp_sandbox_info", "gauge"),
        ("tftp_build_info", "gauge"),
    ] {
        assert_eq!(
            page.types.get(name).map(String::as_str),
            Some(kind),
            "{name}"
        );
    }
    for outcome in [
        "completed",
        "timed_out",
        "peer_error",
        "peer_gone",
        "refused",
        "shed",
        "aborted",
    ] {
        for op in ["read", "write"] {
            let series = format!("tftp_transfers_total{{op=\"{op}\",outcome=\"{outcome}\"}}");
            assert!(page.get(&series).abs() < 0.5, "{series}");
        }
        assert!(
            page.get(&format!("tftp_uploads_total{{outcome=\"{outcome}\"}}"))
                .abs()
                < 0.5
        );
    }
}

fn reads(setup: Setup) {
    let root = Root::with("file", &pattern(100_000, 1));
    let watched = Watched::start(&root, setup, &[]);
    let fetched = Fetch::new(&watched.server, "file", &[]).complete();
    assert!(fetched.data == pattern(100_000, 1));
    watched.reaches(
        "tftp_transfers_total{op=\"read\",outcome=\"completed\"}",
        1.0,
    );
    watched.reaches("tftp_requests_total{op=\"read\",result=\"accepted\"}", 1.0);
    watched.reaches("tftp_sent_bytes_total", 100_000.0);
    watched.reaches("tftp_sent_datagrams_total", 100.0);
    watched.reaches("tftp_received_datagrams_total", 100.0);
    let page = watched.page();
    assert!(page.get("tftp_transfer_duration_seconds_count{op=\"read\"}") > 0.5);
    assert!(page.get("tftp_transfer_duration_seconds_sum{op=\"read\"}") > 0.0);
    assert!((page.get("tftp_first_data_seconds_count") - 1.0).abs() < 0.5);
    assert!(page.family_sum("tftp_shard_busy_seconds_total") > 0.0);
    assert!(page.family_sum("tftp_shard_turns_total") > 0.0);

    // Under way, resent, repeated, given up, refused in each of the ways.
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "octet", &[]);
    client.expect();
    watched.reaches("tftp_transfers_active", 1.0);
    client.request_again(&packet::rrq("file", "octet", &[]));
    watched.reaches("tftp_requests_total{op=\"read\",result=\"repeated\"}", 1.0);
    client.ack(1);
    client.expect();
    thread::sleep(Duration::from_millis(600));
    client.send(&packet::error(0, "enough"));
    watched.reaches(
        "tftp_transfers_total{op=\"read\",outcome=\"peer_error\"}",
        1.0,
    );
    watched.reaches("tftp_retransmitted_blocks_total", 1.0);
    let mut client = Conversation::with(&watched.server);
    client.rrq("missing", "octet", &[]);
    client.expect();
    watched.reaches("tftp_requests_total{op=\"read\",result=\"missing\"}", 1.0);
    watched.reaches("tftp_transfers_total{op=\"read\",outcome=\"refused\"}", 1.0);
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "mail", &[]);
    client.expect();
    watched.reaches("tftp_requests_total{op=\"read\",result=\"refused\"}", 1.0);
    let mut client = Conversation::with(&watched.server);
    client.request(&wrq("file"));
    client.expect();
    watched.reaches("tftp_uploads_total{outcome=\"refused\"}", 1.0);
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "octet", &[("tsize", "0")]);
    client.expect();
    client.send(&packet::error(8, "size"));
    watched.reaches("tftp_transfers_total{op=\"read\",outcome=\"probe\"}", 1.0);
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "octet", &[]);
    client.expect();
    client.rrq("missing", "octet", &[]);
    watched.reaches("tftp_transfers_total{op=\"read\",outcome=\"aborted\"}", 1.0);

    // Datagrams that lead to nothing.
    client.request(b"\0\x09junk");
    watched.reaches("tftp_dropped_datagrams_total{reason=\"malformed\"}", 1.0);
    client.request(&packet::ack(7));
    watched.reaches("tftp_dropped_datagrams_total{reason=\"unknown_tid\"}", 1.0);
    client.request(&[&b"\0\x01"[..], &[b'x'; 4000]].concat());
    watched.reaches("tftp_dropped_datagrams_total{reason=\"truncated\"}", 1.0);

    // A client that is gone, and one that never answers.
    let gone = Conversation::with(&watched.server);
    let mut gone = gone;
    gone.rrq("file", "octet", &[]);
    gone.expect();
    drop(gone);
    watched.reaches(
        "tftp_transfers_total{op=\"read\",outcome=\"peer_gone\"}",
        1.0,
    );
    let mut silent = Conversation::with(&watched.server);
    silent.rrq("file", "octet", &[]);
    watched.reaches(
        "tftp_transfers_total{op=\"read\",outcome=\"timed_out\"}",
        1.0,
    );
    watched.reaches("tftp_requests_total{op=\"read\",result=\"accepted\"}", 5.0);
    let page = watched.page();
    assert!(page.get("tftp_transfers_active").abs() < 0.5);
}

#[test]
fn reads_move_their_metrics_with_uring() {
    Setup::URING.run(reads);
}

#[test]
fn reads_move_their_metrics_with_epoll() {
    Setup::EPOLL.run(reads);
}

#[test]
fn uploads_move_theirs() {
    let root = Root::new();
    let dir = root.path().to_str().expect("text");
    let watched = Watched::start(&root, Setup::EPOLL, &["--upload", dir]);
    let mut client = Conversation::with(&watched.server);
    client.request(&wrq("new"));
    assert_eq!(client.expect(), Packet::Ack(0));
    client.request_again(&wrq("new"));
    watched.reaches("tftp_requests_total{op=\"write\",result=\"repeated\"}", 1.0);
    client.send(b"\0\x03\0\x01hello");
    assert_eq!(client.expect(), Packet::Ack(1));
    watched.reaches("tftp_uploads_total{outcome=\"completed\"}", 1.0);
    watched.reaches(
        "tftp_transfers_total{op=\"write\",outcome=\"completed\"}",
        1.0,
    );
    watched.reaches("tftp_requests_total{op=\"write\",result=\"accepted\"}", 1.0);
    watched.reaches("tftp_received_bytes_total", 5.0);
    watched.reaches("tftp_transfer_duration_seconds_count{op=\"write\"}", 1.0);
}

#[test]
fn limits_move_theirs() {
    let root = Root::with("file", &pattern(5_000, 1));
    let limits = "version = 1\n[limits]\nrequests-per-second = 1\nrequests-burst = 3\n\
                  errors-per-second = 1\nerrors-burst = 1\ntransfers = 1\n";
    let config = root.write("limits.toml", limits.as_bytes());
    let config = config.to_str().expect("text");
    let watched = Watched::by(
        Server::on(root.path(), Setup::EPOLL)
            .shards(1)
            .args(&["--config", config]),
    );
    let mut first = Conversation::with(&watched.server);
    first.rrq("file", "octet", &[]);
    first.expect();
    let mut second = Conversation::with(&watched.server);
    second.rrq("file", "octet", &[]);
    watched.reaches("tftp_limited_total{limit=\"transfers\"}", 1.0);
    for _ in 0..3 {
        let mut other = Conversation::with(&watched.server);
        other.rrq("file", "octet", &[]);
    }
    watched.reaches("tftp_limited_total{limit=\"requests\"}", 1.0);
    watched.reaches("tftp_requests_total{op=\"read\",result=\"limited\"}", 1.0);
    watched.reaches("tftp_requests_total{op=\"read\",result=\"shed\"}", 1.0);
    watched.reaches("tftp_transfers_total{op=\"read\",outcome=\"shed\"}", 1.0);
    let deadline = Instant::now() + PATIENCE;
    while watched.page().get("tftp_limited_total{limit=\"errors\"}") < 1.0 {
        assert!(Instant::now() < deadline);
        for _ in 0..3 {
            let mut other = Conversation::with(&watched.server);
            other.rrq("missing", "mail", &[]);
        }
        thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn a_file_that_changes_moves_its_own() {
    let root = Root::with("file", &[1; 5_000]);
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let mut client = Conversation::with(&watched.server);
    client.rrq("file", "octet", &[]);
    client.expect();
    fs::write(root.path().join("file"), [2; 4_000]).expect("written");
    for block in 1..=8 {
        client.ack(block);
        if matches!(client.expect(), Packet::Error { .. }) {
            break;
        }
    }
    watched.reaches("tftp_file_changed_during_transfer_total", 1.0);
    watched.reaches("tftp_transfers_total{op=\"read\",outcome=\"aborted\"}", 1.0);
}

/// A mebibyte is room for one of the files and for no part of the other.
fn frames(setup: Setup) {
    let root = Root::with("fits", &pattern(600_000, 1));
    root.write("large", &pattern(1_100_000, 2));
    let server = Server::on(root.path(), setup).shards(1);
    let watched = Watched::by(server.args(&["--frame-memory", "1"]));
    let limit = watched.page().get("tftp_frame_memory_limit_bytes");
    assert!((limit - 1_048_576.0).abs() < 0.5, "{limit}");
    let ask = |name| {
        let mut client = Conversation::with(&watched.server);
        client.rrq(name, "octet", &[("blksize", "1428"), ("windowsize", "16")]);
        client.expect();
        client.ack(0);
        client.expect();
        client
    };
    // The image is in use as long as they are.
    let _two = [ask("fits"), ask("fits")];
    watched.reaches("tftp_frame_memory_bytes", 600_000.0);
    let _others = [ask("large"), ask("large")];
    watched.reaches("tftp_frames_refused_total", 1.0);
    let told = |line: &str| line.contains("--frame-memory (1 MiB");
    assert!(watched.server.find_line(PATIENCE, told).is_some());
    if setup == Setup::URING {
        // On loopback the kernel copies.
        let options = [("blksize", "1428"), ("windowsize", "16")];
        Fetch::new(&watched.server, "fits", &options).complete();
        watched.reaches("tftp_zero_copy_trains_total{result=\"copied\"}", 1.0);
    }
}

#[test]
fn frames_move_their_metrics_with_uring() {
    Setup::URING.run(frames);
}

#[test]
fn frames_move_their_metrics_with_epoll() {
    Setup::EPOLL.run(frames);
}

#[test]
fn a_slow_disk_moves_its_own() {
    if !privileged() {
        return;
    }
    let root = Root::new();
    let files = vec![pattern(300_000, 1)];
    let disk = SlowFs::mount(&root.path().join("disk"), files, Duration::from_millis(50));
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    Fetch::new(&watched.server, "disk/0", &[("blksize", "1024")]).complete();
    watched.reaches("tftp_parked_total", 1.0);
    drop(watched);
    drop(disk);
}

#[test]
fn reloads_tell_how_they_went() {
    let root = Root::new();
    let map = root.write("map", b"r ^a b\n");
    let watched = Watched::start(
        &root,
        Setup::EPOLL,
        &["--map-file", map.to_str().expect("text")],
    );
    assert!(watched.page().get("tftp_config_last_reload_successful") > 0.5);
    fs::write(&map, "r (((\n").expect("written");
    watched.server.signal(rustix::process::Signal::HUP);
    let deadline = Instant::now() + PATIENCE;
    while watched.page().get("tftp_config_last_reload_successful") > 0.5 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(50));
    }
    fs::write(&map, "r ^b c\n").expect("written");
    watched.server.signal(rustix::process::Signal::HUP);
    watched.reaches("tftp_config_last_reload_successful", 1.0);
}

fn wrq(name: &str) -> Vec<u8> {
    packet::request(2, name.as_bytes(), "octet", &[])
}
