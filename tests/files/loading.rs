//! The loader's threads: every job gets its answer, and a full queue is refused at once.
//! It never waits for a time, only for answers.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use ringboot::endpoint::Ticket;
use ringboot::files::{Deliver, Finder, Image, Job, Loader, OpenError, Opened, Resolver, Root};
use ringboot::wire::{ErrorCode, Mode};
use tempfile::TempDir;

#[test]
fn every_job_is_answered_at_its_shard() {
    let served = Served::new(2);
    for slot in 0..2_000 {
        served
            .submit(slot as usize % 2, slot, b"kernel")
            .expect("room");
    }
    let shards = served.finish();
    for (number, shard) in shards.iter().enumerate() {
        let mut inbox = shard.inbox.lock().expect("not poisoned");
        inbox.answers.sort_by_key(|answer| answer.ticket.slot);
        let slots: Vec<_> = inbox
            .answers
            .iter()
            .map(|answer| answer.ticket.slot)
            .collect();
        let expected: Vec<_> = (0..2_000).skip(number).step_by(2).collect();
        assert_eq!(slots, expected);
        for answer in &inbox.answers {
            assert_eq!(answer.result.as_ref().expect("opened").size(), 7);
        }
        assert_eq!(inbox.unseen, 0, "woken after the last answer");
    }
}

#[test]
fn simultaneous_askers_share_one_image() {
    let served = Served::new(1);
    for slot in 0..500 {
        served.submit(0, slot, b"kernel").expect("room");
    }
    let shards = served.finish();
    let inbox = shards[0].inbox.lock().expect("not poisoned");
    let mut images: Vec<_> = inbox
        .answers
        .iter()
        .map(|answer| answer.result.as_ref())
        .collect();
    images.dedup_by_key(|image| image.map(Arc::as_ptr).ok());
    // The two threads may each open it for the first time at the same moment.
    let mut different: Vec<_> = images.iter().map(|image| image.map(Arc::as_ptr)).collect();
    different.sort_by_key(|image| image.ok());
    different.dedup();
    assert!(different.len() <= 2, "{different:?}");
}

#[test]
fn failures_are_answers_without_a_path() {
    let served = Served::new(1);
    for (slot, name) in [&b"missing"[..], b"../kernel", b"/", &[b'a'; 5_000]]
        .iter()
        .enumerate()
    {
        served.submit(0, slot as u32, name).expect("room");
    }
    let path = served.dir.path().to_str().expect("text").to_owned();
    let shards = served.finish();
    let mut inbox = shards[0].inbox.lock().expect("not poisoned");
    inbox.answers.sort_by_key(|answer| answer.ticket.slot);
    let errors: Vec<OpenError> = inbox
        .answers
        .iter()
        .map(|answer| answer.result.as_ref().expect_err("refused").clone())
        .collect();
    let codes: Vec<_> = errors.iter().map(|error| error.error_code()).collect();
    let refused = ErrorCode::ACCESS_VIOLATION;
    assert_eq!(codes, [ErrorCode::NOT_FOUND, refused, refused, refused]);
    assert!(
        errors
            .iter()
            .all(|error| !error.client_text().contains(&path))
    );
}

#[test]
fn a_full_queue_hands_the_job_back_and_answers_the_others() {
    let served = Served::new(1);
    *served.shards[0].closed.lock().expect("not poisoned") = true;
    let mut accepted = 0;
    let refused = loop {
        match served.submit(0, accepted, b"kernel") {
            Ok(()) => accepted += 1,
            Err(job) => break job,
        }
    };
    assert_eq!(refused.ticket().slot, accepted);
    *served.shards[0].closed.lock().expect("not poisoned") = false;
    served.shards[0].opened.notify_all();
    let shards = served.finish();
    let inbox = shards[0].inbox.lock().expect("not poisoned");
    assert_eq!(inbox.answers.len(), accepted as usize);
}

/// Names that the kernel does not resolve from memory are looked at without being opened, and what was
/// opened before is handed out again: only as long as it is the same file, in the same state, with the
/// same rights.
#[test]
fn what_was_opened_before_is_no_right_to_what_is_there_now() {
    let served = Served::below(1, |dir| {
        let root = Root::open_with(dir, Resolver::Walk).expect("a root");
        root.public_only()
    });
    let path = served.dir.path().join("kernel");
    let rights = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
    rights(0o644);
    let first = served.answer(0).expect("opened");
    let mut last = served.answer(1).expect("opened");
    assert!(Arc::ptr_eq(&first, &last), "one image");

    let replace = || {
        fs::write(path.with_extension("new"), "CONTENT").expect("written");
        fs::rename(path.with_extension("new"), &path).expect("replaced");
    };
    let others: [&dyn Fn(); 3] = [
        &replace,
        &|| fs::write(&path, "CONTEND").expect("written"),
        &|| rights(0o604),
    ];
    for (slot, change) in (2..).zip(others) {
        change();
        let now = served.answer(slot).expect("opened");
        assert!(!Arc::ptr_eq(&last, &now), "change {slot}");
        last = now;
    }
    rights(0o640);
    assert_eq!(served.answer(5).map(drop), Err(OpenError::NotPublic));
    fs::remove_file(&path).expect("removed");
    symlink("/etc/passwd", &path).expect("a link");
    assert!(served.answer(6).is_err());
    drop((first, last));
}

struct Served {
    dir: TempDir,
    shards: Vec<Arc<Shard>>,
    loader: Loader,
    finder: Arc<Finder>,
}

impl Served {
    fn new(shards: usize) -> Self {
        Self::below(shards, |dir| Root::open(dir).expect("a root"))
    }

    fn below(shards: usize, root: impl Fn(&Path) -> Root) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("kernel"), "content").expect("a file");
        let shards: Vec<_> = (0..shards).map(|_| Arc::new(Shard::default())).collect();
        let root = Arc::new(root(dir.path()));
        let receivers = shards
            .iter()
            .cloned()
            .map(|shard| shard as Arc<dyn Deliver>);
        let loader = Loader::start(receivers.collect(), 1 << 20).expect("threads");
        Self {
            dir,
            shards,
            loader,
            finder: Arc::new(root.into()),
        }
    }

    fn submit(&self, shard: usize, slot: u32, name: &[u8]) -> Result<(), Job> {
        let ticket = Ticket {
            slot,
            generation: 1,
        };
        self.loader
            .submit(Job::new(shard, ticket, name, Mode::Octet, &self.finder))
    }

    /// Asks shard 0 for the file, and waits for the answer.
    fn answer(&self, slot: u32) -> Result<Arc<Image>, OpenError> {
        self.submit(0, slot, b"kernel").expect("room");
        loop {
            let mut inbox = self.shards[0].inbox.lock().expect("not poisoned");
            if let Some(answer) = inbox.answers.pop() {
                assert_eq!(answer.ticket.slot, slot);
                return answer.result;
            }
            drop(inbox);
            thread::yield_now();
        }
    }

    /// Everything is answered once the loader is gone.
    fn finish(self) -> Vec<Arc<Shard>> {
        drop(self.loader);
        self.shards
    }
}

#[derive(Default)]
struct Shard {
    inbox: Mutex<Inbox>,
    closed: Mutex<bool>,
    opened: Condvar,
}

#[derive(Default)]
struct Inbox {
    answers: Vec<Opened>,
    unseen: usize,
}

impl Deliver for Shard {
    fn deliver(&self, opened: Opened) {
        let mut closed = self.closed.lock().expect("not poisoned");
        while *closed {
            closed = self.opened.wait(closed).expect("not poisoned");
        }
        drop(closed);
        let mut inbox = self.inbox.lock().expect("not poisoned");
        inbox.answers.push(opened);
        inbox.unseen += 1;
    }

    fn loaded(&self, _: Ticket, _: Option<bool>) {}

    fn wake(&self) {
        self.inbox.lock().expect("not poisoned").unseen = 0;
    }
}
