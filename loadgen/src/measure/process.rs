//! CPU time and memory of a process: its threads (ended ones too) and its children.
//! It never signals the process; a process that is gone counts as zero.
//!
//! Loopback has no interrupt: a datagram is received, up to the socket's queue, inside the
//! *sender's* system call. So the server's figure holds the way of its DATA into our queue, and
//! ours holds the way of our ACKs into the server's.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::clock;

/// Which server is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub pid: Option<u32>,
    /// `cpuacct.usage` or `cpu.stat` of its cgroup: the only way to count a server that forks for
    /// each transfer and does not wait for its children.
    pub cgroup: Option<PathBuf>,
}

/// What a server has used at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu: u64,
    /// CPU time of each thread of the process itself.
    threads: BTreeMap<u32, u64>,
    /// Resident memory of the process and its children.
    pub memory: u64,
    /// Its highest value so far, of the process alone.
    pub memory_peak: u64,
}

impl Watch {
    /// Looks now.
    #[must_use]
    pub fn look(&self) -> Usage {
        let cgroup = self.cgroup.as_ref().and_then(cgroup_ns);
        Usage {
            threads: self.pid.map(thread_ns).unwrap_or_default(),
            cpu: cgroup.or_else(|| self.pid.map(tree_ns)).unwrap_or(0),
            memory: self.pid.map_or(0, tree_memory),
            memory_peak: self.pid.and_then(|pid| memory(pid, "VmHWM:")).unwrap_or(0),
        }
    }
}

impl Usage {
    /// CPU time that the busiest thread has used since then.
    #[must_use]
    pub fn busiest_thread_since(&self, before: &Self) -> u64 {
        let used = |(id, now): (&u32, &u64)| now - before.threads.get(id).unwrap_or(&0).min(now);
        self.threads.iter().map(used).max().unwrap_or(0)
    }
}

/// Highest resident memory of this process.
#[must_use]
pub fn own_peak_memory() -> u64 {
    memory(std::process::id(), "VmHWM:").unwrap_or(0)
}

/// CPU time of a process, of its living children and of those that it waited for.
fn tree_ns(pid: u32) -> u64 {
    let living: u64 = children(pid).into_iter().map(tree_ns).sum();
    process_ns(pid).unwrap_or(0) + reaped_ns(pid).unwrap_or(0) + living
}

fn tree_memory(pid: u32) -> u64 {
    let living: u64 = children(pid).into_iter().map(tree_memory).sum();
    memory(pid, "VmRSS:").unwrap_or(0) + living
}

fn memory(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Version 1 counts nanoseconds, version 2 microseconds.
fn cgroup_ns(path: &PathBuf) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    match lines.find_map(|line| line.strip_prefix("usage_usec ")) {
        Some(micros) => micros.trim().parse::<u64>().ok()?.checked_mul(1000),
        None => text.trim().parse().ok(),
    }
}

fn thread_ns(pid: u32) -> BTreeMap<u32, u64> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return BTreeMap::new();
    };
    let used = tasks.flatten().filter_map(|task| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((id, stat.split(' ').next()?.parse().ok()?))
    });
    used.collect()
}

fn process_ns(pid: u32) -> Option<u64> {
    let mut clock = 0;
    // SAFETY: `clock` is a valid place for the result.
    let found = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) };
    (found == 0).then(|| clock::read(clock))
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let mut all = Vec::new();
    for list in lists {
        all.extend(
            list.split_whitespace()
                .filter_map(|pid| pid.parse::<u32>().ok()),
        );
    }
    all
}

/// cutime + cstime.
fn reaped_ns(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; fields are counted from the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    // SAFETY: sysconf has no preconditions.
    let hertz = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }
        .max(1)
        .unsigned_abs();
    Some(ticks * (1_000_000_000 / hertz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_can_be_watched() {
        let watch = Watch {
            pid: Some(std::process::id()),
            cgroup: None,
        };
        let before = watch.look();
        let mut sum = 0_u64;
        for i in 0..20_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_add(i));
        }
        let after = watch.look();
        assert!(after.cpu > before.cpu);
        assert!(after.memory > 0 && after.memory_peak >= after.memory / 2);
    }

    #[test]
    fn a_process_that_is_gone_counts_as_nothing() {
        let watch = Watch {
            // Above the largest number that Linux gives.
            pid: Some(5_000_000),
            cgroup: None,
        };
        assert_eq!(watch.look(), Usage::default());
    }
}
