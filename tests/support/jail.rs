//! What a container or a careful host keeps from a process: io_uring, locked memory, files.
//! Hooks for a child between fork and exec: they never allocate and touch nothing of the parent.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// To be run in the child before it becomes the server.
pub type Hook = fn() -> io::Result<()>;

/// A seccomp filter as Docker's: the three calls of io_uring give EPERM.
pub fn no_io_uring() -> io::Result<()> {
    refuse(
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_register,
        libc::EPERM,
    )
}

/// The same for Landlock's three calls, as on a kernel that does not know them.
pub fn no_landlock() -> io::Result<()> {
    refuse(
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_restrict_self,
        libc::ENOSYS,
    )
}

/// No further filters, as on a kernel without seccomp.
pub fn no_seccomp() -> io::Result<()> {
    refuse(libc::SYS_seccomp, libc::SYS_seccomp, libc::ENOSYS)
}

/// Refuses the calls from `first` to `last`.
fn refuse(first: libc::c_long, last: libc::c_long, errno: i32) -> io::Result<()> {
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        jump(libc::BPF_JGE, first, 0, 2),
        jump(libc::BPF_JGT, last, 1, 0),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | errno as u32,
            0,
            0,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)?;
    let filter = (&raw const program).addr() as libc::c_ulong;
    prctl(
        libc::PR_SET_SECCOMP,
        libc::SECCOMP_MODE_FILTER.into(),
        filter,
    )
}

/// No capability to lock memory, and as little as old systems grant, all of it for this process.
pub fn locks_64_kib() -> io::Result<()> {
    limit_locked(64 << 10)
}

/// The same, and not a byte.
pub fn locks_nothing() -> io::Result<()> {
    limit_locked(0)
}

/// A first limit of 64 open files; the last one stays what it is.
pub fn opens_64_files() -> io::Result<()> {
    let limit = Rlimit {
        current: Some(64),
        ..getrlimit(Resource::Nofile)
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The user without rights of its own.
pub const NOBODY: u32 = 65_534;

/// No root any more.
pub fn is_nobody() -> io::Result<()> {
    // SAFETY: the calls take plain numbers and touch no memory.
    let changed = unsafe { libc::setgid(NOBODY) == 0 && libc::setuid(NOBODY) == 0 };
    if changed {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn limit_locked(bytes: u64) -> io::Result<()> {
    const CAP_IPC_LOCK: libc::c_ulong = 14;
    // Who may not drop a capability from the bounding set is not root, and does not have it.
    let _ = prctl(libc::PR_CAPBSET_DROP, CAP_IPC_LOCK, 0);
    own_account()?;
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    Ok(setrlimit(Resource::Memlock, limit)?)
}

/// A real user of the child's own. Locked memory is accounted for by real user, and the rings of
/// servers that ended, or of tests beside this one, count for root until the kernel has undone them.
fn own_account() -> io::Result<()> {
    const FIRST: u32 = 1_000_000;
    const SAME: libc::uid_t = libc::uid_t::MAX;
    // SAFETY: the calls take plain numbers and touch no memory.
    let changed = unsafe {
        // Without root there is one account only.
        libc::geteuid() != 0 || libc::setreuid(FIRST + libc::getpid().cast_unsigned(), SAME) == 0
    };
    if changed {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn prctl(option: i32, first: libc::c_ulong, second: libc::c_ulong) -> io::Result<()> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: the options used here read at most the filter program, which outlives the call.
    match unsafe { libc::prctl(option, first, second, NONE, NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

const fn jump(condition: u32, number: libc::c_long, yes: u8, no: u8) -> libc::sock_filter {
    instruction(
        libc::BPF_JMP | condition | libc::BPF_K,
        number as u32,
        yes,
        no,
    )
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    let code = code as u16;
    libc::sock_filter { code, jt, jf, k }
}
