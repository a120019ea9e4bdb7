//! Rules that no request can ever reach, or that no name can fit.
//! It never guesses: what it reports is certain, and what it cannot decide it leaves out.

use super::{End, Rule, Wanted, When};
use crate::endpoint::Prefix;

/// The rules that can never apply, by their place, and why.
#[must_use]
pub fn never(rules: &[Rule]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        if let Some(why) = impossible(&rule.when) {
            found.push((place, why.to_owned()));
        } else if let Some(first) = shadow(rules, place) {
            let label = &first.label;
            found.push((
                place,
                format!("{label} ends every request that it would take"),
            ));
        }
    }
    found
}

fn impossible(when: &When) -> Option<&'static str> {
    let source = when.name.as_ref()?.as_str();
    let anchored = source.strip_prefix('^')?;
    let leads = ["/", "\\/", "\\\\", "[/"]
        .iter()
        .any(|start| anchored.starts_with(start));
    // An alternative may be another beginning.
    let alone = !source.contains('|') && !anchored.starts_with("/?") && !anchored.starts_with("/*");
    (leads && alone && !anchored.starts_with("\\/?"))
        .then_some("names are matched without a slash at their beginning")
}

/// An earlier rule that takes all that the rule at `place` would, and lets nothing pass.
fn shadow(rules: &[Rule], place: usize) -> Option<&Rule> {
    let rule = rules.get(place)?;
    (0..place).rev().find_map(|earlier| {
        let first = &rules[earlier];
        let ends = !matches!(first.act.end, End::GoOn);
        // A name that is rewritten in between comes to the later rule as another one.
        let changed = rules[earlier..place]
            .iter()
            .any(|rule| rule.act.rewrite.is_some());
        (ends && covers(&first.when, &rule.when, changed)).then_some(first)
    })
}

fn covers(first: &When, later: &When, changed: bool) -> bool {
    covers_name(first, later, changed)
        && covers_prefixes(&first.from, &later.from)
        && covers_prefixes(&first.to, &later.to)
        && (first.operation.is_none() || first.operation == later.operation)
        && covers_list(&first.mac, &later.mac, |wide, narrow| wide.covers(narrow))
        && first.options.iter().all(|test| {
            later.options.iter().any(|other| {
                let same = test.name.eq_ignore_ascii_case(&other.name);
                let implied = match (&test.wanted, &other.wanted) {
                    (Wanted::Present, Wanted::Value(_)) => true,
                    (wide, narrow) => wide == narrow,
                };
                same && implied
            })
        })
}

fn covers_name(first: &When, later: &When, changed: bool) -> bool {
    match (&first.name, &later.name) {
        (None, _) => true,
        (Some(first), _) if takes_all(first.as_str()) => true,
        (Some(first), Some(later)) => {
            let (first, later) = (first.as_str(), later.as_str());
            !changed && (first == later || begins(first, later))
        }
        (Some(_), None) => false,
    }
}

/// Whether every name that fits `later` has the plain text in it that is all that `first` asks for.
fn begins(first: &str, later: &str) -> bool {
    let (Some(first), Some(later)) = (Plain::of(first), Plain::of(later)) else {
        return false;
    };
    let contains = if first.anchored {
        later.anchored && later.text.starts_with(&first.text)
    } else {
        later.text.contains(&first.text)
    };
    first.whole && contains
}

/// The plain text with which an expression begins.
struct Plain {
    /// It is the beginning of the name, too.
    anchored: bool,
    text: String,
    /// Nothing else is asked for.
    whole: bool,
}

impl Plain {
    fn of(source: &str) -> Option<Self> {
        // One of several, or letters of any case.
        if source.contains('|') || source.contains("(?") {
            return None;
        }
        let (anchored, rest) = match source.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, source),
        };
        let mut text = String::new();
        let mut letters = rest.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                // What stands behind a quantifier may be missing.
                '*' | '?' | '{' | '+' => {
                    text.pop();
                }
                '\\' if letters.peek().is_some_and(char::is_ascii_punctuation) => {
                    text.extend(letters.next());
                    continue;
                }
                '\\' | '.' | '[' | '(' | ')' | '$' | '^' => {}
                plain => {
                    text.push(plain);
                    continue;
                }
            }
            let whole = false;
            return Some(Self {
                anchored,
                text,
                whole,
            });
        }
        Some(Self {
            anchored,
            text,
            whole: true,
        })
    }
}

fn takes_all(source: &str) -> bool {
    matches!(
        source,
        "" | "^" | "$" | ".*" | "^.*" | ".*$" | "^.*$" | "(.*)" | "^(.*)" | "(.*)$" | "^(.*)$"
    )
}

fn covers_prefixes(first: &[Prefix], later: &[Prefix]) -> bool {
    covers_list(first, later, Prefix::covers)
}

/// An empty list takes everything.
fn covers_list<T>(first: &[T], later: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    if first.is_empty() {
        return true;
    }
    let covered = |narrow: &T| first.iter().any(|wide| covers(wide, narrow));
    !later.is_empty() && later.iter().all(covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::rules::{Act, OptionTest};
    use crate::names::{Operation, Text};

    fn rule(pattern: &str, from: &[&str], end: End) -> Rule {
        let from = from
            .iter()
            .map(|text| text.parse().expect("a prefix"))
            .collect();
        Rule {
            label: format!("rule {pattern}").into(),
            when: When {
                name: (pattern != "-").then(|| pattern.parse().expect("an expression")),
                from,
                ..When::default()
            },
            act: Act {
                rewrite: None,
                repeat: false,
                root: None,
                end,
            },
        }
    }

    fn places(rules: &[Rule]) -> Vec<usize> {
        never(rules).into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn a_longer_beginning_is_taken_by_a_shorter_one() {
        for (first, later, never) in [
            ("^a", "^ab", true),
            ("^boot/", "^boot/(.*)[.]cfg$", true),
            ("^a[.]b", "^a[.]b", true),
            (r"^a\.b", r"^a\.bc", true),
            ("b", "^abc", true),
            ("b", "abc$", true),
            ("^a", "a", false),
            ("^ab", "^a", false),
            ("^ab", "^ab?", false),
            ("^ab", "^ab*c", false),
            ("^a$", "^ab", false),
            ("^a", "^ab|^c", false),
            ("^a", "(?i)^ab", false),
            ("(?i)^a", "^ab", false),
            ("^a.", r"^a\.b", false),
            (r"^a\d", "^a1", false),
        ] {
            let rules = [rule(first, &[], End::Stop), rule(later, &[], End::Stop)];
            assert_eq!(places(&rules) == [1], never, "{first} {later}");
        }
    }

    #[test]
    fn behind_a_rule_that_takes_everything_nothing_is_reached() {
        for all in ["-", ".*", "^(.*)$", ""] {
            let rules = [
                rule(all, &[], End::Stop),
                rule("^a", &[], End::Stop),
                rule("-", &["10.0.0.0/8"], End::Stop),
            ];
            assert_eq!(places(&rules), [1, 2], "{all}");
        }
        let passes = [rule("-", &[], End::GoOn), rule("^a", &[], End::Stop)];
        assert_eq!(places(&passes), [0_usize; 0]);
    }

    #[test]
    fn a_prefix_within_one_that_was_taken_is_not_reached() {
        let rules = [
            rule("-", &["10.0.0.0/8", "192.0.2.0/24"], End::Stop),
            rule("^a", &["10.1.0.0/16", "192.0.2.7"], End::Stop),
            rule("^a", &["10.1.0.0/16", "198.51.100.0/24"], End::Stop),
            rule("^a", &[], End::Stop),
        ];
        assert_eq!(places(&rules), [1]);
    }

    #[test]
    fn the_same_expression_twice_unless_names_change_in_between() {
        let mut rules = vec![rule("^a", &[], End::Stop), rule("^a", &[], End::Stop)];
        assert_eq!(places(&rules), [1]);
        let mut between = rule("^b", &[], End::GoOn);
        between.act.rewrite = Some(Text::literal("a"));
        rules.insert(1, between);
        assert_eq!(places(&rules), [0_usize; 0]);
    }

    #[test]
    fn operation_and_options_narrow_a_rule() {
        let mut reads = rule("-", &[], End::Stop);
        reads.when.operation = Some(Operation::Read);
        let mut windows = rule("-", &[], End::Stop);
        windows.when.options = vec![OptionTest {
            name: "windowsize".into(),
            wanted: Wanted::Present,
        }];
        let mut four = rule("^x", &[], End::Stop);
        four.when.options = vec![OptionTest {
            name: "WindowSize".into(),
            wanted: Wanted::Value("4".into()),
        }];
        assert_eq!(
            places(&[reads.clone(), rule("^x", &[], End::Stop)]),
            [0_usize; 0]
        );
        assert_eq!(places(&[rule("-", &[], End::Stop), reads]), [1]);
        assert_eq!(places(&[windows.clone(), four.clone()]), [1]);
        assert_eq!(places(&[four, windows]), [0_usize; 0]);
    }

    #[test]
    fn a_slash_at_the_beginning_is_never_there() {
        for (pattern, impossible) in [
            ("^/boot", true),
            (r"^\\boot", true),
            ("^/?boot", false),
            ("^boot|^/boot", false),
            ("/boot", false),
        ] {
            let found = places(&[rule(pattern, &[], End::Stop)]);
            assert_eq!(!found.is_empty(), impossible, "{pattern}");
        }
    }
}
