//! The system call filter (seccomp): what serving calls, and nothing else.
//! It never stands in the way of a packet: calls that are allowed whatever their arguments cost a
//! lookup in a bitmap.
//!
//! A call that is not listed fails with EPERM instead of ending the process: a library that takes
//! another way than we saw must not switch a farm's boot server off. What only an intruder asks for,
//! to become another program or to look into another process, ends the process at once.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword, SeccompCmpOp,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::Error>;

/// Allows what serving needs, and what shards and threads need to come up.
pub(super) fn allow_serving_and_starting() -> Result<(), String> {
    let apply = || -> Built<()> {
        // As on kernels without it: the C library then uses `clone`, whose flags a filter can see.
        let unknown = unconditional(&[libc::SYS_clone3]);
        install(unknown, SeccompAction::Errno(errno(libc::ENOSYS)))?;
        install(unconditional(INTRUDERS), SeccompAction::KillProcess)?;
        let mut allowed = unconditional(SERVING);
        allowed.extend(unconditional(STARTING));
        allowed.extend(unconditional(&[libc::SYS_clone3]));
        allowed.extend(by_argument()?);
        let filter = SeccompFilter::new(
            allowed,
            SeccompAction::Errno(errno(libc::EPERM)),
            SeccompAction::Allow,
            architecture()?,
        )?;
        apply_filter_all_threads(&BpfProgram::try_from(filter)?)
    };
    apply().map_err(|error| error.to_string())
}

/// Takes away what only a start needs, from all threads.
pub(super) fn deny_starting() -> Result<(), String> {
    let denied = unconditional(STARTING);
    install(denied, SeccompAction::Errno(errno(libc::EPERM))).map_err(|error| error.to_string())
}

/// Gives some calls another end; the strictest of all filters decides.
fn install(rules: Rules, action: SeccompAction) -> Built<()> {
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, architecture()?)?;
    apply_filter_all_threads(&BpfProgram::try_from(filter)?)
}

fn architecture() -> Built<TargetArch> {
    Ok(TargetArch::try_from(ARCH)?)
}

fn unconditional(calls: &[i64]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

const fn errno(number: i32) -> u32 {
    number.cast_unsigned()
}

/// Calls that are harmless with some arguments only.
fn by_argument() -> Built<Rules> {
    let mut rules = Rules::new();
    // Threads, no processes.
    rules.insert(libc::SYS_clone, vec![rule(&[set(0, libc::CLONE_THREAD)?])?]);
    // Memory that holds code is there since the start.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![rule(&[unset(2, libc::PROT_EXEC)?])?]);
    }
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_setsockopt, socket_options()?);
    let equals = |argument, values: &[u64]| -> Built<Vec<SeccompRule>> {
        values
            .iter()
            .map(|&value| rule(&[equal(argument, value)?]))
            .collect()
    };
    rules.insert(libc::SYS_ioctl, equals(1, CONTROLS)?);
    rules.insert(libc::SYS_prctl, equals(0, THREAD_CONTROLS)?);
    // Limits are read, not set.
    let read = condition(2, Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![read])?]);
    Ok(rules)
}

/// UDP (an interface's MTU is asked for by way of a socket), the kernel's tables, and the service
/// manager's and the log's datagrams. Nothing that connects.
fn sockets() -> Built<Vec<SeccompRule>> {
    let kind = |domain: i32, kind: i32| {
        let mask = SeccompCmpOp::MaskedEq(SOCKET_TYPE);
        rule(&[
            equal(0, value(domain))?,
            condition(1, Dword, mask, value(kind))?,
        ])
    };
    Ok(vec![
        kind(libc::AF_INET, libc::SOCK_DGRAM)?,
        kind(libc::AF_INET6, libc::SOCK_DGRAM)?,
        kind(libc::AF_NETLINK, libc::SOCK_RAW)?,
        kind(libc::AF_UNIX, libc::SOCK_DGRAM)?,
    ])
}

/// Time limits, what connections to the admin port want, and whether packets may be fragmented.
/// Everything else was set at the start.
fn socket_options() -> Built<Vec<SeccompRule>> {
    let all = [
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
        // The same with 64 bits on every machine, as rustix sets them.
        (libc::SOL_SOCKET, SO_RCVTIMEO_NEW),
        (libc::SOL_SOCKET, SO_SNDTIMEO_NEW),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
        (libc::SOL_SOCKET, libc::SO_LINGER),
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    ];
    all.iter()
        .map(|&(level, name)| rule(&[equal(1, value(level))?, equal(2, value(name))?]))
        .collect()
}

fn rule(conditions: &[SeccompCondition]) -> Built<SeccompRule> {
    Ok(SeccompRule::new(conditions.to_vec())?)
}

fn condition(
    argument: u8,
    length: seccompiler::SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Built<SeccompCondition> {
    Ok(SeccompCondition::new(argument, length, operator, value)?)
}

fn equal(argument: u8, value: u64) -> Built<SeccompCondition> {
    condition(argument, Dword, SeccompCmpOp::Eq, value)
}

fn set(argument: u8, bit: i32) -> Built<SeccompCondition> {
    let bit = value(bit);
    condition(argument, Dword, SeccompCmpOp::MaskedEq(bit), bit)
}

fn unset(argument: u8, bit: i32) -> Built<SeccompCondition> {
    condition(argument, Dword, SeccompCmpOp::MaskedEq(value(bit)), 0)
}

fn value(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
}

/// asm-generic/socket.h
const SO_RCVTIMEO_NEW: i32 = 66;
const SO_SNDTIMEO_NEW: i32 = 67;

/// A socket's type without its flags.
const SOCKET_TYPE: u64 = 0xf;

/// Blocking or not, an interface's name and MTU, whether a stream is a terminal.
const CONTROLS: &[u64] = &[
    0x5421, // FIONBIO
    0x541b, // FIONREAD
    0x5451, // FIOCLEX
    0x5401, // TCGETS
    0x5413, // TIOCGWINSZ
    0x8910, // SIOCGIFNAME
    0x8921, // SIOCGIFMTU
];

/// Names of threads and of memory; and `no_new_privs`, which goes one way only.
const THREAD_CONTROLS: &[u64] = &[
    15,          // PR_SET_NAME
    16,          // PR_GET_NAME
    0x5356_4d41, // PR_SET_VMA
    38,          // PR_SET_NO_NEW_PRIVS
];

/// What ends the process: other programs, other processes' memory, the kernel's own code.
const INTRUDERS: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
];

/// What only a start needs: rings, the loopback socket that tries them out, signals, this filter.
const STARTING: &[i64] = &[libc::SYS_io_uring_setup, libc::SYS_bind, libc::SYS_seccomp];

const SERVING: &[i64] = &[
    // Packets, connections to the admin port.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_recvfrom,
    libc::SYS_connect,
    libc::SYS_accept4,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    // Files.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_socketpair,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    // Uploads.
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_fchown,
    libc::SYS_fchmod,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // For journald, which takes large lines so.
    libc::SYS_memfd_create,
    // Threads and what they are told.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Questions.
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    // The same by their older names, which only this architecture has.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];
