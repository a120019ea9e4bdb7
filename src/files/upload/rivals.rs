//! Uploads of one name at a time: the first that is complete wins, whole.
//! It never holds a name for a client that may have died: nobody waits for anybody.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::UploadError;

/// The names that are being uploaded.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    names: Mutex<HashMap<Box<[u8]>, Name>>,
    /// A name has been given, or could not be.
    published: Condvar,
}

#[derive(Debug, Default)]
struct Name {
    uploads: usize,
    /// How often an upload of this name was complete while others were under way.
    won: u64,
    /// One is about to get the name, which may take its disk a while.
    publishing: bool,
}

/// One upload's entry for its name.
#[derive(Debug)]
pub(super) struct Entry {
    rivals: Arc<Rivals>,
    place: Box<[u8]>,
    /// What `won` was at the start.
    since: u64,
}

impl Rivals {
    /// `place` tells the name's place from all others.
    pub(super) fn enter(self: &Arc<Self>, place: &[u8]) -> Entry {
        let mut names = self.names();
        let name = names.entry(place.into()).or_default();
        name.uploads += 1;
        Entry {
            rivals: Arc::clone(self),
            place: place.into(),
            since: name.won,
        }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Name>> {
        // Nothing in here is left half done by a panic.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Whether another upload of the name was complete since this one began.
    pub(super) fn check(&self) -> Result<(), UploadError> {
        let names = self.rivals.names();
        self.check_in(names.get(&self.place))
    }

    /// Gives the file its name by `publish`, unless another upload was faster. For each name only one
    /// does so at a time; other names do not wait for it.
    pub(super) fn win<T>(
        &self,
        publish: impl FnOnce() -> Result<T, UploadError>,
    ) -> Result<T, UploadError> {
        self.begin()?;
        let published = publish();
        if let Some(name) = self.rivals.names().get_mut(&self.place) {
            name.publishing = false;
            name.won += u64::from(published.is_ok());
        }
        self.rivals.published.notify_all();
        published
    }

    /// Waits until nobody else is about to get the name, and then is.
    fn begin(&self) -> Result<(), UploadError> {
        let mut names = self.rivals.names();
        loop {
            self.check_in(names.get(&self.place))?;
            match names.get_mut(&self.place) {
                Some(name) if name.publishing => {
                    let waited = self.rivals.published.wait(names);
                    names = waited.unwrap_or_else(PoisonError::into_inner);
                }
                Some(name) => {
                    name.publishing = true;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn check_in(&self, name: Option<&Name>) -> Result<(), UploadError> {
        match name {
            Some(name) if name.won != self.since => Err(UploadError::Overtaken),
            _ => Ok(()),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut names = self.rivals.names();
        if let Some(name) = names.get_mut(&self.place) {
            name.uploads -= 1;
            if name.uploads == 0 {
                names.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complete_upload_wins_and_later_ones_start_anew() {
        let rivals = Arc::<Rivals>::default();
        let (first, second, other) = (rivals.enter(b"a"), rivals.enter(b"a"), rivals.enter(b"b"));
        assert_eq!(second.win(|| Ok(())), Ok(()));
        assert_eq!(first.check(), Err(UploadError::Overtaken));
        let never = first.win(|| -> Result<(), _> { panic!("the name is taken") });
        assert_eq!(never, Err(UploadError::Overtaken));
        assert_eq!(other.win(|| Ok(())), Ok(()));
        assert_eq!(rivals.enter(b"a").win(|| Ok(())), Ok(()));
        drop((first, second, other));
        assert!(rivals.names().is_empty());
    }

    #[test]
    fn names_do_not_wait_for_one_another_and_rivals_do() {
        use std::sync::mpsc::channel;
        use std::thread;
        let rivals = Arc::<Rivals>::default();
        let (slow, rival, other) = (rivals.enter(b"a"), rivals.enter(b"a"), rivals.enter(b"b"));
        let ((begun, begins), (go, goes)) = (channel(), channel());
        thread::scope(|scope| {
            let slow = scope.spawn(move || {
                slow.win(|| {
                    begun.send(()).expect("somebody waits");
                    goes.recv().expect("a word");
                    Ok(())
                })
            });
            begins.recv().expect("it begins");
            assert_eq!(other.win(|| Ok(())), Ok(()));
            assert!(rivals.enter(b"a").check().is_ok());
            let rival = scope.spawn(move || rival.win(|| Ok(())));
            go.send(()).expect("it waits");
            assert_eq!(slow.join().expect("no panic"), Ok(()));
            let late = rival.join().expect("no panic");
            assert_eq!(late, Err(UploadError::Overtaken));
        });
    }

    #[test]
    fn who_fails_to_publish_has_not_won() {
        let rivals = Arc::<Rivals>::default();
        let (first, second) = (rivals.enter(b"a"), rivals.enter(b"a"));
        let failed: Result<(), _> = first.win(|| Err(UploadError::NoSpace));
        assert_eq!(failed, Err(UploadError::NoSpace));
        assert_eq!(second.win(|| Ok(())), Ok(()));
    }
}
