//! Shares images between transfers of the same file.
//! It never hands out an image of what the file was before: each open looks at the file first.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::copy::Budget;
use super::error::OpenError;
use super::framed::Frames;
use super::identity::{Identity, Inode};
use super::image::Image;
use crate::limits::{CATALOG_SWEEP_MIN, FRAMES_REST, KEPT_COPY_MAX, KEPT_IDLE, KEPT_IMAGES};
use crate::transfer::Nanos;

/// The images in use, and a few that were used a moment ago. A clone is the same catalog.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    shelf: Arc<Mutex<Shelf>>,
    budget: Arc<Budget>,
}

impl Catalog {
    /// The image of an open file. A file that was written to since its image was made gets a new
    /// one; transfers of the former keep theirs and find out by [`Image::unchanged`].
    ///
    /// # Errors
    /// When the file cannot be mapped or translated.
    pub fn open(&self, file: File, netascii: bool, now: Nanos) -> Result<Arc<Image>, OpenError> {
        let identity = Identity::of(&file)?;
        self.opened_anew(identity.inode);
        if let Some(image) = self.find(&identity, netascii, now) {
            return Ok(image);
        }
        // Not under the lock: this may wait for a disk. Two threads may do it at once; the second
        // one's image then replaces the first in the catalog, and both are right.
        let image = Arc::new(if netascii {
            Image::netascii(&file, &self.budget)?
        } else {
            Image::octet(file, &self.budget, now)?
        });
        // On some, to map it did the same again.
        self.opened_anew(identity.inode);
        self.keep(&image, netascii, now);
        Ok(image)
    }

    /// The image of a file in this state, as far as that needs no open: a text is translated from the
    /// file that is open for its image in octet mode.
    pub(super) fn recall(
        &self,
        identity: &Identity,
        netascii: bool,
        now: Nanos,
    ) -> Option<Result<Arc<Image>, OpenError>> {
        if let Some(image) = self.find(identity, netascii, now) {
            return Some(Ok(image));
        }
        let octet = self.find(identity, false, now)?;
        let translated = Image::netascii(octet.file()?, &self.budget);
        Some(translated.map(|image| {
            let image = Arc::new(image);
            self.keep(&image, netascii, now);
            image
        }))
    }

    fn keep(&self, image: &Arc<Image>, netascii: bool, now: Nanos) {
        let key = Key {
            inode: image.identity().inode,
            netascii,
        };
        let mut shelf = self.shelf();
        let mut dropped = shelf.insert(key, image, now);
        let others = dropped.extract_if(.., |image| !image.tells_at_once());
        shelf.attic.extend(others);
        drop(shelf);
        // Not under the lock either: this unmaps.
        drop(dropped);
    }

    /// The image of content that was made for one client, shared with nobody.
    ///
    /// # Errors
    /// When too much memory is in such images.
    pub fn make(&self, content: &[u8], netascii: bool) -> Result<Arc<Image>, OpenError> {
        Image::made(content, netascii, &self.budget).map(Arc::new)
    }

    /// The image of a file in this state, if there is one.
    pub(super) fn find(
        &self,
        identity: &Identity,
        netascii: bool,
        now: Nanos,
    ) -> Option<Arc<Image>> {
        let key = Key {
            inode: identity.inode,
            netascii,
        };
        self.shelf().find(key, identity, now)
    }

    /// Lets go of images that nobody has used for a while: hands them over, because to close a file
    /// may wait for its storage. Says whether any are still kept, so that the caller knows whether
    /// to come again.
    pub fn expire(&self, now: Nanos) -> (Vec<Arc<Image>>, bool) {
        let mut shelf = self.shelf();
        let mut dropped = shelf.expire(now);
        dropped.append(&mut shelf.attic);
        (dropped, !shelf.kept.is_empty())
    }

    /// Takes frames of `bytes` at least away from images that nobody has used for a moment, the longest unused first.
    /// None where all of them together are less: they would be missed for nothing.
    pub(super) fn take_idle_frames(&self, bytes: u64) -> Vec<Frames> {
        self.shelf().take_idle_frames(bytes)
    }

    /// Tells the mapping of a file, in whichever state, that the file was opened.
    fn opened_anew(&self, inode: Inode) {
        let netascii = false;
        let image = self.shelf().images.get(&Key { inode, netascii }).cloned();
        if let Some(image) = image.and_then(|image| image.upgrade()) {
            image.opened_anew();
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing in here is left half done by a panic.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    inode: Inode,
    netascii: bool,
}

#[derive(Debug, Default)]
struct Shelf {
    images: HashMap<Key, Weak<Image>>,
    kept: Vec<Kept>,
    /// No longer kept, but to close these files may wait for their storage: the next to call
    /// [`Catalog::expire`] gets them.
    attic: Vec<Arc<Image>>,
    /// Number of entries at which dead ones are looked for.
    sweep_at: usize,
    /// The latest time that was told.
    now: Nanos,
}

/// An image held so that it outlives its transfers for a moment.
#[derive(Debug)]
struct Kept {
    key: Key,
    image: Arc<Image>,
    /// When it was last asked for or seen in use.
    used: Nanos,
}

impl Kept {
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.image) == 1
    }

    /// Bytes of frames that nobody would miss at `now`.
    fn idle_frames(&self, now: Nanos) -> u64 {
        if self.is_idle() && now - self.used >= FRAMES_REST {
            self.image.framed_bytes()
        } else {
            0
        }
    }
}

impl Shelf {
    fn find(&mut self, key: Key, identity: &Identity, now: Nanos) -> Option<Arc<Image>> {
        self.now = self.now.max(now);
        let image = self.images.get(&key)?.upgrade()?;
        if image.identity() != identity {
            return None;
        }
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.key == key) {
            kept.used = now;
        }
        Some(image)
    }

    /// Answers with images to be dropped outside the lock.
    fn insert(&mut self, key: Key, image: &Arc<Image>, now: Nanos) -> Vec<Arc<Image>> {
        self.sweep();
        self.images.insert(key, Arc::downgrade(image));
        let mut dropped = self.expire(now);
        dropped.extend(self.release(|kept| kept.key == key));
        if image.copied_bytes() <= KEPT_COPY_MAX {
            if self.kept.len() >= KEPT_IMAGES {
                dropped.extend(self.release_oldest());
            }
            self.kept.push(Kept {
                key,
                image: Arc::clone(image),
                used: now,
            });
        }
        dropped
    }

    fn expire(&mut self, now: Nanos) -> Vec<Arc<Image>> {
        self.now = self.now.max(now);
        for kept in &mut self.kept {
            // In use is not idle: the mapping of a long transfer should not come down on its
            // shard's thread.
            if !kept.is_idle() {
                kept.used = now;
            }
        }
        self.release(|kept| now - kept.used >= KEPT_IDLE)
    }

    fn release(&mut self, which: impl Fn(&Kept) -> bool) -> Vec<Arc<Image>> {
        self.kept
            .extract_if(.., |kept| which(kept))
            .map(|kept| kept.image)
            .collect()
    }

    fn release_oldest(&mut self) -> Option<Arc<Image>> {
        let oldest = (0..self.kept.len()).min_by_key(|&at| self.kept[at].used)?;
        Some(self.kept.swap_remove(oldest).image)
    }

    /// Answers with frames to be dropped outside the lock: that unmaps them.
    fn take_idle_frames(&mut self, bytes: u64) -> Vec<Frames> {
        let now = self.now;
        let idle = self.kept.iter().map(|kept| kept.idle_frames(now));
        if idle.sum::<u64>() < bytes {
            return Vec::new();
        }
        let (images, mut missing) = (&mut self.images, bytes);
        let mut taken = Vec::new();
        self.kept.sort_unstable_by_key(|kept| kept.used);
        for kept in &mut self.kept {
            let has = kept.idle_frames(now);
            if has == 0 || missing == 0 {
                continue;
            }
            missing = missing.saturating_sub(has);
            // Nobody can come by the image while this lock is held, and its entry is its only other
            // reference; without that the compiler sees that it is ours alone.
            images.remove(&kept.key);
            taken.extend(Arc::get_mut(&mut kept.image).and_then(Image::take_frames));
            images.insert(kept.key, Arc::downgrade(&kept.image));
        }
        taken
    }

    /// Removes dead entries once the table has doubled since the last time, so that each insertion
    /// pays for a few.
    fn sweep(&mut self) {
        if self.images.len() >= self.sweep_at {
            self.images.retain(|_, image| image.strong_count() > 0);
            self.sweep_at = (self.images.len() * 2).max(CATALOG_SWEEP_MIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn machines_that_come_one_by_one_share_an_image_for_a_moment() {
        let (dir, catalog) = (TempDir::new().expect("a directory"), Catalog::default());
        let ask = |now| open(&dir, "kernel", b"content", &catalog, now);
        let first = Arc::downgrade(&ask(Nanos::ZERO));
        let second = ask(Nanos::from_secs(9));
        assert!(Weak::ptr_eq(&first, &Arc::downgrade(&second)));

        // In use: not idle, however long it takes.
        let expire = |secs| catalog.expire(Nanos::from_secs(secs)).1;
        assert!(expire(100));
        drop(second);
        assert!(expire(109));
        assert!(!expire(110));
        assert!(first.upgrade().is_none());
    }

    #[test]
    fn a_file_written_in_place_gets_a_new_image() {
        let (dir, catalog) = (TempDir::new().expect("a directory"), Catalog::default());
        let old = open(&dir, "kernel", b"old", &catalog, Nanos::ZERO);
        fs::write(dir.path().join("kernel"), b"newer").expect("written");
        let new = open(&dir, "kernel", b"newer", &catalog, Nanos::ZERO);
        assert!(!Arc::ptr_eq(&old, &new));
        assert_eq!((old.size(), old.unchanged()), (3, false));
        assert_eq!((new.size(), new.unchanged()), (5, true));
        assert_eq!(catalog.shelf().kept.len(), 1, "the old one is not kept");
    }

    #[test]
    fn octet_and_netascii_are_two_images() {
        let (dir, catalog) = (TempDir::new().expect("a directory"), Catalog::default());
        let octet = open(&dir, "startup.cfg", b"a\n", &catalog, Nanos::ZERO);
        let file = File::open(dir.path().join("startup.cfg")).expect("opened");
        let netascii = catalog.open(file, true, Nanos::ZERO).expect("an image");
        assert_eq!((octet.size(), netascii.size()), (2, 3));
    }

    #[test]
    fn what_is_kept_and_what_is_remembered_are_bounded() {
        let (dir, catalog) = (TempDir::new().expect("a directory"), Catalog::default());
        for number in 0..2_000 {
            open(&dir, &format!("{number}"), b"x", &catalog, Nanos(number));
        }
        let shelf = catalog.shelf();
        assert_eq!(shelf.kept.len(), KEPT_IMAGES);
        assert!(shelf.images.len() <= 2 * CATALOG_SWEEP_MIN.max(KEPT_IMAGES));
        let oldest = shelf.kept.iter().map(|kept| kept.used).min();
        assert_eq!(oldest, Some(Nanos(2_000 - KEPT_IMAGES as u64)));
    }

    fn open(dir: &TempDir, name: &str, is: &[u8], catalog: &Catalog, now: Nanos) -> Arc<Image> {
        let path = dir.path().join(name);
        if !path.exists() {
            fs::write(&path, is).expect("written");
        }
        let file = File::open(path).expect("opened");
        catalog.open(file, false, now).expect("an image")
    }
}
