//! How a root treats names: case, backslashes, directories of single clients, the root behind it.
//! It never opens anything: it says where to look, in order.

use super::canonical::canonical;
use super::{Asked, Choice, Disk, Needs, Operation, RootId, Target, Trace, spelling};

/// One root's ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootPolicy {
    /// For the operator.
    pub name: Box<str>,
    /// Each client has a directory of its own here, if there is one.
    pub unique: Option<UniqueBy>,
    /// A name that is missing is looked for in any case.
    pub ignore_case: bool,
    /// Names are turned to lower case first.
    pub lowercase: bool,
    /// A backslash separates directories.
    pub backslashes: bool,
    /// Where files are looked for that are missing here.
    pub fallback: Option<RootId>,
    /// Clients may write here, as far as the policy for uploads allows it.
    pub uploads: bool,
}

/// What a client's own directory is called: dnsmasq's `tftp-unique-root`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UniqueBy {
    /// `192.0.2.7`
    Ip,
    /// `52-54-00-12-34-56`
    Mac,
}

impl Default for RootPolicy {
    fn default() -> Self {
        Self {
            name: "default".into(),
            unique: None,
            ignore_case: false,
            lowercase: false,
            backslashes: true,
            fallback: None,
            uploads: false,
        }
    }
}

impl RootPolicy {
    pub(super) fn needs(&self) -> Needs {
        Needs {
            mac: self.unique == Some(UniqueBy::Mac),
            ..Needs::default()
        }
    }

    /// Whether a name means the file of that name for every client.
    pub(super) fn is_plain(&self) -> bool {
        self.unique.is_none() && !self.lowercase && self.fallback.is_none()
    }
}

/// Appends the places where the target's root, and those behind it, have such a file.
pub(super) fn places(
    asked: &Asked<'_>,
    target: Target,
    roots: &[RootPolicy],
    disk: &dyn Disk,
    trace: &mut Trace<'_>,
    found: &mut Vec<Choice>,
) {
    let mut next = Some(target.root);
    // Each root at most once: fallbacks form no ring, and if they did, this would end all the same.
    for _ in 0..roots.len() {
        let Some((id, policy)) = next.and_then(|id| Some((id, roots.get(id.0)?))) else {
            return;
        };
        let name = in_root(asked, id, &target.name, policy, disk, trace);
        found.push(Choice::File(Target { root: id, name }));
        // A write goes where its name leads, there or not.
        next = policy
            .fallback
            .filter(|_| asked.operation == Operation::Read);
    }
}

fn in_root(
    asked: &Asked<'_>,
    root: RootId,
    name: &[u8],
    policy: &RootPolicy,
    disk: &dyn Disk,
    trace: &mut Trace<'_>,
) -> Vec<u8> {
    let name = if policy.lowercase {
        name.to_ascii_lowercase()
    } else {
        name.to_vec()
    };
    let Some(unique) = policy.unique else {
        return name;
    };
    let own = match (unique, asked.mac) {
        (UniqueBy::Ip, _) => asked.client.to_string(),
        (UniqueBy::Mac, Some(mac)) => spelling::dashed(mac),
        (UniqueBy::Mac, None) => {
            trace.note(|| "unique-root: the client's hardware address is not known".into());
            return name;
        }
    };
    // What has no spelling is refused when it is opened, wherever that is.
    let Ok(below) = canonical(&name, policy.backslashes) else {
        return name;
    };
    if !disk.is_dir(root, own.as_bytes()) {
        trace.note(|| {
            format!("unique-root: there is no directory {own}, so all of the root serves")
        });
        return name;
    }
    trace.note(|| format!("unique-root: the client's own directory is {own}"));
    [own.as_bytes(), b"/", &below].concat()
}
