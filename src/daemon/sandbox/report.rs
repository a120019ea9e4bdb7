//! How far the sandbox came, as one line and for metrics.
//! It never asks the kernel anything but who we are.

use core::fmt;

/// What the process has given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The user's name, or its number where no name was given.
    pub user: String,
    /// "none", or the one that had to stay.
    pub capabilities: &'static str,
    /// Landlock's version (its ABI); `None`: the kernel has none.
    pub landlock: Option<u8>,
    /// Whether system calls are filtered (seccomp).
    pub system_calls: bool,
    /// "restricted", or "none" where shards run on epoll.
    pub rings: &'static str,
    /// What the kernel did not grant, in words.
    pub lacks: Vec<String>,
}

impl Default for Report {
    /// Nothing.
    fn default() -> Self {
        Self {
            user: current_user(),
            capabilities: "kept",
            landlock: None,
            system_calls: false,
            rings: "none",
            lacks: Vec::new(),
        }
    }
}

impl Report {
    /// Each measure and how far it came.
    #[must_use]
    pub fn measures(&self) -> [(&'static str, String); 5] {
        let landlock = self.landlock.map(|version| format!("abi {version}"));
        let seccomp = if self.system_calls { "on" } else { "off" };
        [
            ("user", self.user.clone()),
            ("capabilities", self.capabilities.into()),
            ("landlock", landlock.unwrap_or_else(|| "off".into())),
            ("seccomp", seccomp.into()),
            ("ring", self.rings.into()),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measures = self.measures().map(|(name, far)| format!("{name}={far}"));
        write!(f, "sandbox: {}", measures.join(", "))
    }
}

pub(super) fn current_user() -> String {
    match rustix::process::geteuid().as_raw() {
        0 => "root".into(),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_all() {
        let report = Report {
            user: "tftp".into(),
            capabilities: "none",
            landlock: Some(7),
            system_calls: true,
            rings: "restricted",
            lacks: Vec::new(),
        };
        assert_eq!(
            report.to_string(),
            "sandbox: user=tftp, capabilities=none, landlock=abi 7, seccomp=on, ring=restricted"
        );
        let nothing = Report {
            user: "tftp".into(),
            ..Report::default()
        };
        assert_eq!(
            nothing.to_string(),
            "sandbox: user=tftp, capabilities=kept, landlock=off, seccomp=off, ring=none"
        );
    }
}
