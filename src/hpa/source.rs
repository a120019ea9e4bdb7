//! A map file on the disk: read at the start, and again on SIGHUP.
//! It never lets a faulty file replace one that worked.

use core::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::map::{MapFault, MapFile};
use crate::limits::MAP_FILE_MAX;

/// The rules in force, and where they came from.
#[derive(Debug)]
pub struct MapSource {
    path: PathBuf,
    steps: Option<u32>,
    current: RwLock<Arc<MapFile>>,
}

/// Why a map file cannot be used.
#[derive(Debug)]
pub enum MapError {
    Unreadable(PathBuf, io::Error),
    TooLarge(PathBuf),
    /// At least one line.
    Faults(PathBuf, Vec<MapFault>),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(f, "cannot read the map file {}: {error}", path.display())
            }
            Self::TooLarge(path) => write!(
                f,
                "the map file {} is larger than {MAP_FILE_MAX} bytes",
                path.display()
            ),
            Self::Faults(path, faults) => {
                write!(f, "the map file {} has faults", path.display())?;
                for fault in faults {
                    write!(f, "\n  {}:{}: {}", path.display(), fault.line, fault.text)?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for MapError {}

impl MapSource {
    /// Reads a map file; `steps` overrides how many rules may run for a request.
    ///
    /// # Errors
    /// When it cannot be read or a line of it is faulty.
    pub fn open(path: &Path, steps: Option<u32>) -> Result<Self, MapError> {
        Ok(Self {
            path: path.to_owned(),
            steps,
            current: RwLock::new(Arc::new(read(path, steps)?)),
        })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// As [`MapSource::open`]; the former rules then stay.
    pub fn reload(&self) -> Result<(), MapError> {
        let fresh = Arc::new(read(&self.path, self.steps)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    #[must_use]
    pub fn current(&self) -> Arc<MapFile> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn read(path: &Path, steps: Option<u32>) -> Result<MapFile, MapError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAP_FILE_MAX + 1).read_to_end(&mut text))
        .map_err(|error| MapError::Unreadable(path.to_owned(), error))?;
    if text.len() as u64 > MAP_FILE_MAX {
        return Err(MapError::TooLarge(path.to_owned()));
    }
    let map = MapFile::parse(&text).map_err(|faults| MapError::Faults(path.to_owned(), faults))?;
    Ok(match steps {
        Some(steps) => map.with_steps(steps),
        None => map,
    })
}
