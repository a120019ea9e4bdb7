//! The reader against good and bad files.

use std::time::Duration;

use super::*;
use crate::scenario::{Acks, Stop};

const GOOD: &str = r#"
title = "A test"

[clients.rom]
options = ["tsize 0", "blksize 1456"]
acks = "every"
request = { first = "250ms", grow = "200%", most = "10s", tries = 5 }
trailing-junk = "ff 0a"

[clients.probe]
inherits = "rom"
stop = { after-oack = { code = 8, text = "User aborted the transfer" } }
request = { first = "4s", tries = 5 }

[[steps]]
label = "size"
client = "probe"
file = "a.efi"
pause = "1.5s"

[[steps]]
label = "configuration"
client = "rom"
files = ["01-{mac}", "default"]
expect = "chain"
"#;

#[test]
fn habits_are_inherited_and_lists_of_files_become_steps() {
    let scenario = read("test", GOOD).unwrap();
    let [size, first, second] = &scenario.steps[..] else {
        panic!("{scenario:?}");
    };
    assert_eq!(size.habits.options[1].value, "1456");
    assert_eq!(size.habits.acks, Acks::Every);
    assert_eq!(size.habits.trailing_junk, [0xff, 0x0a]);
    assert_eq!(
        size.habits.stop,
        Stop::AfterOack {
            code: 8,
            text: "User aborted the transfer".into()
        }
    );
    assert_eq!(
        size.habits.request,
        Patience::fixed(Duration::from_secs(4), 5)
    );
    assert_eq!(size.pause, Duration::from_millis(1500));
    assert_eq!(first.habits.stop, Stop::End);
    assert_eq!(first.habits.request.grow_percent, 200);
    assert_eq!((&first.file[..], &second.file[..]), ("01-{mac}", "default"));
    assert_eq!(second.expect, Expect::Chain);
}

/// Each fault, the line that it stands in, and what the message must say.
#[test]
fn faults_are_told_with_their_line_and_the_nearest_word() {
    for (from, to, line, say) in [
        (
            "acks = \"every\"",
            "ack = \"every\"",
            6,
            "did you mean \"acks\"",
        ),
        (
            "acks = \"every\"",
            "acks = \"evry\"",
            6,
            "did you mean \"every\"",
        ),
        (
            "client = \"probe\"",
            "client = \"prob\"",
            17,
            "did you mean \"probe\"",
        ),
        (
            "inherits = \"rom\"",
            "inherits = \"probe\"",
            11,
            "inherits from itself",
        ),
        (
            "inherits = \"rom\"",
            "inherits = \"ram\"",
            11,
            "did you mean \"rom\"",
        ),
        ("{mac}", "{mc}", 24, "did you mean \"mac\""),
        ("blksize 1456", "blksize", 5, "a name, a space and a value"),
        ("\"1.5s\"", "\"1.5\"", 19, "no time"),
        ("\"200%\"", "\"2\"", 7, "no growth"),
        ("ff 0a", "ff xy", 8, "no byte"),
        ("file = \"a.efi\"", "", 17, "either `file` or `files`"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let message = read("test", &text).unwrap_err();
        assert!(message.contains(say), "{from}: {message}");
        assert!(
            message.contains(&format!("line {line}:")),
            "{from}: {message}"
        );
    }
}

#[test]
fn durations_have_a_unit() {
    assert_eq!(parse_duration("110ms"), Some(Duration::from_millis(110)));
    assert_eq!(parse_duration("2min"), Some(Duration::from_secs(120)));
    for bad in ["", "5", "s", "-1s", "1h", "1 2s"] {
        assert_eq!(parse_duration(bad), None, "{bad}");
    }
}
