//! Does the jobs of uploads, whatever the disk underneath, and tells the shards.
//! It never waits for anything but its disk.

use std::sync::Arc;

use super::disk::Disk;
use super::error::UploadError;
use super::job::{Key, News, Seat, What};
use super::place::{Place, Wish};
use super::session::Session;
use crate::files::Deliver;

pub(super) struct Clerk<D> {
    pub(super) place: Arc<Place>,
    pub(super) shards: Arc<[Arc<dyn Deliver>]>,
    pub(super) disk: D,
}

/// An upload that a thread knows. It has failed where there is no session.
pub(super) struct Case<D: Disk> {
    session: Option<Session<D>>,
    _seat: Seat,
}

impl<D: Disk> Clerk<D> {
    pub(super) async fn create(&self, key: Key, wish: Box<Wish>, seat: Seat) -> Option<Case<D>> {
        let result = Session::open(&self.place, &self.disk, wish).await;
        let (session, told) = match result {
            Ok(session) => (Some(session), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.tell(key, What::Created(told));
        session.map(|session| Case {
            session: Some(session),
            _seat: seat,
        })
    }

    pub(super) async fn write(&self, key: Key, case: Option<&mut Case<D>>, mut bytes: Vec<u8>) {
        if let Some(case) = case
            && let Some(session) = &mut case.session
        {
            let (result, memory) = session.write(&self.disk, bytes).await;
            bytes = memory;
            if let Err(error) = result {
                if let Some(session) = case.session.take() {
                    session.discard(&self.disk).await;
                }
                self.tell(key, What::Stored(Err(error)));
            }
        }
        bytes.clear();
        self.tell(key, What::Written(bytes));
    }

    pub(super) async fn commit(&self, key: Key, case: Case<D>) {
        // Without a session its failure has been told.
        if let Some(session) = case.session {
            let result: Result<(), UploadError> = session.commit(&self.place, &self.disk).await;
            self.tell(key, What::Stored(result));
        }
    }

    pub(super) async fn discard(&self, case: Case<D>) {
        if let Some(session) = case.session {
            session.discard(&self.disk).await;
        }
    }

    fn tell(&self, key: Key, what: What) {
        if let Some(shard) = self.shards.get(key.shard) {
            let ticket = key.ticket;
            shard.upload(News { ticket, what });
            shard.wake();
        }
    }
}
