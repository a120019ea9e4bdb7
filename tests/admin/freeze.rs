//! One thread of another process, held still: what a bug or a stuck system call would do to a shard.
//! The server has nothing to do with it: the kernel's debugging interface stops the thread.

use std::fs;
use std::io::Error;

use crate::support::Server;

/// A thread that stands still until this is dropped. Must stay on the thread that made it.
pub struct Frozen(libc::pid_t);

impl Frozen {
    /// Stops the server's thread of this name.
    pub fn thread(server: &Server, name: &str) -> Self {
        let tasks = format!("/proc/{}/task", server.pid());
        let thread = fs::read_dir(&tasks).expect("threads").find_map(|task| {
            let task = task.expect("a thread");
            let called = fs::read_to_string(task.path().join("comm")).ok()?;
            (called.trim_end() == name)
                .then(|| task.file_name().into_string().ok()?.parse().ok())?
        });
        let thread = thread.unwrap_or_else(|| panic!("no thread {name} in {tasks}"));
        ptrace(libc::PTRACE_SEIZE, thread);
        ptrace(libc::PTRACE_INTERRUPT, thread);
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        let stopped = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        assert_eq!(stopped, thread, "{}", Error::last_os_error());
        assert!(libc::WIFSTOPPED(status));
        Self(thread)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        ptrace(libc::PTRACE_DETACH, self.0);
    }
}

fn ptrace(request: libc::c_uint, thread: libc::pid_t) {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests take no pointers.
    let result = unsafe { libc::ptrace(request, thread, nothing, nothing) };
    assert_eq!(result, 0, "ptrace: {}", Error::last_os_error());
}
