//! Takes clients' files: names them, writes them, and says when they are durable.
//! It never runs on a shard's thread, and never shows a file before it is complete.

mod clerk;
mod disk;
mod error;
mod finisher;
mod in_place;
mod job;
mod ledger;
mod place;
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
use std::sync::Arc;
use std::thread;

pub use error::UploadError;
pub use finisher::{Finisher, finish};
pub use job::{News, What};
pub use policy::{InTftpd, Policy, Replace};

pub(super) use sweep::PREFIX;

use self::job::{Job, Key, Seat, Task};
use self::place::{Aim, Place, Wish, aim_at};
use self::runtime::Runtime;
use self::threads::Threads;
use super::{Deliver, Finder, RelPath};
use crate::endpoint::Ticket;
use crate::limits::{MAX_UPLOADS, NAME_MAX};
use crate::names::{RootId, Trace};
use crate::wire::Mode;
use crate::wire::options::Options;

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
    /// A directory cannot be listed, or there is no thread.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl core::error::Error for StartError {}

impl Uploads {
    /// Sweeps the roots of `finder` that take uploads and starts the threads; `shards` are the
    /// receivers of news by number. With `ring`, writes go by io_uring where the kernel allows it.
    /// `finisher` fills files in place. Of `policy` only its way with leftovers counts here: each upload brings its own.
    ///
    /// # Errors
    /// When a directory cannot be used, or the system gives no thread.
    pub fn start(
        policy: &Policy,
        finder: &Arc<Finder>,
        shards: Vec<Arc<dyn Deliver>>,
        ring: bool,
        finisher: Option<Finisher>,
    ) -> Result<Self, StartError> {
        let place = Arc::new(Place::new(finisher));
        let found = place
            .survey(finder, policy)
            .map_err(|error| StartError::System("list the upload directory", error))?;
        let no_thread = |error| StartError::System("start the upload threads", error);
        if policy.in_tftpd.is_some() {
            sweep_later(&place, finder).map_err(no_thread)?;
        }
        let shards = shards.into();
        let (crew, fallback) = match ring.then(|| Runtime::start(&place, &shards)) {
            Some(Ok(runtime)) => (Crew::Ring(runtime), None),
            refused => {
                let why = refused.and_then(Result::err).map(|error| error.to_string());
                let threads = Threads::start(&place, &shards).map_err(no_thread)?;
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
            local: wanted.local,
            finder: Arc::clone(wanted.finder),
            policy: Arc::clone(wanted.policy),
            name: name.into(),
            options: wanted.options.as_bytes().into(),
            netascii: wanted.mode == Mode::Netascii,
            size: wanted.size,
        };
        self.submit(shard, ticket, Task::Create(Box::new(wish), seat))
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
    /// The address of ours that was asked, where it is known.
    pub local: Option<IpAddr>,
    /// The client's name as it came.
    pub name: &'a [u8],
    pub mode: Mode,
    /// Says where the name leads.
    pub finder: &'a Arc<Finder>,
    /// Says whether it may be written, and how much.
    pub policy: &'a Arc<Policy>,
    /// Empty unless the naming policy [needs](crate::names::Needs) them.
    pub options: Options<'a>,
    /// Bytes that will come, where that is known.
    pub size: Option<u64>,
}

/// Where an upload would go.
#[derive(Debug)]
pub struct Preview {
    pub root: RootId,
    pub path: RelPath,
    /// The size of the file that it would replace.
    pub replaces: Option<u64>,
}

/// What a write request would come to, as far as names and files that exist decide it. Nothing is
/// created.
///
/// # Errors
/// As the client would be refused.
pub fn preview(
    policy: &Policy,
    finder: &Finder,
    wish: &super::Wish<'_>,
    trace: &mut Trace<'_>,
) -> Result<Preview, UploadError> {
    let Aim {
        root,
        path,
        replaced,
        ..
    } = aim_at(finder, policy, wish, trace)?;
    Ok(Preview {
        root,
        path,
        replaces: replaced.map(|stat| u64::try_from(stat.st_size).unwrap_or(0)),
    })
}

/// Large directories do not keep a server from starting that takes in.tftpd's place.
fn sweep_later(place: &Arc<Place>, finder: &Arc<Finder>) -> io::Result<()> {
    let (place, finder) = (Arc::clone(place), Arc::clone(finder));
    let sweeper = thread::Builder::new().name("ringboot-sweep".into());
    sweeper.spawn(move || place.sweep_later(&finder)).map(drop)
}
