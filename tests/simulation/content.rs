//! Files whose every byte is a function of (file, version, offset), and copies compared with them.
//! It never stores an octet file: both ends compute it.

use std::sync::Arc;

use ringboot::transfer::Nanos;

use crate::rng::mix;

/// A file of the simulated root. Its second version has other bytes and the same size.
#[derive(Debug)]
pub struct File {
    pub name: String,
    pub kind: Kind,
    /// When its second version replaces the first, in place.
    pub changes_at: Nanos,
    seeds: [u64; 2],
}

#[derive(Debug)]
pub enum Kind {
    /// Of this many bytes.
    Octets(u64),
    /// Asked for in netascii: the local text, and what travels.
    Text { local: Vec<u8>, wire: Vec<u8> },
    /// Not there: ERROR 1.
    Missing,
    /// Not to be read: ERROR 2.
    Forbidden,
}

impl File {
    pub fn new(name: String, kind: Kind, seed: u64) -> Self {
        Self {
            name,
            kind,
            changes_at: Nanos::NEVER,
            seeds: [mix(seed), mix(seed ^ 0xffff)],
        }
    }

    /// Bytes that travel.
    pub fn wire_size(&self) -> u64 {
        match &self.kind {
            Kind::Octets(size) => *size,
            Kind::Text { wire, .. } => wire.len() as u64,
            Kind::Missing | Kind::Forbidden => 0,
        }
    }

    /// Bytes that the client keeps.
    fn local_size(&self) -> u64 {
        match &self.kind {
            Kind::Text { local, .. } => local.len() as u64,
            _ => self.wire_size(),
        }
    }

    pub fn version(&self, now: Nanos) -> usize {
        usize::from(now >= self.changes_at)
    }

    pub const fn exists(&self) -> bool {
        matches!(self.kind, Kind::Octets(_) | Kind::Text { .. })
    }

    /// Appends what travels from `offset` on.
    pub fn read(&self, version: usize, offset: u64, len: usize, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Octets(_) => pattern(self.seeds[version], offset, len, out),
            Kind::Text { wire, .. } => {
                let start = offset as usize;
                out.extend_from_slice(&wire[start..start + len]);
            }
            Kind::Missing | Kind::Forbidden => {}
        }
    }
}

/// Appends `len` bytes of the endless pattern from `offset` on.
fn pattern(seed: u64, offset: u64, len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len;
    let mut word = offset / 8;
    let skip = (offset % 8) as usize;
    let first = word_at(seed, word);
    out.extend_from_slice(&first[skip..]);
    while out.len() < end {
        word += 1;
        out.extend_from_slice(&word_at(seed, word));
    }
    out.truncate(end);
}

const fn word_at(seed: u64, word: u64) -> [u8; 8] {
    mix(seed.wrapping_add(word.wrapping_mul(0x9e37_79b9_7f4a_7c15))).to_le_bytes()
}

/// What a client has of a file so far: compared as it grows, with each version.
#[derive(Debug)]
pub struct Received {
    file: Arc<File>,
    /// Bytes on the wire.
    travelled: u64,
    len: u64,
    equals: [bool; 2],
    pending_cr: bool,
}

impl Received {
    pub const fn new(file: Arc<File>) -> Self {
        Self {
            file,
            travelled: 0,
            len: 0,
            equals: [true; 2],
            pending_cr: false,
        }
    }

    pub fn write(&mut self, payload: &[u8]) {
        self.travelled += payload.len() as u64;
        if matches!(self.file.kind, Kind::Text { .. }) {
            for &byte in payload {
                self.write_netascii(byte);
            }
        } else {
            self.compare(payload);
        }
    }

    /// Whether this is the whole file, in one of its versions and not in a mixture.
    pub fn is_whole(&self) -> bool {
        let complete = self.len == self.file.local_size() && !self.pending_cr;
        complete && (self.equals[0] || self.equals[1])
    }

    pub const fn travelled(&self) -> u64 {
        self.travelled
    }

    /// CR LF is a line's end, CR NUL a CR.
    fn write_netascii(&mut self, byte: u8) {
        match (self.pending_cr, byte) {
            (false, b'\r') => self.pending_cr = true,
            (false, other) => self.compare_text(other),
            (true, b'\n') => self.compare_text(b'\n'),
            (true, 0) => self.compare_text(b'\r'),
            (true, _) => self.equals = [false; 2],
        }
        self.pending_cr &= byte == b'\r';
    }

    fn compare_text(&mut self, byte: u8) {
        if let Kind::Text { local, .. } = &self.file.kind
            && local.get(self.len as usize) != Some(&byte)
        {
            self.equals = [false; 2];
        }
        self.len += 1;
    }

    fn compare(&mut self, payload: &[u8]) {
        let mut expected = Vec::with_capacity(payload.len() + 8);
        for version in 0..2 {
            if self.equals[version] {
                expected.clear();
                let seed = self.file.seeds[version];
                pattern(seed, self.len, payload.len(), &mut expected);
                self.equals[version] = expected == payload;
            }
        }
        self.len += payload.len() as u64;
    }
}
