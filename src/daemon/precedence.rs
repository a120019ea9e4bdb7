//! Whom the scheduler lets go on when one thread wakes another: a shard is not interrupted whenever it has asked for
//! a file or written to the log.
//! It changes nothing where the operator has chosen a policy.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// It was us who changed the policy.
static YIELDING: AtomicBool = AtomicBool::new(false);

/// The calling thread, and those that it starts from here on, wait on a busy core until whoever woke them sleeps or has
/// had its share. Where a core is free they begin at once, all the same.
///
/// With few cores each request cost three changes of thread otherwise, and those a fifth of a short transfer.
pub fn give() {
    if policy() == libc::SCHED_OTHER {
        YIELDING.store(choose(libc::SCHED_BATCH), Relaxed);
    }
}

/// The calling thread is one that the others are to wait for.
pub fn take() {
    if YIELDING.load(Relaxed) {
        choose(libc::SCHED_OTHER);
    }
}

/// Not by the C library's functions, which musl has only in name.
fn policy() -> libc::c_int {
    // SAFETY: the call takes numbers only.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    libc::c_int::try_from(policy).unwrap_or(-1)
}

/// Says whether the kernel agreed; if not, nothing is lost but time.
fn choose(policy: libc::c_int) -> bool {
    // `struct sched_param`: the priority, which is 0 in these policies.
    let priority: libc::c_int = 0;
    // SAFETY: the pointer is to a number that outlives the call, which only reads it.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    result == 0
}
