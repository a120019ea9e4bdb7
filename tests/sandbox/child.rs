//! The sandbox around this very program: a child enters it as `serve` does and tries everything.
//! It never needs root or another program's memory, so it runs everywhere.

use std::env;
use std::ffi::CString;
use std::fs;
use std::io::{self, Error};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use ringboot::daemon::sandbox::{Grants, Mode, Sandbox};

use crate::support::Root;

/// What the child is to try; the parent names it.
const TRY: &str = "RINGBOOT_TEST_SANDBOX";
const ROOT: &str = "RINGBOOT_TEST_SANDBOX_ROOT";

/// The errno of something that has to fail.
fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.map(drop).expect_err("a refusal").raw_os_error()
}

/// Runs the test `inside` alone, in a process of its own.
fn attempt(what: &str, root: &Path) -> Output {
    let program = env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", "child::inside", "--ignored", "--nocapture"])
        .env(TRY, what)
        .env(ROOT, root)
        .output()
        .expect("a child")
}

fn succeeds(what: &str) {
    let root = Root::with("file", b"content");
    fs::create_dir(root.path().join("up")).expect("a directory");
    let output = attempt(what, root.path());
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}{errors}");
    assert!(said.contains("inside: tried"), "{what}: {said}{errors}");
}

#[test]
fn other_files_cannot_be_read_and_roots_not_be_written() {
    succeeds("files");
}

#[test]
fn nothing_connects_and_nothing_new_listens() {
    succeeds("network");
}

#[test]
fn no_new_ring_no_new_code_no_new_process() {
    succeeds("calls");
}

/// Whoever tries to become another program is an intruder: the process ends.
#[test]
fn another_program_ends_the_process() {
    let root = Root::with("file", b"content");
    let output = attempt("exec", root.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{said}");
    assert!(said.contains("inside: about to"), "{said}");
}

#[test]
#[ignore = "run by the tests above, in a process of its own"]
fn inside() {
    let (Ok(what), Ok(root)) = (env::var(TRY), env::var(ROOT)) else {
        return;
    };
    let root = Path::new(&root);
    // What is open stays so, but opens nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let grants = Grants {
        roots: vec![root.to_owned()],
        uploads: vec![root.join("up")],
        files: Vec::new(),
    };
    let sandbox = Sandbox::enter(Mode::Strict, None, grants).expect("all of it");
    let sandbox = sandbox.seal("uring").expect("all of it");
    let report = sandbox.report();
    assert!(
        report.landlock >= Some(4) && report.system_calls,
        "{report}"
    );
    // What holds for this thread holds for those that it starts.
    let (what, root) = (what.as_str(), root.to_owned());
    for here in [true, false] {
        let listener = listener.try_clone().expect("a descriptor");
        let (root, what) = (root.clone(), what.to_owned());
        let body = move || match what.as_str() {
            "files" => files(&root),
            "network" => network(&listener),
            "calls" => calls(),
            "exec" => exec(&root),
            other => panic!("{other}?"),
        };
        if here {
            body();
        } else {
            thread::spawn(body).join().expect("a thread");
        }
    }
    println!("inside: tried");
}

fn files(root: &Path) {
    assert_eq!(fs::read(root.join("file")).expect("served"), b"content");
    assert_eq!(fs::read_dir(root).expect("listed").count(), 2);
    for path in ["/etc/passwd", "/proc/self/environ", "/proc/self/mem"] {
        assert_eq!(errno(fs::read(path)), Some(libc::EACCES), "{path}");
    }
    assert_eq!(errno(fs::read_dir("/etc")), Some(libc::EACCES));
    // Read-only is read-only, whatever the rights of the file.
    let written = fs::OpenOptions::new().write(true).open(root.join("file"));
    assert_eq!(errno(written), Some(libc::EACCES));
    assert_eq!(
        errno(fs::File::create(root.join("new"))),
        Some(libc::EACCES)
    );
    assert_eq!(
        errno(fs::remove_file(root.join("file"))),
        Some(libc::EACCES)
    );
    assert_eq!(
        errno(fs::rename(root.join("file"), root.join("up/file"))),
        Some(libc::EACCES)
    );

    let upload = root.join("up/upload");
    fs::write(&upload, b"bytes").expect("an upload");
    fs::rename(&upload, root.join("up/named")).expect("named");
    fs::remove_file(root.join("up/named")).expect("removed");
    let link = std::os::unix::fs::symlink("/etc/passwd", root.join("up/link"));
    assert!(matches!(errno(link), Some(libc::EACCES | libc::EPERM)));
}

fn network(listener: &TcpListener) {
    let addr = listener.local_addr().expect("an address");
    assert_eq!(errno(TcpStream::connect(addr)), Some(libc::EPERM));
    assert_eq!(errno(TcpListener::bind("127.0.0.1:0")), Some(libc::EPERM));
    assert_eq!(errno(UdpSocket::bind("127.0.0.1:0")), Some(libc::EPERM));
    let raw = unsafe_socket(libc::AF_PACKET, libc::SOCK_RAW);
    assert_eq!(errno(raw), Some(libc::EPERM));
    // The listening socket itself cannot be turned against others.
    let turned = rustix::net::connect(listener, &addr);
    assert!(turned.is_err(), "{turned:?}");
}

/// std opens no such sockets.
fn unsafe_socket(domain: i32, kind: i32) -> io::Result<()> {
    // SAFETY: numbers only; a descriptor that comes is given back at once.
    unsafe {
        match libc::socket(domain, kind, 0) {
            fd if fd < 0 => Err(Error::last_os_error()),
            fd => {
                libc::close(fd);
                Ok(())
            }
        }
    }
}

fn calls() {
    let call = |number, arguments: [libc::c_long; 3]| {
        // SAFETY: each call below is refused before it looks at its arguments; one that is not
        // fails for them.
        let result = unsafe { libc::syscall(number, arguments[0], arguments[1], arguments[2]) };
        if result < 0 {
            Err(Error::last_os_error())
        } else {
            Ok(result)
        }
    };
    let eperm = Some(libc::EPERM);
    assert_eq!(errno(call(libc::SYS_io_uring_setup, [8, 0, 0])), eperm);
    assert_eq!(errno(call(libc::SYS_mount, [0, 0, 0])), eperm);
    assert_eq!(errno(call(libc::SYS_unshare, [0, 0, 0])), eperm);
    assert_eq!(errno(call(libc::SYS_setuid, [0, 0, 0])), eperm);
    assert_eq!(errno(call(libc::SYS_kill, [1, 0, 0])), eperm);
    // A process, where a thread is fine.
    let fork = call(libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0]);
    assert_eq!(errno(fork), eperm);
    let code = call_mmap(libc::PROT_READ | libc::PROT_EXEC);
    assert_eq!(errno(code), eperm);
    call_mmap(libc::PROT_READ).expect("memory without code");
    thread::spawn(|| {}).join().expect("a thread");
}

fn call_mmap(protection: i32) -> io::Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh memory that nobody uses.
    let memory = unsafe { libc::mmap(core::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        Err(Error::last_os_error())
    } else {
        Ok(())
    }
}

fn exec(root: &Path) {
    let program = CString::new("/bin/true").expect("a text");
    println!(
        "inside: about to become another program, {}",
        root.display()
    );
    let arguments = [program.as_ptr(), core::ptr::null()];
    // SAFETY: both texts end in NUL, and so does the list.
    unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    panic!("{}", Error::last_os_error());
}
