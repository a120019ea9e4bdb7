//! One upload from its request to its name: temporary file, bytes, fsync, name, fsync.
//! It never acknowledges anything: it answers, and the shard tells the client.

use super::disk::Disk;
use super::error::UploadError;
use super::ledger::Share;
use super::place::{Aim, Place, Wish};
use super::rivals::Entry;
use super::target::{Target, Temporary};
use crate::files::RelPath;
use crate::wire::netascii::Decoder;

/// An upload under way. Dropped before its end it leaves nothing.
pub(super) struct Session<D: Disk> {
    file: D::File,
    temporary: Temporary,
    target: Target,
    path: RelPath,
    share: Share,
    entry: Entry,
    offset: u64,
    /// With the memory for its text.
    decoder: Option<(Decoder, Vec<u8>)>,
}

impl<D: Disk> Session<D> {
    pub(super) fn open(place: &Place, disk: &D, wish: &Wish) -> Result<Self, UploadError> {
        let Aim {
            root,
            path,
            target,
            replaced,
        } = place.aim(wish)?;
        let size = replaced.as_ref().map_or(0, |stat| stat.st_size);
        let share = place.books(&wish.finder, root).open(
            wish.client,
            path.as_bytes(),
            wish.size,
            u64::try_from(size).unwrap_or(0),
            target.dir(),
        )?;
        let entry = place.rivals.enter(&target.key()?);
        let (file, temporary) =
            target.prepare(place.anonymous, replaced.as_ref(), &place.policy)?;
        Ok(Self {
            file: disk.adopt(file),
            temporary,
            target,
            path,
            share,
            entry,
            offset: 0,
            decoder: wish.netascii.then(Default::default),
        })
    }

    /// Writes the next bytes and hands their memory back.
    pub(super) async fn write(
        &mut self,
        disk: &D,
        bytes: Vec<u8>,
    ) -> (Result<(), UploadError>, Vec<u8>) {
        let Some((decoder, text)) = &mut self.decoder else {
            return self.append(disk, bytes).await;
        };
        decoder.decode(&bytes, text);
        let text = core::mem::take(text);
        let (result, mut text) = self.append(disk, text).await;
        if let Some((_, memory)) = &mut self.decoder {
            text.clear();
            *memory = text;
        }
        (result, bytes)
    }

    /// Makes the file durable and gives it its name.
    pub(super) async fn commit(mut self, place: &Place, disk: &D) -> Result<(), UploadError> {
        if let Some((decoder, mut text)) = self.decoder.take() {
            decoder.finish(&mut text);
            self.append(disk, text).await.0?;
        }
        disk.sync(&self.file).await?;
        let (target, temporary, file) = (&self.target, &mut self.temporary, &self.file);
        self.entry
            .win(|| target.publish(file, temporary, &place.policy))?;
        self.share.settle(self.path.as_bytes());
        let directory = disk.adopt(self.target.directory()?);
        Ok(disk.sync(&directory).await?)
    }

    async fn append(&mut self, disk: &D, bytes: Vec<u8>) -> (Result<(), UploadError>, Vec<u8>) {
        let checked = self.entry.check();
        let len = bytes.len() as u64;
        if let Err(error) = checked.and_then(|()| self.share.grow(len)) {
            return (Err(error), bytes);
        }
        if len == 0 {
            return (Ok(()), bytes);
        }
        let (result, bytes) = disk.write(&self.file, bytes, self.offset).await;
        self.offset += len;
        (result.map_err(Into::into), bytes)
    }
}
