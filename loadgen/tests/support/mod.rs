//! What the tests share: ringboot as a child process, a scripted server, plans.
//! It never outlives its test.
#![allow(
    dead_code,
    reason = "each test program uses its own part of the harness"
)]

pub mod fake;
pub mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bootstorm::engine::{self, EnginePlan, Io, Load, Watcher};
use bootstorm::result::RunResult;
use bootstorm::scenario::{Ask, Habits, Patience};

/// Habits with options, and patience for a busy machine.
pub fn habits(options: &[(&str, &str)]) -> Habits {
    let ask = |&(name, value): &(&str, &str)| Ask {
        name: name.into(),
        value: value.into(),
    };
    let patience = Patience::fixed(Duration::from_secs(2), 8);
    Habits {
        options: options.iter().map(ask).collect(),
        strict_oack: Some(8),
        request: patience,
        data: patience,
        ..Habits::default()
    }
}

/// Machines that all fetch one file.
pub fn plan(server: SocketAddr, machines: u32, file: &str, habits: Habits) -> EnginePlan {
    let load = Load::Files {
        files: vec![(file.into(), 1.0)],
        habits: Box::new(habits),
        mix: Vec::new(),
    };
    EnginePlan {
        threads: Some(2),
        io: Io::Epoll,
        ..EnginePlan::new(server, load, machines)
    }
}

/// Runs it to its end.
pub fn run(plan: &EnginePlan) -> RunResult {
    let watcher = Watcher {
        outlook: &mut |_| {},
        progress: &mut |_| {},
        stop: Arc::new(AtomicBool::new(false)),
    };
    let result = engine::run(plan, watcher).expect("the run is possible");
    let t = &result.transfers;
    let ends = [
        t.completed,
        t.stopped,
        t.missing,
        t.vanished,
        t.corrupt,
        t.wrong_length,
        t.timed_out,
        t.refused,
        t.violated,
        t.cut,
    ];
    assert_eq!(
        t.begun,
        ends.iter().sum::<u64>(),
        "every transfer has an end"
    );
    result
}
