//! The images in use, so that a thousand requests for one file share one mapping.
//! It never answers from memory alone: every request opens its file and compares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::error::OpenError;
use super::identity::Identity;
use super::image::Image;
use super::path::RelativePath;
use super::root::Root;
use crate::limits::{CATALOG_RECENT, CATALOG_RECENT_FOR};
use crate::transfer::Nanos;
use crate::wire::Mode;

/// Images by inode and mode.
#[derive(Debug)]
pub struct Catalog {
    root: Root,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    known: HashMap<Key, (Identity, Weak<Image>)>,
    /// Kept for a moment though nobody uses them: machines that come one by one share, too.
    recent: Vec<(Nanos, Arc<Image>)>,
}

/// Device, inode, and whether it is the netascii form.
type Key = (u64, u64, bool);

impl Catalog {
    pub fn new(root: Root) -> Self {
        Self {
            root,
            shelf: Mutex::new(Shelf::default()),
        }
    }

    /// Opens a client's name.
    pub fn open(&self, name: &[u8], mode: Mode, now: Nanos) -> Result<Arc<Image>, OpenError> {
        let path = RelativePath::parse(name)?;
        let (file, identity) = self.root.open_file(&path)?;
        let netascii = mode == Mode::Netascii;
        let (device, inode) = identity.inode();
        let key = (device, inode, netascii);
        if let Some(image) = self.shelf().find(key, &identity, now) {
            return Ok(image);
        }
        // Not under the lock: this may wait for the disk. Two threads that both come here make
        // two images of one file, which costs a mapping and nothing else.
        let image = Arc::new(if netascii {
            Image::translate(&file)?
        } else {
            Image::map(file, identity)?
        });
        self.shelf().keep(key, identity, &image, now);
        Ok(image)
    }

    /// Lets go of what was kept for a moment, when the moment is over.
    pub fn tidy(&self, now: Nanos) {
        self.shelf().tidy(now);
    }

    /// Whether anything is kept that [`tidy`](Self::tidy) will let go.
    pub fn needs_tidying(&self) -> bool {
        !self.shelf().recent.is_empty()
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn find(&mut self, key: Key, identity: &Identity, now: Nanos) -> Option<Arc<Image>> {
        let (known, image) = self.known.get(&key)?;
        if known != identity {
            return None;
        }
        let image = image.upgrade()?;
        self.touch(&image, now);
        Some(image)
    }

    fn keep(&mut self, key: Key, identity: Identity, image: &Arc<Image>, now: Nanos) {
        // Entries of images that are gone leave when a new one comes.
        self.known.retain(|_, (_, image)| image.strong_count() > 0);
        self.known.insert(key, (identity, Arc::downgrade(image)));
        self.touch(image, now);
    }

    fn touch(&mut self, image: &Arc<Image>, now: Nanos) {
        self.recent
            .retain(|(_, recent)| !Arc::ptr_eq(recent, image));
        self.recent.push((now, Arc::clone(image)));
        if self.recent.len() > CATALOG_RECENT {
            self.recent.remove(0);
        }
    }

    fn tidy(&mut self, now: Nanos) {
        self.recent
            .retain(|(used, _)| now - *used < CATALOG_RECENT_FOR);
        if self.recent.is_empty() {
            self.known.retain(|_, (_, image)| image.strong_count() > 0);
        }
    }
}
