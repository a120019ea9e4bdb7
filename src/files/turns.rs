//! One open of a file at a time, so that whoever comes meanwhile finds its image.
//! It never stands before what is answered from memory: only threads that may wait take turns.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::identity::Inode;

/// The files that are being opened.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<Inode>>,
    given_back: Condvar,
}

/// Nobody else opens the file until this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    inode: Inode,
}

impl Turns {
    /// Waits until nobody is at this file. Who has another turn gives it back first.
    pub(super) fn take(&self, inode: Inode) -> Turn<'_> {
        let others = |taken: &mut HashSet<Inode>| !taken.insert(inode);
        let free = self.given_back.wait_while(self.taken(), others);
        drop(free.unwrap_or_else(PoisonError::into_inner));
        let turns = self;
        Turn { turns, inode }
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<Inode>> {
        // Nothing in here is left half done by a panic.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken().remove(&self.inode);
        self.turns.given_back.notify_all();
    }
}
