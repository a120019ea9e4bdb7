//! What may differ at a server's start: sockets that are there already, another user, the background.
//! It never decides any of it.

use core::fmt;
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;

use crate::cli::ServeArgs;
use crate::config::File;

/// How a server comes to life. The default is that of `ringboot serve`.
#[derive(Default)]
pub struct Start {
    /// Sockets to serve on instead of binding some.
    pub inherited: Vec<OwnedFd>,
    /// Runs when roots and sockets are open and there is one thread still: the last moment to
    /// become another process.
    pub settle: Option<Box<dyn FnOnce() -> io::Result<()>>>,
    /// Ends when no request has come for so long.
    pub idle: Option<Duration>,
    /// What SIGHUP reads again: the flags, with all that they name.
    pub reread: Option<Box<(ServeArgs, File)>>,
    /// SIGHUP ends, so that inetd starts anew.
    pub hangup_ends: bool,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("inherited", &self.inherited)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
