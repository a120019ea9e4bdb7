//! Who has how many bytes in the upload directory, and whether there is room for more.
//! It never writes; each upload takes its share before its bytes are written.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::fstatvfs;

use super::error::UploadError;
use super::policy::Policy;
use super::sweep::{Sweep, survey};
use crate::clock;
use crate::limits::{RECOUNT_PAUSE, UPLOADED_FILES};
use crate::transfer::Nanos;

/// The books of one root.
#[derive(Debug)]
pub(super) struct Ledger {
    dir: PathBuf,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Bytes of all files, as last counted and kept since.
    stored: u64,
    /// Bytes promised to uploads under way.
    promised: u64,
    /// Those of them that are not yet written, hence not yet missing from the file system.
    unwritten: u64,
    clients: HashMap<IpAddr, u64>,
    /// By path: who uploaded the file, and its size.
    files: HashMap<Box<[u8]>, (IpAddr, u64)>,
    counted_at: Option<Nanos>,
}

/// What one upload may take.
#[derive(Debug)]
pub(super) struct Share {
    ledger: Arc<Ledger>,
    /// The bounds when it began, which are its bounds to the end.
    policy: Arc<Policy>,
    client: IpAddr,
    promised: u64,
    written: u64,
    /// Bytes of the file that will be replaced, which count for nobody then.
    replaced: u64,
    /// Those of them that are this client's own.
    own: u64,
}

impl Ledger {
    /// `stored` is what the directory holds.
    pub(super) fn new(dir: PathBuf, stored: u64) -> Self {
        let books = Books {
            stored,
            ..Books::default()
        };
        Self {
            dir,
            books: Mutex::new(books),
        }
    }

    /// A share of `size` bytes, or one that grows; `replaced` is the size of the file that has the
    /// name now. The file system is asked for room, too.
    pub(super) fn open(
        self: &Arc<Self>,
        policy: &Arc<Policy>,
        client: IpAddr,
        path: &[u8],
        size: Option<u64>,
        replaced: u64,
        dir: impl AsFd,
    ) -> Result<Share, UploadError> {
        let own = match self.books().files.get(path) {
            Some((owner, size)) if *owner == client => *size,
            _ => 0,
        };
        let mut share = Share {
            ledger: Arc::clone(self),
            policy: Arc::clone(policy),
            client,
            promised: 0,
            written: 0,
            replaced,
            own,
        };
        let size = size.unwrap_or(0);
        share.promise(size)?;
        // Whether a full disk takes another empty file, the file system itself will say.
        if size > 0 && self.books().unwritten > free_bytes(dir) {
            return Err(UploadError::NoSpace);
        }
        Ok(share)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A panic ends the process.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has been deleted behind our back off the books, but not all the time.
    fn recount(&self, books: &mut Books) -> bool {
        let now = clock::now();
        if books.counted_at.is_some_and(|at| now - at < RECOUNT_PAUSE) {
            return false;
        }
        if let Ok(found) = survey(&self.dir, Sweep::Nothing) {
            books.stored = found.bytes;
        }
        let Books { files, clients, .. } = books;
        files.retain(|path, (client, size)| {
            let there = self.size_of(path) == Some(*size);
            if !there {
                release(clients, *client, *size);
            }
            there
        });
        // After the walk, which may have taken its time.
        books.counted_at = Some(clock::now());
        true
    }

    fn size_of(&self, path: &[u8]) -> Option<u64> {
        use std::os::unix::ffi::OsStrExt;
        let path = self.dir.join(std::ffi::OsStr::from_bytes(path));
        path.symlink_metadata().ok().map(|meta| meta.len())
    }
}

impl Share {
    /// Makes sure that `len` bytes more may be written.
    pub(super) fn grow(&mut self, len: u64) -> Result<(), UploadError> {
        let wanted = self.written.saturating_add(len);
        self.promise(wanted.saturating_sub(self.promised))?;
        self.written = wanted;
        let mut books = self.ledger.books();
        books.unwritten = books.unwritten.saturating_sub(len);
        Ok(())
    }

    /// The upload is complete under its name.
    pub(super) fn settle(self, path: &[u8]) {
        let mut books = self.ledger.books();
        books.stored = books.stored.saturating_sub(self.replaced) + self.written;
        if let Some((owner, size)) = books.files.remove(path) {
            release(&mut books.clients, owner, size);
        }
        // Whether there is a quota or not: one may come with other settings. Dropping the share gives
        // back what was promised.
        if books.files.len() < UPLOADED_FILES {
            books.files.insert(path.into(), (self.client, self.written));
            *books.clients.entry(self.client).or_default() += self.written;
        }
    }

    fn promise(&mut self, bytes: u64) -> Result<(), UploadError> {
        let ledger = Arc::clone(&self.ledger);
        let mut books = ledger.books();
        let mut checked = self.check(&books, bytes);
        if matches!(checked, Err(Bound::Shared(_))) && ledger.recount(&mut books) {
            checked = self.check(&books, bytes);
        }
        if let Err(Bound::Alone(which) | Bound::Shared(which)) = checked {
            return Err(UploadError::Quota(which));
        }
        self.promised += bytes;
        books.promised += bytes;
        books.unwritten += bytes;
        if bytes > 0 {
            *books.clients.entry(self.client).or_default() += bytes;
        }
        Ok(())
    }

    fn check(&self, books: &Books, bytes: u64) -> Result<(), Bound> {
        let policy = &self.policy;
        let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        if over(policy.max_file, self.promised.saturating_add(bytes)) {
            return Err(Bound::Alone("--upload-max-file"));
        }
        let used = books.clients.get(&self.client).copied().unwrap_or(0);
        let used = used.saturating_add(bytes).saturating_sub(self.own);
        if over(policy.max_client, used) {
            return Err(Bound::Shared("--upload-max-client"));
        }
        let used = books.stored.saturating_add(books.promised);
        let used = used.saturating_add(bytes).saturating_sub(self.replaced);
        if over(policy.max_total, used) {
            return Err(Bound::Shared("--upload-max-total"));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut books = self.ledger.books();
        books.promised = books.promised.saturating_sub(self.promised);
        let unwritten = self.promised.saturating_sub(self.written);
        books.unwritten = books.unwritten.saturating_sub(unwritten);
        release(&mut books.clients, self.client, self.promised);
    }
}

/// A bound that would be passed: by this upload alone, or together with what is there already.
enum Bound {
    Alone(&'static str),
    Shared(&'static str),
}

fn release(clients: &mut HashMap<IpAddr, u64>, client: IpAddr, bytes: u64) {
    if let Some(used) = clients.get_mut(&client) {
        *used = used.saturating_sub(bytes);
        if *used == 0 {
            clients.remove(&client);
        }
    }
}

/// What a user without privileges may still write there; a file system that does not say has room.
fn free_bytes(dir: impl AsFd) -> u64 {
    fstatvfs(dir).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    struct Place {
        dir: tempfile::TempDir,
        policy: Arc<Policy>,
        ledger: Arc<Ledger>,
    }

    impl Place {
        fn new(policy: Policy) -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let ledger = Arc::new(Ledger::new(dir.path().to_owned(), 0));
            let policy = Arc::new(policy);
            Self {
                dir,
                policy,
                ledger,
            }
        }

        fn open(&self, client: IpAddr, path: &str, size: u64) -> Result<Share, UploadError> {
            let dir = fs::File::open(self.dir.path()).expect("a directory");
            let replaced = fs::metadata(self.dir.path().join(path)).map_or(0, |meta| meta.len());
            let (path, size) = (path.as_bytes(), (size > 0).then_some(size));
            let policy = &self.policy;
            self.ledger.open(policy, client, path, size, replaced, dir)
        }

        /// A whole upload.
        fn put(&self, client: IpAddr, path: &str, size: u64) -> Result<(), UploadError> {
            let mut share = self.open(client, path, size)?;
            share.grow(size)?;
            fs::write(self.dir.path().join(path), vec![0; size as usize]).expect("written");
            share.settle(path.as_bytes());
            Ok(())
        }
    }

    fn refused<T>(result: Result<T, UploadError>) -> Option<&'static str> {
        match result.err()? {
            UploadError::Quota(which) => Some(which),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_has_its_bound_announced_or_not() {
        let place = Place::new(Policy {
            max_file: Some(100),
            ..Policy::default()
        });
        assert_eq!(
            refused(place.open(ONE, "a", 101)),
            Some("--upload-max-file")
        );
        let mut share = place.open(ONE, "a", 0).expect("a share");
        share.grow(100).expect("room");
        assert_eq!(refused(share.grow(1)), Some("--upload-max-file"));
    }

    #[test]
    fn a_client_has_its_bound_and_gets_room_back() {
        let place = Place::new(Policy {
            max_client: Some(100),
            ..Policy::default()
        });
        place.put(ONE, "a", 60).expect("room");
        assert_eq!(
            refused(place.put(ONE, "b", 60)),
            Some("--upload-max-client")
        );
        place.put(TWO, "b", 60).expect("another client's room");
        place.put(ONE, "a", 100).expect("its own file makes room");
        place
            .put(TWO, "a", 30)
            .expect("another's file, now its own");
        place.put(ONE, "c", 100).expect("it has no file any more");
        let underway = place.open(TWO, "d", 10).expect("room");
        assert_eq!(
            refused(place.open(TWO, "e", 1)),
            Some("--upload-max-client")
        );
        drop(underway);
        place
            .open(TWO, "e", 10)
            .expect("what came to nothing is given back");
    }

    #[test]
    fn a_quota_that_comes_later_counts_what_came_before_and_spares_who_is_under_way() {
        let mut place = Place::new(Policy::default());
        place.put(ONE, "a", 60).expect("no bound");
        let mut underway = place.open(ONE, "b", 0).expect("no bound");
        place.policy = Arc::new(Policy {
            max_client: Some(100),
            ..Policy::default()
        });
        assert_eq!(
            refused(place.open(ONE, "c", 41)),
            Some("--upload-max-client")
        );
        underway.grow(1000).expect("no bound when it began");
        assert_eq!(
            refused(place.open(ONE, "c", 1)),
            Some("--upload-max-client")
        );
        drop(underway);
        place.open(ONE, "c", 40).expect("room");
    }

    #[test]
    fn the_directory_has_its_bound_and_deleting_makes_room() {
        let place = Place::new(Policy {
            max_total: Some(100),
            ..Policy::default()
        });
        place.put(ONE, "a", 70).expect("room");
        let underway = place.open(TWO, "b", 30).expect("room");
        assert_eq!(refused(place.open(ONE, "c", 1)), Some("--upload-max-total"));
        drop(underway);
        place.put(TWO, "a", 100).expect("the old file makes room");
        fs::remove_file(place.dir.path().join("a")).expect("deleted");
        place.ledger.books().counted_at = None;
        place.put(ONE, "b", 100).expect("the operator made room");
        let books = place.ledger.books();
        assert_eq!((books.promised, books.unwritten), (0, 0));
    }

    #[test]
    fn the_file_system_is_asked() {
        let place = Place::new(Policy::default());
        let refused = place.open(ONE, "a", 1 << 60).map(drop);
        assert_eq!(refused, Err(UploadError::NoSpace));
        assert_eq!(place.ledger.books().unwritten, 0);
    }
}
