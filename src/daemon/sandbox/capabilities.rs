//! Root's rights, one by one: all of them go.
//! It never keeps one for convenience; only what is to be served can need one.

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::Grants;

/// What is left.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: &'static str,
    /// In words, if there is anything left.
    pub(super) why: Option<String>,
}

/// Who may lock any amount of memory keeps that as a limit. Rings are made after the capability went.
pub(super) fn keep_right_to_lock() {
    let may = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if !may {
        return;
    }
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if setrlimit(Resource::Memlock, unlimited).is_err() {
        let maximum = getrlimit(Resource::Memlock).maximum;
        let current = maximum;
        // What is refused leaves the limit as it was, and the ring then becomes a small one.
        let _ = setrlimit(Resource::Memlock, Rlimit { current, maximum });
    }
}

/// What no program that we could start may have. Only who may set capabilities can do it; for others
/// `no_new_privs` has the same effect.
pub(super) fn empty_bounding_set() {
    for capability in CapabilitySet::all().iter() {
        let _ = remove_capability_from_bounding_set(capability);
    }
}

/// Gives all capabilities up, unless one of `grants` could not be used without.
///
/// # Errors
/// When the kernel refuses.
pub(super) fn drop_all(grants: &Grants) -> rustix::io::Result<Kept> {
    set_no_new_privs(true)?;
    // Kernels before 4.3 know no such set.
    let _ = clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    let permitted = capabilities(None)?.permitted;
    // For the look around: as it will be, with a way back.
    set_capabilities(None, CapabilitySets { permitted, ..none })?;
    let (needed, kept) = needed(grants);
    let left = needed & permitted;
    set_capabilities(
        None,
        CapabilitySets {
            effective: left,
            permitted: left,
            ..none
        },
    )?;
    Ok(if left.is_empty() {
        Kept {
            name: "none",
            why: None,
        }
    } else {
        kept
    })
}

/// Gives all capabilities up and says what `who`, whom this process is, cannot use of `grants`.
pub(super) fn out_of_reach(who: &str, grants: &Grants) -> Vec<String> {
    // Where the kernel refuses, what is kept hides what is out of reach, as it will for the server.
    let _ = set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    );
    let paths = |paths: &[std::path::PathBuf], access, to: &str| {
        let beyond = paths.iter().filter(|path| closed(path, access));
        let lines =
            beyond.map(|path| format!("the user \"{who}\" may not {to} {}", path.display()));
        lines.collect::<Vec<_>>()
    };
    let mut lines = paths(&grants.roots, Access::EXEC_OK, "read");
    lines.extend(paths(&grants.uploads, ENTER | Access::WRITE_OK, "write to"));
    lines.extend(paths(&grants.files, Access::READ_OK, "read"));
    lines
}

/// What a directory needs to be listed and entered.
const ENTER: Access = Access::READ_OK.union(Access::EXEC_OK);

fn closed(path: &std::path::Path, access: Access) -> bool {
    accessat(CWD, path, access, AtFlags::EACCESS) == Err(rustix::io::Errno::ACCESS)
}

/// Files of other users are root's by these two capabilities alone.
fn needed(grants: &Grants) -> (CapabilitySet, Kept) {
    let unwritable = grants
        .uploads
        .iter()
        .find(|dir| closed(dir, ENTER | Access::WRITE_OK));
    if let Some(dir) = unwritable {
        return kept(CapabilitySet::DAC_OVERRIDE, "dac_override", dir, "write to");
    }
    let unsearchable = grants.roots.iter().find(|dir| closed(dir, Access::EXEC_OK));
    let unreadable = grants
        .files
        .iter()
        .find(|file| closed(file, Access::READ_OK));
    match unsearchable.or(unreadable) {
        Some(path) => kept(
            CapabilitySet::DAC_READ_SEARCH,
            "dac_read_search",
            path,
            "read",
        ),
        None => (
            CapabilitySet::empty(),
            Kept {
                name: "none",
                why: None,
            },
        ),
    }
}

fn kept(
    capability: CapabilitySet,
    name: &'static str,
    path: &std::path::Path,
    to: &str,
) -> (CapabilitySet, Kept) {
    let path = path.display();
    let why = format!(
        "the capability {name} stays, because root may not {to} {path} without it; give {path} to \
         root, or serve as its owner by --user"
    );
    let why = Some(why);
    (capability, Kept { name, why })
}
