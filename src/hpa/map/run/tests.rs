//! What rules make of names. The same rules run against the real in.tftpd in `tests/hpa`.

use super::*;

#[test]
fn rules_of_the_manual() {
    for (rules, name, expected) in [
        ("r ^a b", "aa", "ba"),
        ("rg a b", "xaay", "xbby"),
        ("ri ^A b", "ax", "bx"),
        ("r ^a b\nr ^b c", "a", "c"),
        ("re ^a b\nr ^b c", "a", "b"),
        ("e ^a\nr ^ b", "a", "a"),
        ("e~ ^a\nr ^ b", "a", "ba"),
        (r"r ^(.)(.) \2\1\0", "abc", "baabc"),
        (r"r (.*) \U\1\L-\1-\E\1", "aB", "AB-ab-aB"),
        (r"r x \i", "x", "192.0.2.169"),
        (r"r x \L\x", "x", "c00002a9"),
        (r"r x a\ b\#\\\q", "x", r"a b#\q"),
        (r"r x\ y z", "x y", "z"),
        ("4r x four\n6r x six", "x", "four"),
        ("rG x get\nrP x put", "x", "get"),
        ("# nothing\n\n  # here\r\n", "x", "x"),
    ] {
        assert_eq!(
            run(rules, name),
            Outcome::Name(expected.into()),
            "{rules:?} {name}"
        );
    }
}

#[test]
fn what_later_versions_know() {
    for (rules, name, expected) in [
        ("rgg a aa", "aba", "aabaa"),
        ("rgg ^a b", "aaa", "baa"),
        ("rE ^ there/\nr ^ else/", "x", "there/x"),
        ("rE ^ there/\nr ^ else/", "y", "else/y"),
        ("E ^\nr ^ else/", "there/x", "there/x"),
        ("j ^a end\nr ^ x\n:end\nr $ !", "a", "a!"),
        ("j ^a end\nr ^ x\n:end\nr $ !", "b", "xb!"),
        (r"j ^(.) \1\nr ^ x\n:a", "a", "a"),
        // `s` starts at the first rule...
        (":x\nrs ^b c\nrs ^a b", "a", "c"),
    ] {
        let rules = rules.replace("\\n", "\n");
        assert_eq!(
            run(&rules, name),
            Outcome::Name(expected.into()),
            "{rules:?} {name}"
        );
    }
    // ...and at the second one where the file tells nothing of a later version.
    assert_eq!(run("rs ^b c\nrs ^a b", "a"), Outcome::Name(b"b".to_vec()));
}

#[test]
fn refusals_have_the_text_of_their_rule() {
    for (rules, name, expected) in [
        ("a ^x", "x", "Access denied"),
        ("a ^x$ no\\ way", "x", "no way"),
        // 5.2 replaces what matched, later versions answer the text alone.
        (r"a b \0\0", "abc", "abbc"),
        (":later\na b \\0\\0", "abc", "bb"),
        ("a~ ^ok no", "x", "no"),
        ("rs ^ x\nrs ^ x", "x", "Remap table failure"),
        ("rg a aa", "a", "Remap table failure"),
        ("j ^ nowhere\n:here", "x", "Remap table failure"),
    ] {
        let Outcome::Refused(refusal) = run(rules, name) else {
            panic!("{rules:?} lets {name} pass");
        };
        let text = String::from_utf8(refusal.text).expect("text");
        assert_eq!(text, expected, "{rules:?} {name}");
    }
}

#[test]
fn names_and_work_stay_within_their_bounds() {
    let doubling = "r ^(.*)$ \\1\\1\n".repeat(64);
    assert!(matches!(run(&doubling, "ab"), Outcome::Refused(_)));
    // What the group caught last is looked for round by round.
    let nested = "r ^(aa|a)*$ x";
    let name = "a".repeat(MAP_NAME_MAX);
    assert!(matches!(run(nested, &name), Outcome::Refused(_)));
}

fn run(rules: &str, name: &str) -> Outcome {
    let asker = Asker {
        client: "192.0.2.169".parse().expect("an address"),
        writes: false,
    };
    let map = MapFile::parse(rules.as_bytes()).expect("rules");
    map.run(name.as_bytes(), asker, &mut There)
}

/// A host with one file.
struct There;

impl Host for There {
    fn has_file(&mut self, name: &[u8]) -> bool {
        name == b"there/x"
    }

    fn note(&mut self, _line: usize, _what: fmt::Arguments<'_>) {}
}
