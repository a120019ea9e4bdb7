//! Which cores this process may use, and how many of them at a time.
//! It never counts the machine's cores: a container's share is what matters.

use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of the affinity mask, as many as the cgroup's quota pays for.
#[must_use]
pub fn usable() -> Vec<usize> {
    let quota = thread::available_parallelism().map_or(1, usize::from);
    let mut cores = allowed();
    cores.truncate(quota);
    cores
}

fn allowed() -> Vec<usize> {
    let Ok(mask) = sched_getaffinity(None) else {
        return Vec::new();
    };
    (0..CpuSet::MAX_CPU)
        .filter(|&core| mask.is_set(core))
        .collect()
}

/// Keeps the calling thread on one core.
///
/// # Errors
/// When the kernel refuses, for one because the core went offline.
pub fn pin(core: usize) -> io::Result<()> {
    let mut mask = CpuSet::new();
    mask.set(core);
    Ok(sched_setaffinity(None, &mask)?)
}
