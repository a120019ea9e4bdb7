//! One upload from its request to its name: temporary file, bytes, fsync, name, fsync.
//! It never acknowledges anything: it answers, and the shard tells the client.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::disk::Disk;
use super::error::UploadError;
use super::ledger::Share;
use super::place::{Aim, Place, Wish};
use super::policy::Policy;
use super::rivals::Entry;
use super::target::{Target, Temporary};
use crate::files::RelPath;
use crate::wire::netascii::Decoder;

/// An upload under way. Dropped before its end it leaves nothing.
pub(super) struct Session<D: Disk> {
    file: D::File,
    claim: Claim,
    /// Where its storage is waited for.
    lane: u64,
    path: RelPath,
    share: Share,
    offset: u64,
    /// With the memory for its text.
    decoder: Option<(Decoder, Vec<u8>)>,
}

/// The name that an upload is to get, and the file that has none yet.
struct Claim {
    policy: Arc<Policy>,
    temporary: Temporary,
    target: Target,
    entry: Entry,
}

/// What there is before the first byte.
struct Draft {
    file: File,
    claim: Claim,
    path: RelPath,
    share: Share,
}

impl<D: Disk> Session<D> {
    pub(super) async fn open(
        place: &Arc<Place>,
        disk: &D,
        wish: Box<Wish>,
    ) -> Result<Self, UploadError> {
        let (lane, netascii) = (place.lane(&wish), wish.netascii);
        let own = Arc::clone(place);
        let draft = disk.away(lane, move || Draft::open(&own, &wish)).await;
        let Draft {
            file,
            claim,
            path,
            share,
        } = draft.ok_or(NO_ROOM)??;
        Ok(Self {
            file: disk.adopt(file),
            claim,
            lane,
            path,
            share,
            offset: 0,
            decoder: netascii.then(Default::default),
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
    pub(super) async fn commit(mut self, place: &Arc<Place>, disk: &D) -> Result<(), UploadError> {
        if let Some((decoder, mut text)) = self.decoder.take() {
            decoder.finish(&mut text);
            let written = self.append(disk, text).await.0;
            if let Err(error) = written {
                self.discard(disk).await;
                return Err(error);
            }
        }
        if let Err(error) = disk.sync(&self.file).await {
            self.discard(disk).await;
            return Err(error.into());
        }
        let Self {
            file,
            mut claim,
            lane,
            path,
            share,
            ..
        } = self;
        let (own, number) = (Arc::clone(place), file.as_raw_fd());
        // The file stays open meanwhile, so its number stays its own.
        let published = disk.away(lane, move || claim.publish(number, &own)).await;
        let directory = published.ok_or(NO_ROOM)??;
        share.settle(path.as_bytes());
        let directory = disk.adopt(directory);
        Ok(disk.sync(&directory).await?)
    }

    /// Leaves nothing of it.
    pub(super) async fn discard(self, disk: &D) {
        let Self { claim, lane, .. } = self;
        // Where there is no room it has been dropped as well.
        let _ = disk.away(lane, move || drop(claim)).await;
    }

    async fn append(&mut self, disk: &D, bytes: Vec<u8>) -> (Result<(), UploadError>, Vec<u8>) {
        let checked = self.claim.entry.check();
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

/// The client may try again.
const NO_ROOM: UploadError = UploadError::Io(Errno::AGAIN);

impl Draft {
    fn open(place: &Place, wish: &Wish) -> Result<Self, UploadError> {
        let Aim {
            root,
            path,
            target,
            replaced,
        } = Place::aim(wish)?;
        let size = replaced.as_ref().map_or(0, |stat| stat.st_size);
        let policy = Arc::clone(&wish.policy);
        let share = place.books(&wish.finder, root).open(
            &policy,
            wish.client,
            path.as_bytes(),
            wish.size,
            u64::try_from(size).unwrap_or(0),
            target.dir(),
        )?;
        let entry = place.rivals.enter(&target.key()?);
        let (file, temporary) = target.prepare(place.anonymous, replaced.as_ref(), &policy)?;
        Ok(Self {
            file,
            claim: Claim {
                policy,
                temporary,
                target,
                entry,
            },
            path,
            share,
        })
    }
}

impl Claim {
    /// Gives the open file of this number its name, unless somebody was faster. The directory, to be
    /// synced.
    fn publish(&mut self, file: RawFd, place: &Place) -> Result<File, UploadError> {
        let Self {
            policy,
            temporary,
            target,
            entry,
        } = self;
        entry.win(|| target.publish(file, temporary, policy, place.finisher.as_ref()))?;
        target.directory()
    }
}
