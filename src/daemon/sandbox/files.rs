//! Landlock: the kernel keeps every file but those of the grants from this thread and its offspring.
//! It never looks at names that clients send; what it holds back, the roots have refused before.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use super::Grants;

/// The newest version that this was tested with. Newer ones may deny what we need.
const NEWEST: ABI = ABI::V7;

/// The oldest version that denies TCP.
const WITH_TCP: u8 = 4;

/// Read once to say why there is no ring.
const URING_SYSCTL: &str = "/proc/sys/kernel/io_uring_disabled";

/// Rules that are not in force yet.
pub(super) struct Ruleset(Result<RulesetCreated, RulesetError>);

/// How far it came.
pub(super) struct Reached {
    /// `None`: no rule is in force.
    pub(super) version: Option<u8>,
    pub(super) lacks: Option<String>,
}

impl Ruleset {
    /// Makes the rules. The paths are looked up now.
    pub(super) fn new(grants: &Grants) -> Self {
        Self(build(grants))
    }

    /// Puts the rules in force, for this thread and those that it will start.
    pub(super) fn apply(self) -> Reached {
        let status = match self.0.and_then(RulesetCreated::restrict_self) {
            Ok(status) => status,
            Err(error) => return Reached::nothing(&format!("Landlock failed: {error}")),
        };
        match status.landlock {
            LandlockStatus::NotEnabled => Reached::nothing(
                "Landlock is switched off on this host (the kernel's parameter lsm= lacks it)",
            ),
            LandlockStatus::NotImplemented => Reached::nothing(
                "this kernel or its seccomp profile has no Landlock (Linux 5.13 has it)",
            ),
            LandlockStatus::Available { effective_abi, .. } => {
                let version = effective_abi.min(NEWEST) as u8;
                let lacks = match status.ruleset {
                    RulesetStatus::NotEnforced => {
                        return Reached::nothing("the kernel did not take Landlock's rules");
                    }
                    _ if version < WITH_TCP => Some(format!(
                        "this kernel's Landlock (ABI {version}) does not hold TCP back (Linux 6.7 \
                         does); the system call filter does"
                    )),
                    _ => None,
                };
                Reached {
                    version: Some(version),
                    lacks,
                }
            }
        }
    }
}

impl Reached {
    fn nothing(why: &str) -> Self {
        Self {
            version: None,
            lacks: Some(format!(
                "{why}; only names and rights keep files outside of the roots away"
            )),
        }
    }
}

/// Without `Execute`: what lies in a root is data to us.
fn build(grants: &Grants) -> Result<RulesetCreated, RulesetError> {
    let to_read = AccessFs::ReadFile | AccessFs::ReadDir;
    let to_write = to_read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    let mut rules = landlock::Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(scope())?
        .create()?;
    for root in &grants.roots {
        rules = allow(rules, root, to_read)?;
    }
    for dir in &grants.uploads {
        rules = allow(rules, dir, to_write)?;
    }
    for file in &grants.files {
        rules = allow(rules, &Grants::place_of(file), to_read)?;
    }
    allow(rules, Path::new(URING_SYSCTL), AccessFs::ReadFile.into())
}

/// Signals and abstract sockets of other processes are nothing to us; except the service manager's,
/// where it listens on such a one.
fn scope() -> BitFlags<Scope> {
    let manager = std::env::var_os("NOTIFY_SOCKET");
    let abstract_manager = manager.is_some_and(|path| path.as_encoded_bytes().starts_with(b"@"));
    if abstract_manager {
        Scope::Signal.into()
    } else {
        Scope::Signal | Scope::AbstractUnixSocket
    }
}

/// A path that is not there gives nothing to allow.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(place) = PathFd::new(path) else {
        return Ok(rules);
    };
    let access = if path.is_dir() {
        access
    } else {
        access & AccessFs::from_file(NEWEST)
    };
    rules.add_rule(PathBeneath::new(place, access))
}
