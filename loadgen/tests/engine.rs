//! The engine against ringboot and against servers that do wrong: what it says is what happened.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bootstorm::arrival::Arrival;
use bootstorm::content::{self, Content, Source};
use bootstorm::engine::{EnginePlan, Io, Load};
use bootstorm::impair::Impairment;
use bootstorm::result::RunResult;
use bootstorm::scenario::{self, Acks, Ask, Farewell, Patience};
use support::fake::{Fake, Fault};
use support::server::{self, Server, bytes};
use support::{habits, plan, run};

const OPTIONS: [(&str, &str); 2] = [("blksize", "1024"), ("tsize", "0")];

/// A directory with one file, and a plan that knows what it holds.
struct Case {
    root: tempfile::TempDir,
    content: Vec<u8>,
}

impl Case {
    fn new(len: usize) -> Self {
        let content = bytes(len);
        Self {
            root: server::root(&[("file", &content)]),
            content,
        }
    }

    fn checked(&self, mut plan: EnginePlan) -> EnginePlan {
        let source = Source::Directory(self.root.path().into());
        plan.oracle = Some(Arc::new(Content::open(&source).expect("readable")));
        plan
    }

    /// What one machine makes of a server with this fault.
    fn with_fault(&self, fault: Fault) -> RunResult {
        let fake = Fake::start(self.content.clone(), fault);
        let mut habits = habits(&[]);
        if matches!(fault, Fault::Silence | Fault::SilenceLater) {
            habits.request = Patience::fixed(Duration::from_millis(50), 2);
            habits.data = habits.request;
        }
        run(&self.checked(plan(fake.addr, 3, "file", habits)))
    }
}

#[test]
fn ringboot_serves_a_farm() {
    let case = Case::new(100_000);
    let server = Server::start(case.root.path());
    for io in backends() {
        let mut plan = case.checked(plan(server.addr, 100, "file", habits(&OPTIONS)));
        plan.io = io;
        check_farm(&run(&plan));
    }
}

/// Both, unless this machine has no io_uring to test.
fn backends() -> Vec<Io> {
    match std::env::var_os("RINGBOOT_SKIP_URING") {
        Some(_) => vec![Io::Epoll],
        None => vec![Io::Epoll, Io::Uring],
    }
}

fn check_farm(result: &RunResult) {
    assert_eq!(result.transfers.completed, 100);
    assert_eq!(result.packets.bytes, 100 * 100_000);
    assert_eq!(result.packets.blocks, 100 * 98);
    assert_eq!(result.latency.transfer.count, 100);
    assert_eq!(result.latency.first_byte.count, 100);
    assert_eq!(result.granted.get("blksize=1024 tsize"), Some(&100));
    let blocks: u64 = result
        .intervals
        .iter()
        .map(|interval| interval.blocks)
        .sum();
    assert_eq!(blocks, result.packets.blocks);
    assert!(result.boots.is_none() && !result.cut_short);
}

#[test]
fn windows_and_content() {
    let case = Case::new(1_000_000);
    let server = Server::start(case.root.path());
    let habits = habits(&[("blksize", "1468"), ("windowsize", "16")]);
    for io in backends() {
        let mut plan = case.checked(plan(server.addr, 10, "file", habits.clone()));
        plan.count = Some(30);
        plan.io = io;
        let RunResult {
            transfers, packets, ..
        } = run(&plan);
        assert_eq!(transfers.completed, 30, "{io:?}");
        // An ACK for each window, not for each block.
        assert!(packets.sent < packets.blocks / 4, "{io:?} {packets:?}");
    }
}

#[test]
fn options_are_mixed_by_weight() {
    let case = Case::new(50_000);
    let server = Server::start(case.root.path());
    let mut plan = case.checked(plan(server.addr, 50, "file", habits(&[])));
    plan.count = Some(400);
    let ask = |name: &str, value: &str| Ask {
        name: name.into(),
        value: value.into(),
    };
    let window = vec![ask("blksize", "1024"), ask("windowsize", "8")];
    let Load::Files { mix, .. } = &mut plan.load else {
        unreachable!("a load of files");
    };
    *mix = vec![(window, 3.0), (Vec::new(), 1.0)];
    let result = run(&plan);
    assert_eq!(result.transfers.completed, 400);
    let windows = result.granted.get("blksize=1024 windowsize=8").copied();
    let plain = result.granted.get("none").copied();
    assert_eq!(
        windows.unwrap_or(0) + plain.unwrap_or(0),
        400,
        "{:?}",
        result.granted
    );
    assert!(
        (240..360).contains(&windows.unwrap_or(0)),
        "{:?}",
        result.granted
    );
}

#[test]
fn every_address_model_works() {
    let case = Case::new(5_000);
    let server = Server::start(case.root.path());
    for net in ["127.9.0.0/16", "127.0.0.77/32"] {
        let mut plan = case.checked(plan(server.addr, 50, "file", habits(&[])));
        plan.source_net = Some(net.parse().expect("a network"));
        plan.count = Some(200);
        assert_eq!(run(&plan).transfers.completed, 200, "{net}");
    }
    let v6 = Server::listening(case.root.path(), "[::1]:0");
    let mut plan = case.checked(plan(v6.addr, 20, "file", habits(&OPTIONS)));
    plan.count = Some(60);
    assert_eq!(run(&plan).transfers.completed, 60, "IPv6");
}

#[test]
fn hundreds_of_ports_work_with_both_backends() {
    let case = Case::new(30_000);
    let server = Server::start(case.root.path());
    for io in backends() {
        let mut plan = case.checked(plan(server.addr, 600, "file", habits(&OPTIONS)));
        // One address: two sockets for each machine.
        plan.source_net = Some("127.0.0.77/32".parse().expect("a network"));
        plan.count = Some(1_800);
        plan.io = io;
        let result = run(&plan);
        assert_eq!(result.transfers.completed, 1_800, "{io:?}");
        assert_eq!(result.packets.bytes, 1_800 * 30_000, "{io:?}");
    }
}

#[test]
fn pxelinux_says_goodbye_behind_its_last_ack() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let patience = Some(Duration::from_secs(10));
    socket.set_read_timeout(patience).expect("a timeout");
    let mut habits = habits(&[]);
    habits.farewell = Some(Farewell {
        code: 0,
        text: "No error, file close".into(),
    });
    let plan = plan(socket.local_addr().expect("an address"), 1, "f", habits);
    let server = std::thread::spawn(move || {
        let mut packet = [0; 600];
        let (_, peer) = socket.recv_from(&mut packet).expect("a request");
        socket.send_to(b"\0\x03\0\x01hi", peer).expect("sent");
        [(); 2].map(|()| {
            let (len, _) = socket.recv_from(&mut packet).expect("an answer");
            packet[..len].to_vec()
        })
    });
    assert_eq!(run(&plan).transfers.completed, 1);
    let [ack, goodbye] = server.join().expect("the server ends");
    assert_eq!(ack, b"\0\x04\0\x01");
    assert_eq!(goodbye, b"\0\x05\0\0No error, file close\0");
}

#[test]
fn the_last_ack_of_a_run_is_sent() {
    let fake = Fake::start(bytes(10), Fault::None);
    // Each thread's only transfer is its last.
    let mut plan = plan(fake.addr, 16, "file", habits(&[]));
    plan.threads = Some(16);
    for _ in 0..10 {
        let result = run(&plan);
        assert_eq!(result.transfers.completed, 16);
        assert_eq!(result.packets.sent, 16 * 2, "requests and ACKs");
    }
}

#[test]
fn a_bad_network_costs_time_and_no_content() {
    let case = Case::new(20_000);
    let server = Server::start(case.root.path());
    let mut plan = case.checked(plan(server.addr, 200, "file", habits(&OPTIONS)));
    plan.impairment = Impairment {
        loss_in: 0.02,
        loss_out: 0.02,
        duplicate: 0.01,
        reorder: 0.01,
        ..Impairment::default()
    };
    let result = run(&plan);
    assert_eq!(result.transfers.completed, 200, "{:?}", result.transfers);
    for kind in ["lost in", "lost out", "doubled in", "reordered out"] {
        assert!(result.packets.impaired.contains_key(kind), "{kind}");
    }
}

#[test]
fn the_same_seed_decides_the_same() {
    let case = Case::new(20_000);
    let impaired = |seed| {
        let fake = Fake::start(case.content.clone(), Fault::None);
        let mut plan = plan(fake.addr, 8, "file", habits(&[]));
        plan.seed = seed;
        // The server never resends: packets follow from what the clients lose and repeat.
        plan.impairment = Impairment {
            duplicate: 0.2,
            loss_in: 0.0,
            ..Impairment::default()
        };
        let packets = run(&plan).packets;
        (packets.impairment_trace, packets.impaired)
    };
    let first = impaired(7);
    assert_eq!(first, impaired(7));
    assert_ne!(first.0, impaired(8).0);
}

#[test]
fn timers_change_no_decision_about_a_new_packet() {
    let case = Case::new(20_000);
    let server = Server::start(case.root.path());
    let impaired = |wait, seed| {
        let mut habits = habits(&OPTIONS);
        habits.data = Patience::fixed(Duration::from_millis(wait), 500);
        let mut plan = case.checked(plan(server.addr, 20, "file", habits));
        plan.count = Some(40);
        plan.seed = seed;
        plan.impairment = Impairment {
            loss_in: 0.03,
            loss_out: 0.03,
            duplicate: 0.02,
            reorder: 0.02,
            ..Impairment::default()
        };
        let result = run(&plan);
        assert_eq!(result.transfers.completed, 40);
        let mut packets = result.packets;
        packets
            .impaired
            .retain(|name, _| !name.starts_with("repeats"));
        packets
    };
    let (patient, hasty) = (impaired(2_000, 7), impaired(3, 7));
    assert_ne!(patient.sent, hasty.sent, "the runs are different");
    assert_eq!(patient.impaired, hasty.impaired);
    assert_eq!(patient.impairment_trace, hasty.impairment_trace);
    assert_ne!(
        patient.impairment_trace,
        impaired(2_000, 8).impairment_trace
    );
}

#[test]
fn wrong_bytes_are_corrupt() {
    let result = Case::new(3_000).with_fault(Fault::WrongByte);
    assert_eq!(result.transfers.corrupt, 3);
}

#[test]
fn short_and_endless_files_have_a_wrong_length() {
    for fault in [Fault::Short, Fault::Long] {
        let result = Case::new(3_000).with_fault(fault);
        assert_eq!(result.transfers.wrong_length, 3, "{fault:?}");
    }
}

#[test]
fn silence_is_a_timeout() {
    for (fault, repeats) in [(Fault::Silence, 6), (Fault::SilenceLater, 0)] {
        let result = Case::new(3_000).with_fault(fault);
        assert_eq!(result.transfers.timed_out, 3, "{fault:?}");
        assert_eq!(result.packets.requests_repeated, repeats, "{fault:?}");
    }
}

#[test]
fn an_unasked_option_is_a_violation() {
    let result = Case::new(3_000).with_fault(Fault::UnaskedOption);
    assert_eq!(result.transfers.violated, 3);
}

#[test]
fn another_port_is_a_stranger_and_does_no_harm() {
    let result = Case::new(3_000).with_fault(Fault::SecondPort);
    assert_eq!(result.transfers.completed, 3);
    assert!(result.packets.strangers >= 3, "{:?}", result.packets);
}

#[test]
fn a_refusal_is_told_with_its_text() {
    let result = Case::new(3_000).with_fault(Fault::Refusal);
    assert_eq!(result.transfers.refused, 3);
    assert_eq!(result.errors.get("2 not for you"), Some(&3));
}

#[test]
fn open_loads_count_from_the_intended_start() {
    let case = Case::new(2_000);
    let server = Server::start(case.root.path());
    let mut plan = case.checked(plan(server.addr, 1, "file", habits(&[])));
    // One machine that needs 4 × 50 ms cannot keep this pace: the starts wait for it.
    plan.arrival = Arrival::Rate(20.0);
    plan.count = Some(10);
    plan.threads = Some(1);
    let Load::Files { habits, .. } = &mut plan.load else {
        unreachable!("a load of files");
    };
    habits.block_time = Duration::from_millis(50);
    let result = run(&plan);
    assert_eq!(result.transfers.completed, 10);
    // The last one was due at 0.45 s and done at 1.5 s or later: three blocks wait, the last does not.
    assert!(
        result.latency.transfer.max > 800_000_000,
        "{:?}",
        result.latency.transfer
    );
    // That is the farm's doing, and not ours: we were ready.
    assert!(result.generator.without_machine >= 8);
    assert!(result.generator.lateness.p99 < result.latency.transfer.max / 4);
}

#[test]
fn warm_up_is_left_out_and_the_duration_ends_a_closed_load() {
    let case = Case::new(2_000);
    let server = Server::start(case.root.path());
    let mut plan = case.checked(plan(server.addr, 4, "file", habits(&[])));
    plan.warmup = Duration::from_millis(300);
    plan.duration = Some(Duration::from_millis(500));
    let result = run(&plan);
    assert!(result.transfers.completed > 0);
    assert!(result.wall_seconds < 5.0, "{}", result.wall_seconds);
    assert_eq!(result.transfers.completed, result.latency.transfer.count);
}

#[test]
fn vanishing_machines_are_no_failures() {
    let case = Case::new(60_000);
    let server = Server::start(case.root.path());
    let mut plan = case.checked(plan(server.addr, 100, "file", habits(&[])));
    plan.impairment.vanish = 0.5;
    let transfers = run(&plan).transfers;
    assert!((20..80).contains(&transfers.vanished), "{transfers:?}");
    assert_eq!(transfers.completed + transfers.vanished, 100);
}

#[test]
fn machines_boot_and_give_up_where_the_file_is_missing() {
    let files: [(&str, &[u8]); 2] = [("undionly.kpxe", &[1; 5_000]), ("boot.ipxe", b"#!ipxe\n")];
    let root = server::root(&files);
    let server = Server::start(root.path());
    let mut scenario = scenario::load("ipxe").expect("shipped");
    for step in &mut scenario.steps {
        step.pause = Duration::ZERO;
        step.restarts = 0;
    }
    let first = scenario.steps[0].file.clone();
    std::fs::write(root.path().join(&first), [2; 700]).expect("a file");
    let steps = scenario.steps.len();
    let load = Load::Boots(vec![(scenario, 1.0)]);
    let plan = EnginePlan {
        io: Io::Epoll,
        ..EnginePlan::new(server.addr, load, 20)
    };
    let boots = run(&plan).boots.expect("boots");
    assert_eq!((boots.begun, boots.completed), (20, 0));
    assert_eq!(
        boots.gave_up.values().sum::<u64>(),
        20,
        "{:?}",
        boots.gave_up
    );
    assert_eq!(boots.steps.len(), steps);
}

#[test]
fn every_shipped_scenario_comes_up_against_ringboot() {
    let folder = tempfile::tempdir().expect("a directory");
    let farm = content::root::farm(0.2, 1);
    content::root::make(folder.path(), &farm, false).expect("a farm");
    // Broadcasts reach a server that listens on every address.
    let server = Server::listening(folder.path(), "0.0.0.0:0");
    let target = std::net::SocketAddr::new([127, 0, 0, 1].into(), server.addr.port());
    let source = Source::Pattern(folder.path().into());
    for (name, _) in scenario::SHIPPED {
        let mut scenario = scenario::load(name).expect("shipped");
        for step in &mut scenario.steps {
            step.pause = Duration::ZERO;
            step.habits.block_time = Duration::ZERO;
        }
        let mut plan = EnginePlan::new(target, Load::Boots(vec![(scenario, 1.0)]), 5);
        plan.oracle = Some(Arc::new(Content::open(&source).expect("a manifest")));
        let result = run(&plan);
        let boots = result.boots.expect("boots");
        assert_eq!(
            boots.completed, 5,
            "{name}: {:?} {:?}",
            boots.gave_up, result.errors
        );
        assert_eq!(boots.curve.last().map(|point| point.1), Some(5), "{name}");
    }
}

#[test]
fn acknowledging_everything_is_harmless() {
    let case = Case::new(30_000);
    let server = Server::start(case.root.path());
    let mut habits = habits(&OPTIONS);
    habits.acks = Acks::Every;
    let result = run(&case.checked(plan(server.addr, 20, "file", habits)));
    assert_eq!(result.transfers.completed, 20);
}
