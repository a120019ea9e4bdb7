//! Whether the server's user may read and write what the configuration names.
//! It never only reckons: the process becomes that user, so it must be the last thing that is done.

use super::check::Findings;
use crate::daemon::sandbox::{Grants, Mode, rehearse};
use crate::daemon::{Options, User};

pub(super) fn check_rights(options: &Options, findings: &mut Findings) {
    let settings = &options.sandbox;
    let root = rustix::process::geteuid().is_root();
    let user = match settings
        .user
        .as_deref()
        .map(|name| (name, User::named(name)))
    {
        None if settings.mode == Mode::Off && root => return,
        None => None,
        Some((_, Ok(Some(user)))) if root || user.is_current() => Some(user),
        Some((name, Ok(Some(_)))) => {
            return findings.warning(format!(
                "whether the user \"{name}\" may read and write what it needs can only be tried by root"
            ));
        }
        Some((name, Ok(None))) => {
            return findings.problem(format!("`user`: there is no user \"{name}\""));
        }
        Some((name, Err(error))) => {
            return findings.problem(format!("`user`: cannot look up \"{name}\": {error}"));
        }
    };
    let beyond = rehearse(user.as_ref(), &Grants::of(options));
    for line in &beyond {
        if user.is_none() && root {
            findings.warning(format!(
                "{line} without a capability, which it therefore keeps"
            ));
        } else {
            findings.problem(line);
        }
    }
    if let Some(user) = user.filter(|_| beyond.is_empty()) {
        let name = user.name();
        findings.good(format!(
            "the user \"{name}\" may read and write what it needs"
        ));
    }
}
