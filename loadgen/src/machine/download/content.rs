//! What has arrived of a file, against what is known of it: bytes, length, announced size.
//! It never holds content.

use super::Scene;
use crate::content::FileId;
use crate::machine::End;

#[derive(Debug)]
pub(super) struct Content {
    file: Option<(FileId, u64)>,
    /// The server's tsize.
    announced: Option<u64>,
    /// Payload so far.
    arrived: u64,
    corrupt: bool,
}

impl Content {
    pub(super) fn new(file: Option<(FileId, u64)>) -> Self {
        Self {
            file,
            announced: None,
            arrived: 0,
            corrupt: false,
        }
    }

    pub(super) const fn announced(&mut self, tsize: Option<u64>) {
        self.announced = tsize;
    }

    /// The next block's payload; none when only its length is known.
    pub(super) fn take(&mut self, scene: &Scene<'_>, payload: Option<&[u8]>, len: usize) {
        let offset = self.arrived;
        self.arrived += len as u64;
        if let (Some(oracle), Some((file, expected)), Some(payload)) =
            (scene.oracle, self.file, payload)
        {
            // What lies beyond the end is a matter of length.
            let within = expected.saturating_sub(offset).min(len as u64);
            let within = usize::try_from(within).unwrap_or(len);
            let known = payload.get(..within).unwrap_or(payload);
            self.corrupt |= !known.is_empty() && !oracle.check(file, offset, known);
        }
    }

    /// The last block has come.
    pub(super) fn verdict(&self, netascii: bool) -> End {
        let expected = self.file.map(|(_, len)| len);
        // Servers announce the size on disk, which netascii changes.
        let announced = self.announced.filter(|_| !netascii);
        let fits = |length: Option<u64>| length.is_none_or(|length| length == self.arrived);
        match (fits(expected) && fits(announced), self.corrupt) {
            (false, _) => End::WrongLength,
            (true, true) => End::Corrupt,
            (true, false) => End::Completed,
        }
    }

    /// No end in sight though the file should be over by now.
    pub(super) fn is_too_long(&self, blksize: u32) -> bool {
        let expected = self.file.map(|(_, len)| len);
        expected.is_some_and(|expected| self.arrived > expected + u64::from(blksize))
    }
}
