//! SIGTERM, SIGINT and SIGHUP as messages.
//! It never decides what they mean.

use core::fmt;
use std::io;
use std::thread;

use crossbeam::channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::News;

/// Somebody wants us to end.
#[derive(Debug, Clone, Copy)]
pub struct Request(i32);

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            SIGINT => "SIGINT",
            _ => "SIGTERM",
        })
    }
}

/// Sends a message for each signal, from a thread of its own.
///
/// # Errors
/// When the kernel refuses the handler or the thread.
pub fn watch(news: Sender<News>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("ringboot-signal".into())
        .spawn(move || {
            for signal in signals.forever() {
                let message = match signal {
                    SIGHUP => News::Hangup,
                    _ => News::Signal(Request(signal)),
                };
                if news.send(message).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}
