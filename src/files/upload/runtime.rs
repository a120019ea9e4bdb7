//! Uploads on one thread with a tokio-uring runtime: a task for each, writes and fsyncs in the ring, and
//! what has no place there on threads for each directory.
//! It never makes a shard wait, and one upload's disk never makes another wait.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_uring::fs::File;

use super::clerk::{Case, Clerk};
use super::disk::Disk;
use super::job::{Job, Key, Seat, Task};
use super::place::{Place, Wish};
use super::restrict;
use crate::files::Deliver;
use crate::files::lanes::{Bounds, Lanes};
use crate::limits::{
    LANES_LAST_WORDS, MAX_UPLOADS, OPENER_THREADS, OPENERS_EACH, RING_TRIES, UPLOAD_QUEUE,
    UPLOAD_RING,
};

/// Writes and syncs that are requests to the kernel.
pub(super) struct Ring {
    plain: Lanes<Plain>,
}

/// Plain calls.
type Plain = Box<dyn FnOnce() + Send>;

impl Ring {
    /// # Errors
    /// When the system gives no thread.
    fn start() -> io::Result<Self> {
        let bounds = Bounds {
            threads: OPENER_THREADS,
            each: OPENERS_EACH,
            // Of each upload one at a time.
            room: MAX_UPLOADS,
        };
        let plain = Lanes::start("ringboot-place", bounds, |work: Plain| work())?;
        Ok(Self { plain })
    }
}

impl Disk for Ring {
    type File = File;

    fn adopt(&self, file: std::fs::File) -> File {
        File::from_std(file)
    }

    async fn write(&self, file: &File, bytes: Vec<u8>, offset: u64) -> (io::Result<()>, Vec<u8>) {
        file.write_all_at(bytes, offset).await
    }

    async fn away<T: Send + 'static>(
        &self,
        lane: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        // Nobody waits any more where the answer finds no way.
        let work = Box::new(move || drop(done.send(work())));
        self.plain.submit(lane, work).ok()?;
        result.await.ok()
    }

    async fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all().await
    }
}

/// The running thread. Dropping it ends what was asked, then the thread; but a storage that hangs does
/// not keep the server from ending.
#[derive(Debug)]
pub(super) struct Runtime {
    /// Gone only while dropping.
    jobs: Option<Sender<Job>>,
    bell: Arc<Notify>,
    /// Hangs up when the thread ends.
    ended: Receiver<()>,
}

impl Runtime {
    /// Starts the thread and tries the ring.
    ///
    /// # Errors
    /// When the kernel refuses a ring, or the system a thread.
    pub(super) fn start(place: &Arc<Place>, shards: &Arc<[Arc<dyn Deliver>]>) -> io::Result<Self> {
        let (sender, jobs) = bounded(UPLOAD_QUEUE);
        let (ready, readiness) = bounded(1);
        let bell = Arc::new(Notify::new());
        let (place, shards, ring_bell) = (Arc::clone(place), Arc::clone(shards), Arc::clone(&bell));
        let (running, ended) = bounded::<()>(0);
        thread::Builder::new()
            .name("ringboot-upload".into())
            .spawn(move || {
                let _running = running;
                let started =
                    restricted_runtime().and_then(|runtime| Ok((runtime, Ring::start()?)));
                let (runtime, disk) = match started {
                    Ok(started) => started,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                let clerk = Rc::new(Clerk {
                    place,
                    shards,
                    disk,
                });
                let _ = ready.send(Ok(()));
                runtime.block_on(run(clerk, jobs, ring_bell));
            })?;
        match readiness.recv() {
            Ok(Ok(())) => Ok(Self {
                jobs: Some(sender),
                bell,
                ended,
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the upload thread ended before it began")),
        }
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), Job> {
        let Some(jobs) = &self.jobs else {
            return Err(job);
        };
        jobs.try_send(job).map_err(TrySendError::into_inner)?;
        self.bell.notify_one();
        Ok(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.jobs = None;
        self.bell.notify_one();
        // A panic has been told by the process's panic hook.
        let _ = self.ended.recv_timeout(LANES_LAST_WORDS.to_duration());
    }
}

/// A runtime whose ring can write and sync and do nothing else.
fn restricted_runtime() -> io::Result<tokio_uring::Runtime> {
    let mut result = try_restricted_runtime();
    // Another ring may have come up meanwhile, so that nobody knows which one is ours.
    for _ in 0..RING_TRIES {
        match result {
            Err(error) if error.kind() == io::ErrorKind::Other => {
                result = try_restricted_runtime();
            }
            result => return result,
        }
    }
    result
}

fn try_restricted_runtime() -> io::Result<tokio_uring::Runtime> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_r_disabled();
    let mut builder = tokio_uring::builder();
    let others = restrict::rings();
    let runtime = tokio_uring::Runtime::new(builder.entries(UPLOAD_RING).uring_builder(&ring))?;
    restrict::restrict_new(&others)?;
    Ok(runtime)
}

/// Each upload's own queue. Its length is bounded by the memory that shards have for uploads.
type Tasks = HashMap<Key, mpsc::UnboundedSender<Task>>;

async fn run(clerk: Rc<Clerk<Ring>>, jobs: Receiver<Job>, bell: Arc<Notify>) {
    let mut tasks = Tasks::new();
    // Every task holds an end of this channel, so its end is theirs.
    let (running, mut ended) = mpsc::channel::<()>(1);
    loop {
        match jobs.try_recv() {
            Ok(job) => pass_on(&clerk, &mut tasks, &running, job),
            Err(TryRecvError::Empty) => bell.notified().await,
            Err(TryRecvError::Disconnected) => break,
        }
    }
    drop((tasks, running));
    let _ = ended.recv().await;
}

fn pass_on(clerk: &Rc<Clerk<Ring>>, tasks: &mut Tasks, running: &mpsc::Sender<()>, job: Job) {
    let Job { key, task } = job;
    let last = matches!(task, Task::Commit | Task::Discard);
    match task {
        Task::Create(wish, seat) => {
            let (sender, inbox) = mpsc::unbounded_channel();
            tasks.insert(key, sender);
            let (clerk, running) = (Rc::clone(clerk), running.clone());
            tokio_uring::spawn(async move {
                serve(&clerk, key, wish, seat, inbox).await;
                drop(running);
            });
        }
        task => {
            if let Some(upload) = tasks.get(&key) {
                // It has ended only if it could not be created, and then nothing is written to it.
                let _ = upload.send(task);
            }
        }
    }
    if last {
        tasks.remove(&key);
    }
}

async fn serve(
    clerk: &Clerk<Ring>,
    key: Key,
    wish: Box<Wish>,
    seat: Seat,
    mut inbox: mpsc::UnboundedReceiver<Task>,
) {
    let Some(mut case): Option<Case<Ring>> = clerk.create(key, wish, seat).await else {
        return;
    };
    while let Some(task) = inbox.recv().await {
        match task {
            Task::Write(bytes) => clerk.write(key, Some(&mut case), bytes).await,
            Task::Commit => return clerk.commit(key, case).await,
            Task::Create(..) | Task::Discard => break,
        }
    }
    clerk.discard(case).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever takes the process over finds no way around its system call filter in this ring.
    #[test]
    fn the_ring_writes_and_syncs_and_opens_nothing() {
        let runtime = match restricted_runtime() {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => return,
            runtime => runtime.expect("a ring"),
        };
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        let plain = std::fs::File::create(&path).expect("created");
        let ring = Ring::start().expect("a thread");
        runtime.block_on(async {
            let file = ring.adopt(plain);
            let (written, _) = ring.write(&file, b"bytes".to_vec(), 0).await;
            written.expect("written");
            ring.sync(&file).await.expect("synced");
            let refused = File::open(&path).await.map(drop).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::EACCES));
            let addr = "127.0.0.1:9".parse().expect("an address");
            let refused = tokio_uring::net::TcpStream::connect(addr).await;
            assert_eq!(
                refused.map(drop).unwrap_err().raw_os_error(),
                Some(libc::EACCES)
            );
        });
        assert_eq!(std::fs::read(path).expect("read"), b"bytes");
    }
}
