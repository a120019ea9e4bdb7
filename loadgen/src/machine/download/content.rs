//! What has arrived of a file, against what is known of it: bytes, length, announced size.
//! It never holds content.

use ringboot::wire::netascii::Decoder;

use super::Scene;
use crate::content::FileId;
use crate::machine::End;

#[derive(Debug)]
pub(super) struct Content {
    file: Option<(FileId, u64)>,
    /// The server's tsize.
    announced: Option<u64>,
    /// Payload so far, as it came.
    arrived: u64,
    /// The same as a local file; differs in netascii only.
    local: u64,
    corrupt: bool,
    decoder: Decoder,
}

impl Content {
    pub(super) fn new(file: Option<(FileId, u64)>) -> Self {
        Self {
            file,
            announced: None,
            arrived: 0,
            local: 0,
            corrupt: false,
            decoder: Decoder::default(),
        }
    }

    pub(super) const fn announced(&mut self, tsize: Option<u64>) {
        self.announced = tsize;
    }

    /// The next block's payload; none when only its length is known.
    pub(super) fn take(&mut self, scene: &mut Scene<'_>, payload: Option<&[u8]>, len: usize) {
        self.arrived += len as u64;
        let (Some(oracle), Some((file, expected)), Some(payload)) =
            (scene.oracle, self.file, payload)
        else {
            self.local = self.arrived;
            return;
        };
        let local = if scene.recipe.habits.netascii {
            scene.scratch.clear();
            self.decoder.decode(payload, scene.scratch);
            scene.scratch.as_slice()
        } else {
            payload
        };
        let offset = self.local;
        self.local += local.len() as u64;
        // What lies beyond the end is a matter of length.
        let within = expected.saturating_sub(offset).min(local.len() as u64);
        let within = usize::try_from(within).unwrap_or(local.len());
        if let Some(known) = local.get(..within)
            && !known.is_empty()
        {
            self.corrupt |= !oracle.check(file, offset, known);
        }
    }

    /// The last block has come.
    pub(super) fn verdict(&mut self, netascii: bool) -> End {
        let mut rest = Vec::new();
        std::mem::take(&mut self.decoder).finish(&mut rest);
        self.local += rest.len() as u64;
        let expected = self.file.map(|(_, len)| len);
        // Servers announce the size on disk, which netascii changes.
        let announced = self.announced.filter(|_| !netascii);
        let fits = |length: Option<u64>| length.is_none_or(|length| length == self.local);
        match (fits(expected) && fits(announced), self.corrupt) {
            (false, _) => End::WrongLength,
            (true, true) => End::Corrupt,
            (true, false) => End::Completed,
        }
    }

    /// No end in sight though the file should be over by now.
    pub(super) fn is_too_long(&self, blksize: u32) -> bool {
        let expected = self.file.map(|(_, len)| len);
        expected.is_some_and(|expected| self.local > expected + u64::from(blksize))
    }
}
