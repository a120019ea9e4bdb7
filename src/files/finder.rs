//! From a request to the file that answers it: the naming policy's verdict, then the roots.
//! It never opens what the policy did not name, nor anything outside of a root.

use core::cell::RefCell;
use core::convert::Infallible;
use core::net::IpAddr;
use std::fs::File;
use std::sync::Arc;

use rustix::io::Errno;

use super::error::OpenError;
use super::path::RelPath;
use super::root::{Has, Root, Sought};
use super::storage::{self, Known as Storages, Sight};
use super::upload::UploadError;
use crate::hosts::{Hosts, Known};
use crate::names::{Asked, Choice, Disk, Mac, Names, Operation, RootId, Target, Trace, Verdict};
use crate::wire::options::Options;

/// The naming policy and the roots that it speaks of.
#[derive(Debug)]
pub struct Finder {
    names: Names,
    roots: Roots,
    hosts: Hosts,
}

/// What a client wishes for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// As it came.
    pub name: &'a [u8],
    pub operation: Operation,
    pub client: IpAddr,
    /// The address of ours that was asked, where it is known.
    pub local: Option<IpAddr>,
    /// Where it is known without looking.
    pub mac: Option<Mac>,
    /// Empty unless the naming policy [needs](crate::names::Needs) them.
    pub options: Options<'a>,
}

/// What a wish came to.
#[derive(Debug)]
pub enum Found {
    File {
        file: File,
        root: RootId,
        /// Below the root, as it was looked for.
        path: RelPath,
    },
    Made(Arc<[u8]>),
}

impl From<Arc<Root>> for Finder {
    /// One root, in which a name means the file of that name.
    fn from(root: Arc<Root>) -> Self {
        Self::new(Names::default(), vec![root])
    }
}

impl Finder {
    /// `roots` are those that `names` was made for, in its order.
    #[must_use]
    pub fn new(names: Names, roots: Vec<Arc<Root>>) -> Self {
        debug_assert_eq!(names.roots().len(), roots.len());
        let (backslashes, any_case) = names
            .roots()
            .iter()
            .map(|policy| (policy.backslashes, policy.ignore_case))
            .unzip();
        let roots = Roots {
            roots,
            backslashes,
            any_case,
        };
        let hosts = Hosts::default();
        Self {
            names,
            roots,
            hosts,
        }
    }

    /// Where clients' hardware addresses and hostnames are looked up, if the naming policy needs them.
    #[must_use]
    pub fn knowing(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    #[must_use]
    pub const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// What the naming policy makes of a wish.
    ///
    /// # Errors
    /// When it refuses.
    pub fn decide(&self, wish: &Wish<'_>, trace: &mut Trace<'_>) -> Verdict {
        if let Some(verdict) = self.decide_plainly(wish) {
            return verdict;
        }
        let known = if self.needs_client() {
            self.hosts.look_up(wish.client, wish.mac)
        } else {
            Known::default()
        };
        self.decide_with(wish, &known, &self.roots, trace)
    }

    /// The same without waiting for any storage, where the answer is known without it.
    ///
    /// # Errors
    /// The question that takes longer to answer.
    pub(super) fn decide_quickly(
        &self,
        wish: &Wish<'_>,
        storages: &Storages,
    ) -> Result<Verdict, Target> {
        if let Some(verdict) = self.decide_plainly(wish) {
            return Ok(verdict);
        }
        let known = if self.needs_client() {
            let recalled = self.hosts.recall(wish.client, wish.mac);
            recalled.ok_or_else(Target::default)?
        } else {
            Known::default()
        };
        let memory = Memory {
            roots: &self.roots,
            storages,
            unsure: RefCell::default(),
        };
        let verdict = self.decide_with(wish, &known, &memory, &mut Trace::off());
        match memory.unsure.into_inner() {
            Some(question) => Err(question),
            None => Ok(verdict),
        }
    }

    /// Where a name means the file of that name for everybody.
    fn decide_plainly(&self, wish: &Wish<'_>) -> Option<Verdict> {
        self.names.is_plain(wish.operation).then(|| {
            Ok(vec![Choice::File(Target {
                root: self.names.start(wish.operation),
                name: wish.name.to_vec(),
            })])
        })
    }

    const fn needs_client(&self) -> bool {
        let needs = self.names.needs();
        needs.mac || needs.hostname
    }

    fn decide_with(
        &self,
        wish: &Wish<'_>,
        known: &Known,
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Verdict {
        let asked = Asked {
            name: wish.name,
            operation: wish.operation,
            client: wish.client,
            local: wish.local,
            mac: known.mac.or(wish.mac),
            hostname: known.hostname.as_deref(),
            options: wish.options,
        };
        self.names.decide(&asked, disk, trace)
    }

    /// Opens the first choice that exists.
    ///
    /// # Errors
    /// When none does, or the first that does cannot be served.
    pub fn open(&self, choices: &[Choice], trace: &mut Trace<'_>) -> Result<Found, OpenError> {
        let open = |target: &Target| {
            let (file, path) = self.roots.open(target)?;
            let root = target.root;
            Ok(Found::File { file, root, path })
        };
        let made = |content: &Arc<[u8]>| Ok(Found::Made(Arc::clone(content)));
        self.first(choices, open, made, trace)
    }

    /// The same for who `has` something of some files already, and can `make` the like of content.
    pub(super) fn seek<T>(
        &self,
        choices: &[Choice],
        has: Has<'_, T>,
        make: impl Fn(&[u8]) -> Result<T, OpenError>,
    ) -> Result<Sought<T>, OpenError> {
        let seek = |target: &Target| self.roots.seek(target, has).map(|(sought, _)| sought);
        let made = |content: &Arc<[u8]>| make(content).map(Sought::Had);
        self.first(choices, seek, made, &mut Trace::off())
    }

    fn first<T>(
        &self,
        choices: &[Choice],
        open: impl Fn(&Target) -> Result<T, OpenError>,
        made: impl Fn(&Arc<[u8]>) -> Result<T, OpenError>,
        trace: &mut Trace<'_>,
    ) -> Result<T, OpenError> {
        let mut missing = OpenError::NotFound;
        for (place, choice) in choices.iter().enumerate() {
            let target = match choice {
                Choice::File(target) => target,
                Choice::Virtual(content) => return made(content),
            };
            match open(target) {
                Err(error @ (OpenError::NotFound | OpenError::NotRegular)) => {
                    trace.note(|| self.describe(target, &error.to_string()));
                    if place == 0 {
                        missing = error;
                    }
                }
                Err(error) => {
                    trace.note(|| self.describe(target, &error.to_string()));
                    return Err(error);
                }
                Ok(found) => {
                    trace.note(|| self.describe(target, "there it is"));
                    return Ok(found);
                }
            }
        }
        Err(missing)
    }

    /// The one file that is meant, where there is no other choice and only this spelling will do.
    pub(super) fn exact(&self, choices: &[Choice]) -> Option<Result<(&Root, RelPath), OpenError>> {
        let [Choice::File(target)] = choices else {
            return None;
        };
        if self.roots.any_case.get(target.root.0) != Some(&false) {
            return None;
        }
        let root = self.roots.root(target.root)?;
        Some(
            self.roots
                .path(target.root, &target.name)
                .map(|path| (root, path)),
        )
    }

    /// The roots that take uploads.
    pub(super) fn writable(&self) -> impl Iterator<Item = (RootId, &Root)> {
        let policies = self.names.roots().iter().zip(&self.roots.roots).enumerate();
        policies
            .filter(|(_, (policy, _))| policy.uploads)
            .map(|(place, (_, root))| (RootId(place), root.as_ref()))
    }

    pub(super) fn root(&self, id: RootId) -> Option<&Root> {
        self.roots.root(id)
    }

    /// Where a write to this target goes, if its root takes any.
    pub(super) fn place(&self, target: &Target) -> Result<(&Root, RelPath), UploadError> {
        let policy = self.names.roots().get(target.root.0);
        let refused = || UploadError::NoUploads(policy.map_or("", |policy| &policy.name).into());
        let root = self.roots.root(target.root).ok_or_else(refused)?;
        if !policy.is_some_and(|policy| policy.uploads) {
            return Err(refused());
        }
        let path = self.roots.path(target.root, &target.name)?;
        Ok(if self.roots.any_case.get(target.root.0) == Some(&true) {
            (root, root.place_in_any_case(&path)?)
        } else {
            (root, path)
        })
    }

    /// Decides and opens; a name that ends in an end mark is tried without it if it is missing.
    ///
    /// # Errors
    /// When the wish is not to be granted.
    pub fn find(&self, wish: &Wish<'_>, trace: &mut Trace<'_>) -> Result<Found, OpenError> {
        match self.find_exactly(wish, trace) {
            Err(OpenError::NotFound) => match without_end_mark(wish.name) {
                Some(name) => {
                    trace.note(|| "once more without the 0xff at its end".into());
                    self.find_exactly(&Wish { name, ..*wish }, trace)
                }
                None => Err(OpenError::NotFound),
            },
            result => result,
        }
    }

    fn find_exactly(&self, wish: &Wish<'_>, trace: &mut Trace<'_>) -> Result<Found, OpenError> {
        let choices = self.decide(wish, trace).map_err(OpenError::Refused)?;
        self.open(&choices, trace)
    }

    fn describe(&self, target: &Target, outcome: &str) -> String {
        let name = target.name.escape_ascii();
        match self.names.roots().get(target.root.0) {
            Some(policy) => format!("tried \"{name}\" in root \"{}\": {outcome}", policy.name),
            None => format!("tried \"{name}\" in a root that is not there"),
        }
    }
}

/// The name without the 0xff bytes at its end, if there are any and a name remains. Old Intel boot
/// ROMs take the end mark of the DHCP options for a part of the file's name.
#[must_use]
pub(super) fn without_end_mark(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().rposition(|&byte| byte != 0xff)? + 1;
    let shorter = name.get(..end)?;
    (end < name.len() && RelPath::parse(shorter).is_ok()).then_some(shorter)
}

#[derive(Debug)]
struct Roots {
    roots: Vec<Arc<Root>>,
    backslashes: Vec<bool>,
    any_case: Vec<bool>,
}

impl Roots {
    fn open(&self, target: &Target) -> Result<(File, RelPath), OpenError> {
        let (Sought::Opened(file), path) = self.seek(target, &|_| None::<Infallible>)?;
        Ok((file, path))
    }

    fn seek<T>(&self, target: &Target, has: Has<'_, T>) -> Result<(Sought<T>, RelPath), OpenError> {
        let root = self.root(target.root).ok_or(OpenError::NotFound)?;
        let path = self.path(target.root, &target.name)?;
        let sought = if self.any_case.get(target.root.0) == Some(&true) {
            root.seek_in_any_case(&path, has)?
        } else {
            root.seek(&path, has)?
        };
        Ok((sought, path))
    }

    fn root(&self, id: RootId) -> Option<&Root> {
        self.roots.get(id.0).map(Arc::as_ref)
    }

    fn path(&self, id: RootId, name: &[u8]) -> Result<RelPath, OpenError> {
        let backslashes = self.backslashes.get(id.0).copied().unwrap_or(true);
        RelPath::parse_with(name, backslashes)
    }
}

impl Disk for Roots {
    fn is_dir(&self, id: RootId, name: &[u8]) -> bool {
        let path = self.path(id, name);
        path.is_ok_and(|path| self.root(id).is_some_and(|root| root.has_dir(&path)))
    }

    fn is_file(&self, id: RootId, name: &[u8]) -> bool {
        let path = self.path(id, name);
        path.is_ok_and(|path| self.root(id).is_some_and(|root| root.has_file(&path)))
    }
}

/// A disk as far as the kernel remembers it: what it does not is answered anyhow, and noted.
struct Memory<'a> {
    roots: &'a Roots,
    storages: &'a Storages,
    /// The first question that it takes a storage to answer.
    unsure: RefCell<Option<Target>>,
}

impl Memory<'_> {
    fn is(&self, root: RootId, name: &[u8], what: impl Fn(&Sight) -> bool) -> bool {
        let (Ok(path), Some(open)) = (self.roots.path(root, name), self.roots.root(root)) else {
            return false;
        };
        match open.find_cached(&path).and_then(storage::look) {
            Ok(sight) if self.storages.is_local(&sight) => what(&sight),
            // As for opening: this answer is certain.
            Err(Errno::NOENT) => false,
            _ => {
                let name = name.to_vec();
                self.unsure
                    .borrow_mut()
                    .get_or_insert(Target { root, name });
                false
            }
        }
    }
}

impl Disk for Memory<'_> {
    fn is_dir(&self, root: RootId, name: &[u8]) -> bool {
        self.is(root, name, |sight| sight.directory)
    }

    fn is_file(&self, root: RootId, name: &[u8]) -> bool {
        self.is(root, name, |sight| sight.regular)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_mark_comes_off_and_nothing_else() {
        assert_eq!(
            without_end_mark(b"pxelinux.0\xff\xff"),
            Some(&b"pxelinux.0"[..])
        );
        for name in [&b"pxelinux.0"[..], b"a\xffb", b"\xff", b"a/\xff", b""] {
            assert_eq!(without_end_mark(name), None, "{}", name.escape_ascii());
        }
    }
}
