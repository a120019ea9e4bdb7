//! Why there is no ring, and which knob of the host is the likely reason.
//! It never looks at anything but the errno and two files of /proc.

use core::fmt;
use std::fs;
use std::io;

/// A step towards a ring that the kernel refused.
#[derive(Debug)]
pub struct Refusal {
    /// What was tried, in words.
    pub(super) step: &'static str,
    pub(super) error: io::Error,
}

impl Refusal {
    pub(super) fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { step, error }
    }

    pub(super) fn is(&self, errno: i32) -> bool {
        self.error.raw_os_error() == Some(errno)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, error } = self;
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => f.write_str(culprit_of_eperm()),
            Some(libc::ENOSYS) => f.write_str(
                "this kernel or its seccomp profile has no io_uring (ENOSYS); Podman's default \
                 profile blocks it",
            ),
            Some(libc::ENOMEM) => write!(
                f,
                "no memory for {step} (ENOMEM): RLIMIT_MEMLOCK is {}; raise it (LimitMEMLOCK= in \
                 systemd, --ulimit memlock= in Docker) or grant CAP_IPC_LOCK",
                memlock()
            ),
            Some(libc::EINVAL) => write!(
                f,
                "this kernel's io_uring is too old for {step} (EINVAL); Linux 6.0 is needed"
            ),
            _ => write!(f, "io_uring failed at {step}: {error}"),
        }
    }
}

impl core::error::Error for Refusal {}

/// Both the sysctl and Docker's seccomp profile answer EPERM.
fn culprit_of_eperm() -> &'static str {
    let sysctl = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    match sysctl.trim() {
        "2" => "io_uring is switched off on this host: sysctl kernel.io_uring_disabled is 2",
        "1" => {
            "io_uring is kept from this user: sysctl kernel.io_uring_disabled is 1, so it needs \
             CAP_SYS_ADMIN or the group of kernel.io_uring_group"
        }
        _ => {
            "io_uring is not permitted (EPERM), likely by a seccomp profile: Docker, containerd \
             and Kubernetes block it by default"
        }
    }
}

fn memlock() -> String {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    limit.map_or_else(
        || "unlimited".into(),
        |bytes| format!("{} KiB", bytes / 1024),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_its_knob() {
        let text = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            Refusal::at("the ring")(error).to_string()
        };
        assert!(text(libc::ENOMEM).contains("RLIMIT_MEMLOCK"));
        assert!(text(libc::ENOSYS).contains("seccomp"));
        assert!(text(libc::EPERM).contains("io_uring"));
        assert!(text(libc::EMFILE).contains("the ring"));
    }
}
