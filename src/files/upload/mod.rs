//! Takes clients' files: names them, writes them, and says when they are durable.
//! It never runs on a shard's thread, and never shows a file before it is complete.

mod clerk;
mod disk;
mod error;
mod job;
mod ledger;
mod policy;
mod restrict;
mod rivals;
mod runtime;
mod session;
mod sweep;
mod target;
mod threads;

use core::fmt;
use core::sync::atomic::AtomicUsize;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

pub use error::UploadError;
pub use job::{News, What};
pub use policy::{Policy, Replace};

pub(super) use sweep::PREFIX;

use self::job::{Job, Key, Seat, Task};
use self::ledger::Ledger;
use self::runtime::Runtime;
use self::session::{Place, Wish};
use self::threads::Threads;
use super::{Deliver, Root, RootError};
use crate::endpoint::Ticket;
use crate::limits::{MAX_UPLOADS, NAME_MAX};
use crate::wire::Mode;

/// The running upload threads. Dropping it ends what was asked, then the threads.
#[derive(Debug)]
pub struct Uploads {
    crew: Crew,
    seats: Arc<AtomicUsize>,
    /// Temporary files that a killed server had left.
    pub swept: usize,
    /// Why there is no ring, where one was wanted.
    pub fallback: Option<String>,
}

#[derive(Debug)]
enum Crew {
    Ring(Runtime),
    Threads(Threads),
}

/// Why uploads cannot be taken.
#[derive(Debug)]
pub enum StartError {
    Root(RootError),
    /// The directory cannot be listed, or there is no thread.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(error) => write!(f, "--upload: {error}"),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl core::error::Error for StartError {}

impl Uploads {
    /// Sweeps the directory and starts the threads; `shards` are the receivers of news by number.
    /// With `ring`, writes go by io_uring where the kernel allows it.
    ///
    /// # Errors
    /// When the directory cannot be used, or the system gives no thread.
    pub fn start(
        policy: Policy,
        shards: Vec<Arc<dyn Deliver>>,
        ring: bool,
    ) -> Result<Self, StartError> {
        let root = Root::open(&policy.dir).map_err(StartError::Root)?;
        let found = sweep::survey(&policy.dir, true)
            .map_err(|error| StartError::System("list the upload directory", error))?;
        let policy = Arc::new(policy);
        let place = Arc::new(Place {
            root,
            ledger: Arc::new(Ledger::new(Arc::clone(&policy), found.bytes)),
            policy,
            rivals: Arc::default(),
            anonymous: Path::new("/proc/self/fd").exists(),
        });
        let shards = shards.into();
        let (crew, fallback) = match ring.then(|| Runtime::start(&place, &shards)) {
            Some(Ok(runtime)) => (Crew::Ring(runtime), None),
            refused => {
                let why = refused.and_then(Result::err).map(|error| error.to_string());
                let threads = Threads::start(&place, &shards);
                let threads = threads
                    .map_err(|error| StartError::System("start the upload threads", error))?;
                (Crew::Threads(threads), why)
            }
        };
        Ok(Self {
            crew,
            seats: Arc::default(),
            swept: found.swept,
            fallback,
        })
    }

    /// The words for the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.crew {
            Crew::Ring(_) => "tokio-uring",
            Crew::Threads(_) => "threads",
        }
    }

    /// Asks for a file to be made. Says whether there was room for one more upload; then
    /// [`What::Created`] follows.
    #[must_use]
    pub fn create(&self, shard: usize, ticket: Ticket, wanted: &Wanted<'_>) -> bool {
        let Some(seat) = Seat::take(&self.seats, MAX_UPLOADS) else {
            return false;
        };
        // One byte more than allowed is refused as surely as sixty thousand more.
        let name = &wanted.name[..wanted.name.len().min(NAME_MAX + 1)];
        let wish = Wish {
            client: wanted.client,
            name: name.into(),
            netascii: wanted.mode == Mode::Netascii,
            size: wanted.size,
        };
        self.submit(shard, ticket, Task::Create(wish, seat))
    }

    /// Writes the next bytes; [`What::Written`] hands their memory back.
    pub fn write(&self, shard: usize, ticket: Ticket, bytes: Vec<u8>) {
        self.certainly(shard, ticket, Task::Write(bytes));
    }

    /// All bytes have come; [`What::Stored`] follows.
    pub fn commit(&self, shard: usize, ticket: Ticket) {
        self.certainly(shard, ticket, Task::Commit);
    }

    /// The upload ended before that. One that was committed or never created does not mind.
    pub fn discard(&self, shard: usize, ticket: Ticket) {
        self.certainly(shard, ticket, Task::Discard);
    }

    /// The queues hold all that so many uploads with so much memory can ask at a time.
    fn certainly(&self, shard: usize, ticket: Ticket, task: Task) {
        let queued = self.submit(shard, ticket, task);
        debug_assert!(queued, "UPLOAD_QUEUE is too short");
    }

    fn submit(&self, shard: usize, ticket: Ticket, task: Task) -> bool {
        let key = Key { shard, ticket };
        let job = Job { key, task };
        match &self.crew {
            Crew::Ring(runtime) => runtime.submit(job),
            Crew::Threads(threads) => threads.submit(job),
        }
        .is_ok()
    }
}

/// What a write request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub client: IpAddr,
    /// The client's name as it came.
    pub name: &'a [u8],
    pub mode: Mode,
    /// Bytes that will come, where that is known.
    pub size: Option<u64>,
}
