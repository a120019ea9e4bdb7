//! The fuzz targets in the normal test run: every input of the corpus, then a bounded number of
//! mutations of them. It never needs more than stable Rust; coverage-guided runs are cargo-fuzz's.

mod targets;

#[allow(dead_code, reason = "shared with the tests of the server")]
#[path = "../support/rng.rs"]
mod rng;

use std::fs;
use std::path::{Path, PathBuf};

use rng::Rng;

/// Mutated inputs for each target: some seconds.
const MUTATIONS: u64 = 150_000;
/// As libFuzzer's default without long inputs in the corpus.
const LEN_MAX: u64 = 4_096;

type Target = fn(&[u8]);

#[test]
fn decode() {
    replay_and_mutate("decode", targets::decode::check);
}

#[test]
fn negotiate() {
    replay_and_mutate("negotiate", targets::negotiate::check);
}

#[test]
fn endpoint() {
    replay_and_mutate("endpoint", targets::endpoint::check);
}

/// Its operations are so small that inputs by chance are as good as a corpus.
#[test]
fn upload() {
    let mut rng = Rng::seeded(0x0b10);
    for _ in 0..MUTATIONS {
        let len = 20 + rng.below(600) as usize;
        let bytes = rng.bytes(len);
        run(targets::upload::check, "by chance", &bytes);
    }
}

fn replay_and_mutate(name: &str, target: Target) {
    let corpus = read_corpus(name);
    assert!(corpus.len() > 20, "the corpus of {name} is gone");
    for (path, bytes) in &corpus {
        run(target, &path.display().to_string(), bytes);
    }
    let mut rng = Rng::seeded(0x7f7b);
    for _ in 0..MUTATIONS {
        let mut bytes = rng.pick(&corpus).1.clone();
        for _ in 0..=rng.below(4) {
            mutate(&mut bytes, &corpus, &mut rng);
        }
        run(target, "a mutation", &bytes);
    }
}

fn read_corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Runs a target, and shows the input if it panics: it belongs in the corpus.
fn run(target: Target, origin: &str, bytes: &[u8]) {
    struct Shown<'a>(&'a str, &'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("input ({}): b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let _shown = Shown(origin, bytes);
    target(bytes);
}

fn mutate(bytes: &mut Vec<u8>, corpus: &[(PathBuf, Vec<u8>)], rng: &mut Rng) {
    let len = bytes.len() as u64;
    let place = |rng: &mut Rng| rng.below(len + 1) as usize;
    match rng.below(5) {
        0 if len > 0 => bytes[rng.below(len) as usize] = rng.next() as u8,
        1 if len > 0 => bytes[rng.below(len) as usize] ^= 1 << rng.below(8),
        2 => {
            let at = place(rng);
            let inserted = rng.below(8) as usize;
            bytes.splice(at..at, rng.bytes(inserted));
        }
        3 => {
            let (from, to) = (place(rng), place(rng));
            bytes.drain(from.min(to)..from.max(to).min(from.min(to) + 16));
        }
        _ => {
            let (at, other) = (place(rng), &rng.pick(corpus).1);
            let from = rng.below(other.len() as u64 + 1) as usize;
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
    bytes.truncate(LEN_MAX as usize);
}
