//! The bytes to send: a file, read block by block, or text and streams, held in memory.
//! It never sends more than there was at the start.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::wire::netascii;

/// What is read as a whole is at most this long: configurations and scripts, not disks.
const MEMORY_MAX: u64 = 256 << 20;

pub struct Source {
    content: Content,
    shown: String,
}

enum Content {
    File { file: File, len: u64 },
    Memory(Vec<u8>),
}

impl Source {
    /// Opens `path`; `-` is standard input.
    pub fn open(path: &Path, netascii: bool) -> Result<Self, String> {
        let shown = path.display().to_string();
        let content = open(path, netascii);
        let content = content.map_err(|error| format!("cannot read {shown}: {error}"))?;
        Ok(Self { content, shown })
    }

    pub const fn len(&self) -> u64 {
        match &self.content {
            Content::File { len, .. } => *len,
            Content::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Appends the bytes from `offset`, at most `len`.
    pub fn read(&self, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(left);
        match &self.content {
            Content::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(len);
                out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
                Ok(())
            }
            Content::File { file, .. } => {
                let start = out.len();
                out.resize(start + len, 0);
                let room = out.get_mut(start..).unwrap_or_default();
                let read = file.read_exact_at(room, offset);
                read.map_err(|error| format!("cannot read {}: {error}", self.shown))
            }
        }
    }
}

fn open(path: &Path, netascii: bool) -> io::Result<Content> {
    if path == Path::new("-") {
        return in_memory(io::stdin(), netascii);
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() && !netascii {
        let len = meta.len();
        return Ok(Content::File { file, len });
    }
    in_memory(file, netascii)
}

fn in_memory(from: impl Read, netascii: bool) -> io::Result<Content> {
    let mut bytes = Vec::new();
    from.take(MEMORY_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MEMORY_MAX {
        let what = format!("streams and texts have at most {MEMORY_MAX} bytes");
        return Err(io::Error::other(what));
    }
    if netascii {
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 16);
        netascii::encode(&bytes, &mut text);
        bytes = text;
    }
    Ok(Content::Memory(bytes))
}
