//! Hostile names and broken configurations: no panic, bounded answers.

use std::path::Path;

use proptest::prelude::*;
use ringboot::config::Config;
use ringboot::limits::{NAME_MAX, TEMPLATE_MAX};
use ringboot::names::{Asked, Choice, Disk, Mac, Names, Operation, RootId, Trace};
use ringboot::wire::options::Options;

/// Has every directory and no file.
#[derive(Debug)]
struct Anything;

impl Disk for Anything {
    fn is_dir(&self, _: RootId, _: &[u8]) -> bool {
        true
    }

    fn is_file(&self, _: RootId, _: &[u8]) -> bool {
        false
    }
}

/// One policy with all that there is, written so that rules meet each other's names.
fn names() -> Names {
    let text = r"
version = 1
root = '/'
[roots.default]
unique-root = 'mac'
lowercase = true
fallback = 'other'
[roots.other]
path = '/'
ignore-case = true
backslashes = false
unique-root = 'ip'
[templates.t]
content = 'x {{name}} {{1}} {{hostname}} {{asked|upper}}'
[[rule]]
match = '(a+)(b*)'
rewrite = '{{2}}{{1}}{{1}}'
repeat = true
[[rule]]
match = '[.]'
rewrite = '/..'
[[rule]]
match = 'x(.*)'
rewrite = '{{name}}{{1}}{{asked}}'
[[rule]]
options = { blksize = true }
match = '\\'
root = 'other'
[[rule]]
match = '^t(.*)'
try = ['{{1}}', '{{mac}}/{{hostname}}']
template = 't'
[[rule]]
match = 'deny'
deny = { code = 0, text = 'no' }
";
    let config = Config::parse(Path::new("/x.toml"), text.into()).expect("a configuration");
    config.plan().expect("a plan").names()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_name_has_a_bounded_answer(
        name in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[ab.x/\\\\t]{0,60}".prop_map(String::into_bytes),
            "(t|x|deny|a{0,40}b{0,3}|[.]{1,3}|/|\\\\){0,20}".prop_map(String::into_bytes),
        ],
        options in proptest::collection::vec(any::<u8>(), 0..40),
        mac in any::<Option<[u8; 6]>>(),
        v6 in any::<bool>(),
    ) {
        thread_local!(static NAMES: Names = names());
        let asked = Asked {
            name: &name,
            operation: Operation::Read,
            client: if v6 { "2001:db8::7" } else { "192.0.2.7" }.parse().expect("an address"),
            local: None,
            mac: mac.map(Mac),
            hostname: Some("node7"),
            options: Options::new(&options),
        };
        let mut lines = Vec::new();
        let (quiet, loud) = NAMES.with(|names| (
            names.decide(&asked, &Anything, &mut Trace::off()),
            names.decide(&asked, &Anything, &mut Trace::to(&mut lines)),
        ));
        prop_assert_eq!(&quiet, &loud, "a trace changes nothing");
        for choice in quiet.iter().flatten() {
            match choice {
                // A directory of the client's own before the name.
                Choice::File(target) => prop_assert!(target.name.len() <= 2 * NAME_MAX + 64),
                Choice::Virtual(content) => {
                    prop_assert!(content.len() <= TEMPLATE_MAX);
                    prop_assert!(!content.contains(&b'\n'), "a client's line break");
                }
            }
        }
    }

    #[test]
    fn a_damaged_configuration_is_a_mistake_and_no_panic(
        at in 0..8_000_usize,
        bytes in "[\\[\\]{}='\"#,.a-z0-9\n\\\\-]{0,12}",
        cut in 0..40_usize,
    ) {
        let shipped = include_str!("../../deploy/ringboot.toml");
        let text: String = shipped.lines().map(|line| {
            let example = line.strip_prefix("#     ");
            format!("{}\n", example.unwrap_or(line))
        }).collect();
        let at = at.min(text.len());
        let (Some(head), Some(tail)) = (text.get(..at), text.get((at + cut).min(text.len())..)) else {
            return Ok(());
        };
        let damaged = format!("{head}{bytes}{tail}");
        let lines = damaged.lines().count();
        let read = Config::parse(Path::new("/x.toml"), damaged);
        if let Err(error) = read.and_then(|config| config.plan().map(drop)) {
            let said = error.to_string();
            let line: usize = said.split(':').nth(1).and_then(|n| n.parse().ok()).expect("a line");
            prop_assert!((1..=lines + 1).contains(&line), "{}", said);
        }
    }
}
