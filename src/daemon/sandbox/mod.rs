//! Takes from the process what serving does not need: user, capabilities, files, system calls.
//! It never gives anything back, and never says more than the kernel granted.
//!
//! Two steps. [`Sandbox::enter`] runs when everything is bound and there is one thread still, because
//! Landlock holds for a thread and those that it starts. [`Sandbox::seal`] runs when every shard has its
//! ring, and takes from all threads the calls that only a start needs. The rings restrict themselves
//! (`shard/uring/setup.rs`).

mod capabilities;
mod files;
mod grants;
mod report;
mod system_calls;

use core::fmt;
use std::path::PathBuf;

pub use grants::Grants;
pub use report::Report;

use super::user::User;

/// The operator's `--sandbox`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// As much as the kernel grants; what it does not is told.
    #[default]
    Auto,
    Off,
    /// All of it or no start.
    Strict,
}

/// What the operator chose.
#[derive(Debug, Default)]
pub struct Settings {
    pub mode: Mode,
    /// Whom to become once everything is bound. Looked up at the start only: later the databases are out
    /// of reach.
    pub user: Option<String>,
    /// Files beside those of the naming policy that are read again while the server runs.
    pub read_again: Vec<PathBuf>,
}

/// What cannot be had where all is demanded; a line for the operator.
#[derive(Debug)]
pub struct Lacking(String);

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, and --sandbox strict demands it (auto goes on with a warning)",
            self.0
        )
    }
}

impl core::error::Error for Lacking {}

/// What a server that becomes `user` could not read or write of `grants`: a line for each. The process
/// that asks becomes that user, too, and keeps no capability. To be called while there is one thread.
#[must_use]
pub fn rehearse(user: Option<&User>, grants: &Grants) -> Vec<String> {
    if let Some(user) = user
        && (user.become_it().is_err() || !user.is_current())
    {
        return vec![format!("cannot become user {}", user.name())];
    }
    let who = user.map_or_else(report::current_user, User::name);
    capabilities::out_of_reach(&who, grants)
}

/// A process that has given up what it does not need.
#[derive(Debug)]
pub struct Sandbox {
    mode: Mode,
    grants: Grants,
    report: Report,
}

impl Sandbox {
    /// Gives up all but `grants` and becomes `user`. To be called while there is one thread.
    ///
    /// # Errors
    /// In strict mode, for whatever the kernel does not grant.
    pub fn enter(mode: Mode, user: Option<&User>, grants: Grants) -> Result<Self, Lacking> {
        let mut sandbox = Self {
            mode,
            grants,
            report: Report::default(),
        };
        if mode == Mode::Off {
            sandbox.become_user(user)?;
            return Ok(sandbox);
        }
        capabilities::keep_right_to_lock();
        // The paths may be out of reach for the user.
        let ruleset = files::Ruleset::new(&sandbox.grants);
        capabilities::empty_bounding_set();
        sandbox.become_user(user)?;
        sandbox.drop_capabilities()?;
        sandbox.confine_files(ruleset)?;
        sandbox.filter(system_calls::allow_serving_and_starting())?;
        Ok(sandbox)
    }

    /// Takes the calls away that only a start needs. `backends` are those that the shards opened.
    ///
    /// # Errors
    /// In strict mode, if the kernel refuses.
    pub fn seal(mut self, backends: &str) -> Result<Self, Lacking> {
        self.report.rings = match backends {
            "uring" => "restricted",
            "epoll" => "none",
            _ => "restricted where there are any",
        };
        if self.report.system_calls {
            self.filter(system_calls::deny_starting())?;
        }
        Ok(self)
    }

    /// What was reached.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// What the process may touch.
    #[must_use]
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Whether Landlock keeps other files away than those of the grants.
    #[must_use]
    pub const fn confines_files(&self) -> bool {
        self.report.landlock.is_some()
    }

    fn become_user(&mut self, user: Option<&User>) -> Result<(), Lacking> {
        if let Some(user) = user {
            let failed = user.become_it().err();
            if failed.is_some() || !user.is_current() {
                let why = failed.map_or_else(String::new, |error| format!(": {error}"));
                let name = user.name();
                self.lack(format!(
                    "cannot become user {name}{why}: only root can choose"
                ))?;
            }
        }
        self.report.user = user
            .filter(|user| user.is_current())
            .map_or_else(report::current_user, User::name);
        Ok(())
    }

    fn drop_capabilities(&mut self) -> Result<(), Lacking> {
        match capabilities::drop_all(&self.grants) {
            Ok(kept) => {
                self.report.capabilities = kept.name;
                match kept.why {
                    Some(why) => self.lack(why),
                    None => Ok(()),
                }
            }
            Err(error) => self.lack(format!("the kernel does not take capabilities: {error}")),
        }
    }

    fn confine_files(&mut self, ruleset: files::Ruleset) -> Result<(), Lacking> {
        let reached = ruleset.apply();
        self.report.landlock = reached.version;
        match reached.lacks {
            Some(lacks) => self.lack(lacks),
            None => Ok(()),
        }
    }

    fn filter(&mut self, filtered: Result<(), String>) -> Result<(), Lacking> {
        self.report.system_calls = filtered.is_ok();
        match filtered {
            Ok(()) => Ok(()),
            Err(why) => self.lack(format!("system calls are not filtered: {why}")),
        }
    }

    /// Something is not as it should be.
    fn lack(&mut self, what: String) -> Result<(), Lacking> {
        if self.mode == Mode::Strict {
            return Err(Lacking(what));
        }
        tracing::warn!("sandbox: {what}");
        self.report.lacks.push(what);
        Ok(())
    }
}
