//! Spans and groups that are known from POSIX. `tests/hpa` compares random ones with glibc.

use super::*;

#[test]
fn the_leftmost_longest_match_wins() {
    for (source, name, expected) in [
        ("a|ab", "xab", Some((1, 3))),
        ("(a|ab)(c|bcd)", "abcd", Some((0, 4))),
        ("b*", "abb", Some((0, 0))),
        ("^b", "ab", None),
        ("b$", "abb", Some((2, 3))),
        ("^$", "", Some((0, 0))),
        ("[^a-c]+", "abcdef", Some((3, 6))),
        ("a{2,3}", "aaaa", Some((0, 3))),
        ("(ab){2}", "abab", Some((0, 4))),
        (r"\.pvt$", "a.pvt", Some((1, 5))),
        (r"\<b", "ab b", Some((3, 4))),
        ("[[:digit:]]+", "a12", Some((1, 3))),
        ("[]-]+", "a-]", Some((1, 3))),
        ("a)b", "a)b", Some((0, 3))),
        ("", "x", Some((0, 0))),
    ] {
        let caught = find(source, name);
        let span = caught.and_then(|caught| caught.group(0));
        let expected = expected.map(|(start, end)| start..end);
        assert_eq!(span, expected, "{source} in {name}");
    }
}

#[test]
fn groups_are_as_long_as_the_match_allows_from_the_left() {
    for (source, name, expected) in [
        ("^(x86|x86_64)(.*)", "x86_64/y", ["x86_64", "/y"]),
        ("(a|ab)(c|bcd)", "abcd", ["a", "bcd"]),
        ("(a*)(a*)", "aaa", ["aaa", ""]),
        ("(.*)/(.*)", "a/b/c", ["a/b", "c"]),
        ("((a)|b)*", "ab", ["b", "a"]),
    ] {
        let caught = find(source, name).expect("a match");
        let groups = [1, 2].map(|group| &name[caught.group(group).expect("caught")]);
        assert_eq!(groups, expected, "{source} in {name}");
    }
}

#[test]
fn faults_are_named() {
    for (source, expected) in [
        ("a(", "Unmatched ( or \\("),
        ("*a", "Invalid preceding regular expression"),
        ("^*", "Invalid preceding regular expression"),
        ("a{2", "Unmatched \\{"),
        ("a{3,2}", "Invalid content of \\{\\}"),
        ("a{99999}", "Regular expression too big"),
        ("[b-a]", "Invalid range end"),
        ("[a", "Unmatched [, [^, [:, [., or [="),
        ("[[:no:]]", "Invalid character class name"),
        ("a\\", "Trailing backslash"),
    ] {
        let error = Ere::new(source.as_bytes(), false).expect_err(source);
        assert_eq!(error.to_string(), expected, "{source}");
    }
    assert!(Ere::new(b"(a)\\1", false).is_err());
    let deep = format!("{}{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(Ere::new(deep.as_bytes(), false).is_err());
    assert!(Ere::new(&[&b"a"[..], &[b'*'; 5_000]].concat(), false).is_err());
}

fn find(source: &str, name: &str) -> Option<Caught> {
    let ere = Ere::new(source.as_bytes(), false).expect("an expression");
    ere.find(name.as_bytes(), 0, &mut Fuel::default())
        .expect("fuel")
}
