//! One upload from its request to its name: temporary file, bytes, fsync, name, fsync.
//! It never acknowledges anything: it answers, and the shard tells the client.

use std::net::IpAddr;
use std::sync::Arc;

use super::disk::Disk;
use super::error::UploadError;
use super::ledger::{Ledger, Share};
use super::policy::Policy;
use super::rivals::{Entry, Rivals};
use super::target::{Target, Temporary};
use crate::files::{RelPath, Root};
use crate::wire::netascii::Decoder;

/// What all uploads share.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) policy: Arc<Policy>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) rivals: Arc<Rivals>,
    /// Files without a name can be given one here.
    pub(super) anonymous: bool,
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) client: IpAddr,
    pub(super) name: Box<[u8]>,
    pub(super) netascii: bool,
    pub(super) size: Option<u64>,
}

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
        let path = RelPath::parse(&wish.name)?;
        if !place.policy.allows(path.as_bytes()) {
            return Err(UploadError::NotAllowed);
        }
        let target = Target::find(&place.root, &path)?;
        let replaced = target.occupant(place.policy.replace)?;
        let size = replaced.as_ref().map_or(0, |stat| stat.st_size);
        let share = place.ledger.open(
            wish.client,
            path.as_bytes(),
            wish.size,
            u64::try_from(size).unwrap_or(0),
            target.dir(),
        )?;
        let entry = place.rivals.enter(path.as_bytes());
        let (file, temporary) = target.prepare(place.anonymous, replaced.as_ref())?;
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
            .win(|| target.publish(file, temporary, place.policy.replace))?;
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
