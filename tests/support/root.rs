//! A directory to serve, gone when the test is over.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Rng;

pub struct Root(TempDir);

impl Root {
    pub fn new() -> Self {
        Self(TempDir::with_prefix("ringboot-test-").expect("a temporary directory"))
    }

    /// A root with one file.
    pub fn with(name: &str, content: &[u8]) -> Self {
        let root = Self::new();
        root.write(name, content);
        root
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).expect("directories");
        }
        fs::write(&path, content).expect("a file");
        path
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Bytes that differ from block to block and from seed to seed, so that a swapped block shows.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&rng.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
