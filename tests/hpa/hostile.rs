//! Map files and names that nobody would write.
//! They never end in a panic, in a name that no file can have, or after the heat death of the universe.

use std::fmt;
use std::time::{Duration, Instant};

use ringboot::hpa::map::{Asker, Host, MapFile, Outcome};
use ringboot::limits::MAP_NAME_MAX;

use crate::support::Rng;

const OPERATIONS: &[&str] = &[
    "r", "rg", "rgg", "rs", "re", "ri", "a", "a~", "e", "e~", "s", "s~", "rE", "E", "j", "rG",
    "rP", "r4", "gis", ":x", "rrggE", "z", "",
];

const EXPRESSIONS: &[&str] = &[
    "^",
    "$",
    "a",
    "(.*)",
    "^(.*)$",
    "((a*)*)*",
    "(a|b|ab)*",
    "x*",
    "[^/]+",
    ".",
    "(a?){9}",
    "(((a{9}){9}){9}){9}",
    "(aa|a)*$",
    "\\",
    "[",
    "^(.)(.)(.)",
    "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)",
];

const REPLACEMENTS: &[&str] = &[
    "",
    "a",
    "\\0\\0",
    "\\1\\1\\1",
    "\\U\\0",
    "\\i",
    "\\x\\x",
    "/../\\1",
    "\\9",
    "x",
    "\\",
    "b\\2a",
    "\\\u{e9}",
];

/// A request may keep a thread busy for the matcher's fuel, here without optimisation and beside
/// other tests.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn no_map_file_and_no_name_panics_or_goes_on_for_ever() {
    let mut rng = Rng::seeded(0x7440);
    let mut ended = 0;
    for round in 0..1_500 {
        let Ok(map) = MapFile::parse(&map_file(&mut rng)) else {
            continue;
        };
        let len = if round % 150 == 0 {
            MAP_NAME_MAX
        } else {
            rng.below(40) as usize
        };
        let name = name(&mut rng, len);
        let asker = Asker {
            client: "2001:db8::1".parse().expect("an address"),
            writes: rng.below(2) == 0,
        };
        let started = Instant::now();
        match map.run(&name, asker, &mut Fickle(round)) {
            Outcome::Name(name) => assert!(name.len() <= MAP_NAME_MAX),
            Outcome::Refused(refusal) => assert!(refusal.text.len() <= MAP_NAME_MAX),
        }
        assert!(started.elapsed() < PATIENCE, "{map:?} on {name:?}");
        ended += 1;
    }
    assert!(ended > 300, "{ended} map files were read");
}

#[test]
fn random_bytes_are_read_or_refused() {
    let mut rng = Rng::seeded(0x2347);
    for _ in 0..3_000 {
        let len = rng.below(200) as usize;
        let _ = MapFile::parse(&rng.bytes(len));
    }
}

fn map_file(rng: &mut Rng) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=rng.below(5) {
        for word in [OPERATIONS, EXPRESSIONS, REPLACEMENTS].map(|words| *rng.pick(words)) {
            text.extend_from_slice(word.as_bytes());
            text.push(b' ');
        }
        text.push(b'\n');
    }
    text
}

fn name(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| *rng.pick(b"aaaab/.x\xff\\")).collect()
}

/// A host that has a file every other time.
struct Fickle(usize);

impl Host for Fickle {
    fn has_file(&mut self, _name: &[u8]) -> bool {
        self.0 += 1;
        self.0.is_multiple_of(2)
    }

    fn note(&mut self, _line: usize, _what: fmt::Arguments<'_>) {}
}
