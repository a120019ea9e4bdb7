//! CPU time of a process in nanoseconds: its threads (ended ones too) and its children.
//! Never signals the process; a process that is gone counts as zero.
//!
//! Loopback has no interrupt: a datagram is received, up to the socket's queue, inside the *sender's* system call. So
//! the server's figure holds the way of its DATA into our queue, and ours holds the way of our ACKs into the server's.

use std::fs;

/// CPU time of this process.
pub fn own_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID).unwrap_or(0)
}

/// CPU time of a process, of its living children and of those that it waited for.
pub fn tree_ns(pid: u32) -> u64 {
    let own = process_ns(pid).unwrap_or(0);
    let living: u64 = children(pid).into_iter().map(tree_ns).sum();
    own + reaped_ns(pid).unwrap_or(0) + living
}

/// CPU time of a cgroup, from its `cpuacct.usage` (version 1) or `cpu.stat` (version 2). The only way to count a
/// server that forks for each transfer and does not wait for its children: no file of the parent holds their time.
pub fn cgroup_ns(path: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    match text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))
    {
        Some(micros) => micros.trim().parse::<u64>().ok()?.checked_mul(1000),
        None => text.trim().parse().ok(),
    }
}

fn process_ns(pid: u32) -> Option<u64> {
    let mut clock = 0;
    // SAFETY: `clock` is a valid place for the result.
    let rc = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) };
    if rc == 0 { clock_ns(clock) } else { None }
}

fn clock_ns(clock: libc::clockid_t) -> Option<u64> {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a valid place for the result.
    let rc = unsafe { libc::clock_gettime(clock, &mut at) };
    (rc == 0).then_some(at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64)
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

/// cutime + cstime, in clock ticks of 10 ms.
fn reaped_ns(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; the fields that we want are counted from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    // SAFETY: sysconf has no preconditions.
    let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    Some(ticks * (1_000_000_000 / hertz))
}
