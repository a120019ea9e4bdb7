//! One file's content and how a piece is compared with it. It never knows names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;
use ringboot::wire::netascii;

use super::pattern;

#[derive(Debug)]
pub struct Body {
    kind: Kind,
    length: u64,
    /// Made when a client first asks for it in this mode: few do, and for small files.
    netascii: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
enum Kind {
    Pattern {
        seed: u64,
    },
    Text(Vec<u8>),
    /// Mapped when first asked: a root may hold far more files than a run fetches. A file that is
    /// empty or can no longer be mapped is known by its length alone.
    File {
        path: PathBuf,
        map: OnceLock<Option<Mmap>>,
    },
}

impl Body {
    pub fn pattern(seed: u64, length: u64) -> Self {
        Self::new(Kind::Pattern { seed }, length)
    }

    pub fn text(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self::new(Kind::Text(bytes), length)
    }

    pub fn at(path: &Path) -> Result<Self, String> {
        let length = std::fs::metadata(path)
            .map_err(|error| format!("{}: {error}", path.display()))?
            .len();
        let kind = Kind::File {
            path: path.to_path_buf(),
            map: OnceLock::new(),
        };
        Ok(Self::new(kind, length))
    }

    fn new(kind: Kind, length: u64) -> Self {
        Self {
            kind,
            length,
            netascii: OnceLock::new(),
        }
    }

    pub fn length(&self, netascii: bool) -> u64 {
        if netascii {
            self.translated().len() as u64
        } else {
            self.length
        }
    }

    pub fn check(&self, netascii: bool, offset: u64, bytes: &[u8]) -> bool {
        if netascii {
            return piece_is(self.translated(), offset, bytes);
        }
        match &self.kind {
            Kind::Pattern { seed } => {
                offset
                    .checked_add(bytes.len() as u64)
                    .is_some_and(|end| end <= self.length)
                    && pattern::matches(*seed, offset, bytes)
            }
            Kind::Text(text) => piece_is(text, offset, bytes),
            Kind::File { .. } => piece_is(self.mapped(), offset, bytes),
        }
    }

    fn translated(&self) -> &[u8] {
        self.netascii.get_or_init(|| {
            let mut out = Vec::new();
            match &self.kind {
                Kind::Pattern { seed } => {
                    let mut local = vec![0; usize::try_from(self.length).unwrap_or(0)];
                    pattern::fill(*seed, 0, &mut local);
                    netascii::encode(&local, &mut out);
                }
                Kind::Text(text) => netascii::encode(text, &mut out),
                Kind::File { .. } => netascii::encode(self.mapped(), &mut out),
            }
            out
        })
    }

    fn mapped(&self) -> &[u8] {
        let Kind::File { path, map } = &self.kind else {
            return &[];
        };
        map.get_or_init(|| {
            let file = File::open(path).ok()?;
            // SAFETY: the mapping is private to reading. A file truncated by somebody else during
            // the run would end the process; the documentation asks for files that stand still.
            unsafe { Mmap::map(&file) }.ok()
        })
        .as_deref()
        .unwrap_or(&[])
    }
}

fn piece_is(whole: &[u8], offset: u64, bytes: &[u8]) -> bool {
    usize::try_from(offset)
        .ok()
        .and_then(|from| whole.get(from..from.checked_add(bytes.len())?))
        == Some(bytes)
}
