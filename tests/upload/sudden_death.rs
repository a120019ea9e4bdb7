//! kill -9 at random moments of many uploads: what is seen afterwards is complete, old or new, and
//! what was acknowledged is there.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::sender::{Upload, builder};
use crate::support::{Rng, Root, Server, Setup, pattern};

const UPLOADS: usize = 50;

/// What one kill left, counted over all.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    acknowledged: usize,
    old: usize,
    new: usize,
    swept: usize,
}

fn name(upload: usize) -> String {
    format!("file-{upload}")
}

/// The content of an upload in a round; lengths differ, so that a tail of the old one shows.
fn content(upload: usize, round: usize) -> Vec<u8> {
    let seed = (round * UPLOADS + upload) as u64;
    pattern(20_000 + (seed as usize * 7_919) % 200_000, seed)
}

/// All uploads at once. Says which were acknowledged before `stop`.
fn upload_all(server: &Server, round: usize, stop: &AtomicBool) -> Vec<bool> {
    let addr = server.addr();
    thread::scope(|scope| {
        let client = |upload| {
            scope.spawn(move || {
                let (name, content) = (name(upload), content(upload, round));
                let upload = Upload::new(&name, &content).with(1428, 1 + upload % 8);
                upload.until(stop).send(addr).is_ok()
            })
        };
        let clients: Vec<_> = (0..UPLOADS).map(client).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    })
}

/// Every file is complete, as of this round or of the one that it had before.
fn check(dir: &Path, round: usize, before: &mut [usize], acked: &[bool], tally: &mut Tally) {
    for entry in fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = name.starts_with("file-");
        assert!(known || name.starts_with(".ringboot-upload-"), "{name}");
        tally.swept += usize::from(!known);
    }
    for upload in 0..UPLOADS {
        let found = fs::read(dir.join(name(upload)))
            .expect("the old file stays until the new one is there");
        let new = found == content(upload, round);
        assert!(
            new || found == content(upload, before[upload]),
            "{}: a part of a file",
            name(upload)
        );
        assert!(
            new || !acked[upload],
            "{}: acknowledged and lost",
            name(upload)
        );
        if new {
            before[upload] = round;
        }
        tally.new += usize::from(new);
        tally.old += usize::from(!new);
        tally.acknowledged += usize::from(acked[upload]);
    }
}

fn kill_again_and_again(setup: Setup, kills: usize) {
    let dir = Root::new();
    for upload in 0..UPLOADS {
        dir.write(&name(upload), &content(upload, 0));
    }
    let start = || builder(dir.path(), setup, &["--upload-policy", "overwrite"]).start();
    let mut before = vec![0; UPLOADS];
    let mut tally = Tally::default();
    // How long it takes undisturbed is the time in which to kill.
    let server = start();
    let begun = Instant::now();
    let acked = upload_all(&server, 1, &AtomicBool::new(false));
    let whole = begun.elapsed();
    assert!(acked.iter().all(|&acked| acked));
    check(dir.path(), 1, &mut before, &acked, &mut tally);
    server.stop();
    let mut rng = Rng::seeded(1);
    for round in 2..kills + 2 {
        let server = start();
        assert!(!leftovers(dir.path()), "leftovers are swept at the start");
        let stop = AtomicBool::new(false);
        let acked = thread::scope(|scope| {
            let clients = scope.spawn(|| upload_all(&server, round, &stop));
            let micros = rng.next() % (whole.as_micros() as u64 * 12 / 10);
            thread::sleep(Duration::from_micros(micros));
            server.signal(Signal::KILL);
            stop.store(true, Ordering::Relaxed);
            clients.join().unwrap()
        });
        server.killed();
        check(dir.path(), round, &mut before, &acked, &mut tally);
        tally.kills += 1;
    }
    eprintln!("{setup:?}: {UPLOADS} uploads in {whole:?} undisturbed; {tally:?}");
}

fn leftovers(dir: &Path) -> bool {
    let mut entries = fs::read_dir(dir).unwrap();
    entries.any(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy().starts_with('.')
    })
}

backends! {
    fn a_killed_server_leaves_complete_files_only(setup) {
        kill_again_and_again(setup, 10);
    }
}

/// The promise's own figure.
#[ignore = "250 kills on each backend; minutes"]
#[test]
fn five_hundred_kills() {
    for setup in [Setup::URING, Setup::EPOLL] {
        kill_again_and_again(setup, 250);
    }
}

/// What a killed server left in a directory without unnamed files goes at the next start; what lies
/// there under other names stays.
#[test]
fn leftovers_are_swept_at_the_start() {
    let dir = Root::with(".ringboot-upload-0123456789abcdef", b"part");
    dir.write("sub/.ringboot-upload-1", b"part");
    dir.write(".other", b"kept");
    let server = builder(dir.path(), Setup::EPOLL, &[]).start();
    assert!(!dir.path().join("sub/.ringboot-upload-1").exists());
    crate::protocol::holds(&dir, &[".other", "sub"]);
    assert!(server.stderr().contains("deleted 2 temporary files"));
}
