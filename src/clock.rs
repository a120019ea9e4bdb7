//! The only file that asks what time it is.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::transfer::Nanos;

/// Nanoseconds on the monotonic clock.
#[must_use]
pub fn now() -> Nanos {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// Seconds since 1970, for people and other programs.
#[must_use]
pub fn unix_seconds() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    u64::try_from(time.tv_sec).unwrap_or(0)
}

/// CPU time that the calling thread has used.
#[must_use]
pub fn own_cpu() -> Nanos {
    nanos(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time that a thread of this process has used, by the kernel's number for it.
#[must_use]
pub fn thread_cpu(thread: i32) -> Option<Nanos> {
    /// `CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel's `posix-timers.h`: the clock that
    /// `pthread_getcpuclockid` names.
    const CPU_OF_THREAD: i32 = 4 | 2;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let clock = (!thread).wrapping_shl(3) | CPU_OF_THREAD;
    // SAFETY: the kernel writes one timespec; a thread that is gone gives EINVAL.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let time = Timespec {
        tv_sec: time.tv_sec,
        tv_nsec: time.tv_nsec,
    };
    (result == 0 && thread > 0).then(|| nanos(time))
}

fn nanos(time: Timespec) -> Nanos {
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Nanos(secs * 1_000_000_000 + nanos)
}

/// Seconds and nanoseconds since 1970, as files carry them.
#[must_use]
pub fn wall() -> (i64, i64) {
    let time = clock_gettime(ClockId::Realtime);
    (time.tv_sec, time.tv_nsec)
}
