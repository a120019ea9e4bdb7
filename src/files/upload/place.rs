//! Where uploads may go: from a client's wish to a name in a root that takes it.
//! It never creates anything.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::Stat;

use super::error::UploadError;
use super::finisher::Finisher;
use super::ledger::Ledger;
use super::policy::{Policy, Replace};
use super::rivals::Rivals;
use super::sweep::{Found, Sweep, survey};
use super::target::Target;
use crate::clock;
use crate::files::finder::{self, Finder};
use crate::files::lanes::{lane_of, lane_of_first};
use crate::files::storage::Known as Storages;
use crate::files::{OpenError, RelPath, Root};
use crate::names::{Choice, Operation, RootId, Trace};
use crate::wire::options::Options;

/// What all uploads share.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) rivals: Arc<Rivals>,
    /// Files without a name can be given one here.
    pub(super) anonymous: bool,
    /// Who fills files in place, if not this process.
    pub(super) finisher: Option<Finisher>,
    /// What is remembered of none is asked away from the thread that takes the jobs.
    storages: Storages,
    /// By the roots' directories, which outlive their numbers.
    ledgers: Mutex<Ledgers>,
}

type Ledgers = Vec<(PathBuf, Arc<Ledger>)>;

/// What a client asks for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) client: IpAddr,
    pub(super) local: Option<IpAddr>,
    /// The rules that were in force when the request came, for names and for uploads.
    pub(super) finder: Arc<Finder>,
    pub(super) policy: Arc<Policy>,
    pub(super) name: Box<[u8]>,
    pub(super) options: Box<[u8]>,
    pub(super) netascii: bool,
    pub(super) size: Option<u64>,
}

impl Wish {
    fn of_names(&self) -> finder::Wish<'_> {
        finder::Wish {
            name: &self.name,
            operation: Operation::Write,
            client: self.client,
            local: self.local,
            mac: None,
            options: Options::new(&self.options),
        }
    }
}

/// A name that may be written.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) root: RootId,
    pub(super) path: RelPath,
    pub(super) target: Target,
    /// The file that has the name now.
    pub(super) replaced: Option<Stat>,
}

impl Place {
    pub(super) fn new(finisher: Option<Finisher>) -> Self {
        Self {
            rivals: Arc::default(),
            anonymous: Path::new("/proc/self/fd").exists(),
            finisher,
            storages: Storages::default(),
            ledgers: Mutex::default(),
        }
    }

    /// Counts what the roots hold and sweeps them. What stands in for in.tftpd does neither: its roots
    /// may be large, and its clients have no quotas.
    ///
    /// # Errors
    /// When one of them cannot be listed.
    pub(super) fn survey(&self, finder: &Finder, policy: &Policy) -> std::io::Result<Found> {
        let mut all = Found::default();
        let mut ledgers = Vec::new();
        for (_, root) in finder.writable() {
            let found = match policy.in_tftpd {
                None => survey(root.path(), Sweep::All)?,
                Some(_) => Found::default(),
            };
            all.swept += found.swept;
            all.bytes += found.bytes;
            let path = root.path().to_owned();
            ledgers.push((path, ledger(root.path(), found.bytes)));
        }
        *self.ledgers() = ledgers;
        Ok(all)
    }

    /// Sweeps the roots while the server serves.
    pub(super) fn sweep_later(&self, finder: &Finder) {
        let before = Sweep::Before(clock::wall());
        for (_, root) in finder.writable() {
            // What cannot be listed is passed over: nothing has been promised of it.
            let _ = survey(root.path(), before);
        }
    }

    /// The books of a root.
    pub(super) fn books(&self, finder: &Finder, id: RootId) -> Arc<Ledger> {
        let path = finder.root(id).map_or(Path::new(""), Root::path);
        // Before the look, so that whoever opens the books meanwhile has touched its files later.
        let before = Sweep::Before(clock::wall());
        if let Some(kept) = kept(&self.ledgers(), path) {
            return kept;
        }
        // A root that came with new settings. Nobody waits for its storage but those who write there.
        let stored = survey(path, before).map_or(0, |found| found.bytes);
        let mut ledgers = self.ledgers();
        if let Some(kept) = kept(&ledgers, path) {
            return kept;
        }
        let ledger = ledger(path, stored);
        ledgers.push((path.to_owned(), Arc::clone(&ledger)));
        ledger
    }

    fn ledgers(&self) -> MutexGuard<'_, Ledgers> {
        // A panic ends the process.
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which storage may hold a wish up, as far as that is known without asking one.
    pub(super) fn lane(&self, wish: &Wish) -> u64 {
        let decided = wish.finder.decide_quickly(&wish.of_names(), &self.storages);
        decided.map_or_else(
            |unsure| lane_of(unsure.root, &unsure.name),
            |verdict| lane_of_first(&verdict),
        )
    }

    /// Where a wish leads, if it may be granted.
    pub(super) fn aim(wish: &Wish) -> Result<Aim, UploadError> {
        aim_at(
            &wish.finder,
            &wish.policy,
            &wish.of_names(),
            &mut Trace::off(),
        )
    }
}

/// The same; what was tried goes to `trace`.
pub(super) fn aim_at(
    finder: &Finder,
    policy: &Policy,
    wish: &finder::Wish<'_>,
    trace: &mut Trace<'_>,
) -> Result<Aim, UploadError> {
    let choices = finder.decide(wish, trace);
    let choices = choices.map_err(OpenError::Refused)?;
    let chosen = choices.into_iter().find_map(|choice| match choice {
        Choice::File(target) => Some(target),
        Choice::Virtual(_) => None,
    });
    // Nothing that the rules name exists for this client.
    let chosen = chosen.ok_or(UploadError::Missing)?;
    let (root, path) = finder.place(&chosen)?;
    if !policy.allows(path.as_bytes()) {
        return Err(UploadError::NotAllowed);
    }
    let target = match Target::find(root, &path) {
        // Where only existing files are written, it is the file that is missing.
        Err(UploadError::NoDirectory) if policy.replace == Replace::Required => {
            return Err(UploadError::Missing);
        }
        result => result?,
    };
    let replaced = target.occupant(policy)?;
    Ok(Aim {
        root: chosen.root,
        path,
        target,
        replaced,
    })
}

fn kept(ledgers: &Ledgers, path: &Path) -> Option<Arc<Ledger>> {
    let found = ledgers.iter().find(|(other, _)| *other == path);
    found.map(|(_, ledger)| Arc::clone(ledger))
}

fn ledger(dir: &Path, stored: u64) -> Arc<Ledger> {
    Arc::new(Ledger::new(dir.to_owned(), stored))
}
