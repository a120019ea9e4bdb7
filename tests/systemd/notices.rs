//! What the service manager is told: ready, reloading, stopping, and that all shards are alive.

use std::time::Duration;

use rustix::process::Signal;

use crate::manager::{Manager, PATIENCE};
use crate::support::{Conversation, Fetch, Root, Server, Setup};

backends! {
    fn ready_reloading_ready_stopping(setup) {
        let root = Root::with("file", &[7; 2000]);
        let manager = Manager::new();
        let server = Server::on(root.path(), setup).env("NOTIFY_SOCKET", &manager.address()).start();
        let ready = manager.await_line("READY=1");
        assert!(ready.contains("\nSTATUS=serving on 127.0.0.1:"), "{ready}");

        server.signal(Signal::HUP);
        let reloading = manager.await_line("RELOADING=1");
        let when = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        let when: u128 = when.expect("a time").parse().expect("a number");
        // systemd compares it with its own clock.
        let now = u128::from(ringboot::clock::now().0 / 1_000);
        assert!(now.abs_diff(when) < 30_000_000, "{when}, {now}");
        let ready = manager.await_line("READY=1");
        assert!(ready.contains("\nSTATUS=serving on 127.0.0.1:"), "{ready}");

        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[]);
        client.expect_data(1, &[7; 512]);
        server.signal(Signal::TERM);
        let stopping = manager.await_line("STOPPING=1");
        assert!(stopping.contains("\nSTATUS="), "{stopping}");
        drop(client);
        server.stop();
    }
}

/// `systemctl status` shows that a reload came to nothing, and the first mistake.
#[test]
fn a_reload_with_a_mistake_is_told_in_the_status() {
    let site = Root::new();
    let config = site.write("ringboot.toml", b"version = 1\nroot = '.'\n");
    let manager = Manager::new();
    let server = Server::configured(&config, Setup::EPOLL)
        .env("NOTIFY_SOCKET", &manager.address())
        .start();
    manager.await_line("READY=1");
    let reload = |text: &[u8]| {
        site.write("ringboot.toml", text);
        server.signal(Signal::HUP);
        manager.await_line("RELOADING=1");
        manager.await_line("READY=1")
    };
    let told = reload(b"version = 1\nrot = '.'\n");
    assert!(told.contains("by the former configuration: "), "{told}");
    assert!(told.contains("ringboot.toml:2:1: "), "{told}");
    let told = reload(b"version = 1\nroot = '.'\n");
    assert!(!told.contains("former"), "{told}");
    server.stop();
}

/// Nobody who did not ask is told anything, and a manager that is gone disturbs nobody.
#[test]
fn without_a_manager_it_serves() {
    let root = Root::with("file", b"content");
    let server = Server::on(root.path(), Setup::EPOLL);
    let server = server.env("NOTIFY_SOCKET", "/nowhere/notify").start();
    server.signal(Signal::HUP);
    assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
    server.stop();
}

#[cfg(target_arch = "x86_64")]
backends! {
    /// One shard stands still, by a debugger's hand; the others go on, and yet the watchdog starves.
    /// When the shard goes on, it is fed again.
    fn a_frozen_shard_starves_the_watchdog(setup) {
        use crate::support::tracee::Tracee;

        if !crate::support::netns::privileged() {
            return;
        }
        const WATCHDOG: Duration = Duration::from_secs(4);
        let root = Root::with("file", b"content");
        let manager = Manager::new();
        let server = Server::on(root.path(), setup)
            .env("NOTIFY_SOCKET", &manager.address())
            .env("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string())
            .start();
        // Fed four times within its patience, while nothing happens.
        for _ in 0..5 {
            assert!(manager.hear("WATCHDOG=1", WATCHDOG / 2).is_some(), "fed");
        }
        let frozen = Tracee::stop(server.thread("ringboot-1"));
        // Half of its patience is how long a shard may take for a turn.
        let fed_last = std::time::Instant::now();
        while manager.hear("WATCHDOG=1", WATCHDOG / 2).is_some() {
            assert!(fed_last.elapsed() < WATCHDOG, "fed although a shard stands still");
        }
        assert!(manager.hear("WATCHDOG=1", WATCHDOG).is_none(), "systemd would have ended it");
        server.find_line(PATIENCE, |line| line.contains("shard 1 has not turned for")).expect("a line about it");
        drop(frozen);
        manager.await_line("WATCHDOG=1");
        assert_eq!(Fetch::new(&server, "file", &[]).complete().data, b"content");
        server.stop();
    }
}
