//! Runs a plan: a thread for each core, each with its own machines and sockets.
//! It never prints; progress goes to whoever called.

mod backlog;
mod collect;
mod crew;
mod held;
mod lanes;
mod link;
mod plan;
mod shared;
mod start;
mod timers;
mod vigil;
mod worker;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use collect::Progress;
pub use plan::{EnginePlan, Io, Load};
pub use start::Outlook;

use crate::result::RunResult;

/// Why a run could not be.
#[derive(Debug)]
pub enum Error {
    /// The plan cannot be carried out.
    Plan(String),
    /// The system refused something.
    System(&'static str, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(text) => f.write_str(text),
            Self::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// What the caller hears and says while a run goes on.
pub struct Watcher<'a> {
    /// Before the first packet: what is going to happen.
    pub outlook: &'a mut dyn FnMut(&Outlook),
    /// After each interval.
    pub progress: &'a mut dyn FnMut(&Progress),
    /// Set it and the run ends with what there is.
    pub stop: Arc<AtomicBool>,
}

/// Runs a plan to its end.
///
/// # Errors
/// When the plan cannot be carried out or the system refuses sockets or threads.
pub fn run(plan: &EnginePlan, watcher: Watcher<'_>) -> Result<RunResult, Error> {
    start::run(plan, watcher)
}
