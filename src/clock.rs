//! The only file that asks what time it is.
//! It never enters the kernel for it where the C library finds the kernel's vDSO: rustix, which looks it up by
//! itself, does not know some kernels' and then makes a system call, several in each turn of a shard.

use crate::transfer::Nanos;

/// Nanoseconds on the monotonic clock.
#[must_use]
pub fn now() -> Nanos {
    nanos(read(libc::CLOCK_MONOTONIC))
}

/// Seconds since 1970, for people and other programs.
#[must_use]
pub fn unix_seconds() -> u64 {
    let (seconds, _) = wall();
    u64::try_from(seconds).unwrap_or(0)
}

/// CPU time that the calling thread has used.
#[must_use]
pub fn own_cpu() -> Nanos {
    nanos(read(libc::CLOCK_THREAD_CPUTIME_ID))
}

/// CPU time that a thread of this process has used, by the kernel's number for it.
#[must_use]
pub fn thread_cpu(thread: i32) -> Option<Nanos> {
    /// `CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel's `posix-timers.h`: the clock that
    /// `pthread_getcpuclockid` names.
    const CPU_OF_THREAD: i32 = 4 | 2;
    let clock = (!thread).wrapping_shl(3) | CPU_OF_THREAD;
    let time = read(clock).filter(|_| thread > 0);
    time.map(|time| nanos(Some(time)))
}

/// Seconds and nanoseconds since 1970, as files carry them.
#[must_use]
pub fn wall() -> (i64, i64) {
    read(libc::CLOCK_REALTIME).map_or((0, 0), |time| (time.tv_sec, time.tv_nsec))
}

/// `None`: there is no such clock, which of those that are always there none can say.
fn read(clock: libc::clockid_t) -> Option<libc::timespec> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: one timespec is written; a clock that is not there (a thread's that is gone) gives EINVAL.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0).then_some(time)
}

fn nanos(time: Option<libc::timespec>) -> Nanos {
    let (seconds, nanos) = time.map_or((0, 0), |time| (time.tv_sec, time.tv_nsec));
    let whole = |number| u64::try_from(number).unwrap_or(0);
    Nanos(whole(seconds) * 1_000_000_000 + whole(nanos))
}
