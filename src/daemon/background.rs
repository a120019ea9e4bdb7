//! Life without a terminal: the background, the system's log, and the one who minds the pid file.
//! It never runs while there are other threads.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Goes into the background. The caller's process ends well; a new one goes on, without a terminal.
///
/// # Errors
/// When the system gives no process.
pub fn detach() -> io::Result<()> {
    // SAFETY: there is one thread, so the new process has all of this one's state. The working
    // directory stays: relative paths have been opened already. The standard streams are replaced
    // by those of `quieten`.
    if unsafe { libc::daemon(1, 1) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Directs the log to the system's, or to nowhere where there is none. Standard streams that may be
/// the client's socket, or a terminal that goes away, are no place for it.
///
/// # Errors
/// When there is no `/dev/null`.
pub fn quieten() -> io::Result<()> {
    leave_streams()?;
    let log = UnixDatagram::unbound().and_then(|log| {
        log.connect("/dev/log")?;
        Ok(log)
    });
    if let Ok(log) = log {
        rustix::stdio::dup2_stderr(log)?;
    }
    Ok(())
}

/// Lets go of the standard streams.
///
/// # Errors
/// When there is no `/dev/null`.
pub fn leave_streams() -> io::Result<()> {
    let nowhere = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Goes on in a new process. This one stays what it is (root, as a rule), passes signals on, and
/// when the other ends, removes the pid file and ends the same way: a server that has become
/// another user could not remove it.
///
/// # Errors
/// When the system gives no process.
pub fn leave_keeper(pidfile: &Path) -> io::Result<()> {
    // Before there are two, so that no signal is lost.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD])?;
    // SAFETY: there is one thread, so the new process has all of this one's state.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(signals);
            // A keeper that is killed must not leave a server that nobody finds.
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        }
        child => keep(Pid::from_raw(child), &mut signals, pidfile),
    }
}

fn keep(child: Option<Pid>, signals: &mut Signals, pidfile: &Path) -> ! {
    for signal in signals.forever() {
        let passed_on = match signal {
            SIGCHLD => {
                if let Ok(Some((_, status))) = waitpid(child, WaitOptions::NOHANG) {
                    remove(pidfile);
                    std::process::exit(status.exit_status().unwrap_or(1));
                }
                continue;
            }
            SIGHUP => Signal::HUP,
            SIGINT => Signal::INT,
            _ => Signal::TERM,
        };
        if let Some(child) = child {
            // A child that has ended is met by SIGCHLD.
            let _ = kill_process(child, passed_on);
        }
    }
    std::process::exit(1)
}

/// Writes the number of this process.
///
/// # Errors
/// When the file cannot be written.
pub fn write_pid(pidfile: &Path) -> io::Result<()> {
    fs::write(pidfile, format!("{}\n", std::process::id()))
}

pub fn remove(pidfile: &Path) {
    // It may be gone already; nobody can do anything about it.
    let _ = fs::remove_file(pidfile);
}
