//! Answers from what the kernel remembers: names that it has looked up before, on local storages.
//! It never waits, so that a directory which hangs holds up only those who ask for something in it.

use std::fs::File;
use std::sync::Arc;

use rustix::io::Errno;

use super::catalog::Catalog;
use super::error::OpenError;
use super::image::Image;
use super::path::RelPath;
use super::root::Root;
use super::storage::{self, Known};
use crate::transfer::Nanos;

/// The answer to a request for this path, as [`Root::open_file`] and [`Catalog::open`] would give it;
/// `None` where that may take a while.
pub(super) fn open(
    files: (&Root, &Catalog, &Known),
    path: &RelPath,
    netascii: bool,
    now: Nanos,
) -> Option<Result<Arc<Image>, OpenError>> {
    answer(open_exact(files, path, netascii, now))
}

fn answer(result: Result<Arc<Image>, Errno>) -> Option<Result<Arc<Image>, OpenError>> {
    match result {
        Ok(image) => Some(Ok(image)),
        Err(Errno::NOENT) => Some(Err(OpenError::NotFound)),
        // Whatever it is, who may wait will find it out.
        Err(_) => None,
    }
}

/// `NOENT` is certain; any other error means that it takes longer to know.
fn open_exact(
    (root, catalog, known): (&Root, &Catalog, &Known),
    path: &RelPath,
    netascii: bool,
    now: Nanos,
) -> Result<Arc<Image>, Errno> {
    let sight = storage::look(root.find_cached(path)?)?;
    if !sight.regular || !known.is_local(&sight) {
        return Err(Errno::AGAIN);
    }
    if let Some(image) = catalog.find(&sight.identity, netascii, now) {
        return Ok(image);
    }
    if netascii {
        // It is read as a whole.
        return Err(Errno::AGAIN);
    }
    let file = root.open_cached(path)?;
    let opened = storage::look(&file)?;
    if !opened.regular || !known.is_local(&opened) {
        return Err(Errno::AGAIN);
    }
    catalog
        .open(File::from(file), netascii, now)
        .map_err(|_| Errno::AGAIN)
}
