//! The only file that asks what time it is.
//! It never asks by way of rustix, which looks the kernel's vDSO up by itself, does not recognise some, and makes a
//! system call then: several in each turn of a shard. The C library finds it.

use core::time::Duration;

use crate::transfer::Nanos;

/// Nanoseconds on the monotonic clock.
#[must_use]
pub fn now() -> Nanos {
    read(libc::CLOCK_MONOTONIC).map_or(Nanos::ZERO, nanos)
}

/// How long it is until `deadline`; nothing when it has passed. For [`Nanos::ZERO`] the time is not even asked.
#[must_use]
pub fn until(deadline: Nanos) -> Duration {
    if deadline == Nanos::ZERO {
        return Duration::ZERO;
    }
    (deadline - now()).to_duration()
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
    read(libc::CLOCK_THREAD_CPUTIME_ID).map_or(Nanos::ZERO, nanos)
}

/// CPU time that a thread of this process has used, by the kernel's number for it.
#[must_use]
pub fn thread_cpu(thread: i32) -> Option<Nanos> {
    /// `CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of the kernel's `posix-timers.h`: the clock that
    /// `pthread_getcpuclockid` names.
    const CPU_OF_THREAD: i32 = 4 | 2;
    let clock = (!thread).wrapping_shl(3) | CPU_OF_THREAD;
    read(clock).filter(|_| thread > 0).map(nanos)
}

/// Seconds and nanoseconds since 1970, as files carry them.
#[must_use]
pub fn wall() -> (i64, i64) {
    read(libc::CLOCK_REALTIME).map_or((0, 0), |time| (time.tv_sec, time.tv_nsec))
}

/// `None` where there is no such clock: that of a thread that has ended. The others are always there.
fn read(clock: libc::clockid_t) -> Option<libc::timespec> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: one timespec is written; a clock that is not there gives EINVAL.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0).then_some(time)
}

fn nanos(time: libc::timespec) -> Nanos {
    let whole = |number| u64::try_from(number).unwrap_or(0);
    Nanos(whole(time.tv_sec) * 1_000_000_000 + whole(time.tv_nsec))
}
