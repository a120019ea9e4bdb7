//! Makes a thread of another process call the kernel, as a debugger would.
//! It never leaves a trace: registers and memory are what they were when the thread goes on.

use std::ffi::CString;
use std::io::Error;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_long, c_void, pid_t, user_regs_struct};

/// A system call and, if it takes a path, the path as its argument number `at`.
pub struct Call {
    number: c_long,
    arguments: [i64; 4],
    path: Option<(usize, CString)>,
}

impl Call {
    pub fn open(path: impl AsRef<Path>) -> Self {
        Self::with_path(libc::SYS_openat, [libc::AT_FDCWD.into(), 0, 0, 0], 1, path)
    }

    pub const fn close(fd: i64) -> Self {
        Self::plain(libc::SYS_close, [fd, 0, 0, 0])
    }

    pub const fn tcp_socket() -> Self {
        let arguments = [libc::AF_INET as i64, libc::SOCK_STREAM as i64, 0, 0];
        Self::plain(libc::SYS_socket, arguments)
    }

    pub const fn new_ring() -> Self {
        Self::plain(libc::SYS_io_uring_setup, [8, 0, 0, 0])
    }

    pub const fn fork() -> Self {
        Self::plain(libc::SYS_clone, [libc::SIGCHLD as i64, 0, 0, 0])
    }

    pub fn exec(path: impl AsRef<Path>) -> Self {
        Self::with_path(libc::SYS_execve, [0; 4], 0, path)
    }

    const fn plain(number: c_long, arguments: [i64; 4]) -> Self {
        let path = None;
        Self {
            number,
            arguments,
            path,
        }
    }

    fn with_path(number: c_long, arguments: [i64; 4], at: usize, path: impl AsRef<Path>) -> Self {
        let path = CString::new(path.as_ref().as_os_str().as_bytes()).expect("a path");
        Self {
            number,
            arguments,
            path: Some((at, path)),
        }
    }
}

/// A thread that stands still in a system call of its own. It goes on when this is dropped.
pub struct Tracee {
    thread: pid_t,
    registers: user_regs_struct,
}

/// The instruction, as its two bytes are read.
const SYSCALL: u64 = 0x050f;

/// Below what the thread uses of its stack.
const BELOW_STACK: u64 = 4096;

impl Tracee {
    /// Waits until the thread is in a system call, which is where it can be made to do another one.
    pub fn stop(thread: u32) -> Self {
        let thread = pid_t::try_from(thread).expect("a thread");
        for _ in 0..1000 {
            let tracee = Self::stop_anywhere(thread);
            if tracee.peek(tracee.registers.rip - 2) & 0xffff == SYSCALL {
                return tracee;
            }
            drop(tracee);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        panic!("thread {thread} is in no system call");
    }

    fn stop_anywhere(thread: pid_t) -> Self {
        request(libc::PTRACE_SEIZE, thread, 0, 0);
        request(libc::PTRACE_INTERRUPT, thread, 0, 0);
        wait_for_stop(thread);
        let registers = registers(thread);
        Self { thread, registers }
    }

    /// What the call answers: a number, or an errno below zero.
    pub fn call(&mut self, call: &Call) -> i64 {
        let saved = self.prepare(call);
        request(libc::PTRACE_SINGLESTEP, self.thread, 0, 0);
        wait_for_stop(self.thread);
        let result = registers(self.thread).rax.cast_signed();
        for (address, word) in saved {
            self.poke(address, word);
        }
        self.set_registers(&self.registers);
        result
    }

    /// For a call that does not come back.
    pub fn call_and_let_go(mut self, call: &Call) {
        self.prepare(call);
        request(libc::PTRACE_DETACH, self.thread, 0, 0);
        core::mem::forget(self);
    }

    /// Writes registers and path; hands back what was in the path's place.
    fn prepare(&mut self, call: &Call) -> Vec<(u64, u64)> {
        let mut arguments = call.arguments;
        let mut saved = Vec::new();
        if let Some((at, path)) = &call.path {
            let start = (self.registers.rsp - BELOW_STACK) & !7;
            arguments[*at] = start.cast_signed();
            for (word, address) in path.as_bytes_with_nul().chunks(8).zip((start..).step_by(8)) {
                saved.push((address, self.peek(address)));
                let mut bytes = [0; 8];
                bytes[..word.len()].copy_from_slice(word);
                self.poke(address, u64::from_ne_bytes(bytes));
            }
        }
        let mut registers = self.registers;
        registers.rip -= 2;
        registers.rax = call.number.cast_unsigned();
        // Else the kernel would repeat the thread's own call.
        registers.orig_rax = u64::MAX;
        let [rdi, rsi, rdx, r10] = arguments.map(i64::cast_unsigned);
        (registers.rdi, registers.rsi, registers.rdx, registers.r10) = (rdi, rsi, rdx, r10);
        self.set_registers(&registers);
        saved
    }

    fn set_registers(&self, registers: &user_regs_struct) {
        let data = core::ptr::from_ref(registers).addr();
        request(libc::PTRACE_SETREGS, self.thread, 0, data);
    }

    fn peek(&self, address: u64) -> u64 {
        let address = usize::try_from(address).expect("an address");
        request(libc::PTRACE_PEEKDATA, self.thread, address, 0).cast_unsigned()
    }

    fn poke(&self, address: u64, word: u64) {
        let [address, word] = [address, word].map(|word| usize::try_from(word).expect("a word"));
        request(libc::PTRACE_POKEDATA, self.thread, address, word);
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        request(libc::PTRACE_DETACH, self.thread, 0, 0);
    }
}

fn registers(thread: pid_t) -> user_regs_struct {
    // SAFETY: plain numbers; all zero is a valid value.
    let mut registers: user_regs_struct = unsafe { core::mem::zeroed() };
    let data = (&raw mut registers).expose_provenance();
    request(libc::PTRACE_GETREGS, thread, 0, data);
    registers
}

fn request(what: u32, thread: pid_t, address: usize, data: usize) -> c_long {
    let address: *mut c_void = core::ptr::with_exposed_provenance_mut(address);
    let data: *mut c_void = core::ptr::with_exposed_provenance_mut(data);
    // SAFETY: the kernel writes to this process only for GETREGS, whose target is large enough; the
    // C library's PEEKDATA hands its word back as the result.
    let result = unsafe {
        *libc::__errno_location() = 0;
        libc::ptrace(what, thread, address, data)
    };
    let error = Error::last_os_error();
    let failed = result == -1 && error.raw_os_error() != Some(0);
    assert!(!failed, "ptrace {what:#x} of {thread}: {error}");
    result
}

fn wait_for_stop(thread: pid_t) {
    let mut status = 0;
    // SAFETY: the status is an integer that outlives the call.
    let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
    assert_eq!(waited, thread, "{}", Error::last_os_error());
    assert!(libc::WIFSTOPPED(status), "status {status:#x}");
}
