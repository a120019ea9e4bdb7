//! `ringboot explain` and `ringboot check`: what they print, and their exit status.

use crate::site::Site;
use crate::support::server::run_to_end;

/// Exit status, and what was printed on either stream.
fn run(args: &[&str]) -> (Option<i32>, String) {
    let output = run_to_end(args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

fn check(config: &str) -> (Option<i32>, String) {
    let site = Site::new(config);
    run(&[
        "check",
        "--config",
        &site.config(),
        "--root",
        site.root().to_str().expect("text"),
        "--listen",
        "127.0.0.1:0",
    ])
}

#[track_caller]
fn says(output: &str, wanted: &str) {
    assert!(
        output.contains(wanted),
        "{wanted:?} is missing in:\n{output}"
    );
}

#[test]
fn explain_tells_the_rules_the_path_and_the_answer() {
    let site = Site::new(
        r#"
root = "root"
[roots.other]
path = "other"
[templates.t]
content = "for {{mac}}"
[[rule]]
name = "far"
from = "10.0.0.0/8"
deny = true
[[rule]]
match = '^cfg$'
rewrite = 'real.cfg'
[[rule]]
mac = "52:54:00"
match = '^made$'
template = "t"
[[rule]]
match = '^gone$'
deny = { code = 1, text = "Long gone" }
[[rule]]
match = '^o/'
root = "other"
"#,
    )
    .files(&["root/real.cfg", "other/o/x"]);
    let config = site.config();
    let explain = |name: &str, more: &[&str]| {
        let mut args = vec!["explain", name, "--config", &config];
        args.extend(more);
        run(&args)
    };
    let (status, said) = explain("/cfg", &["--from", "192.0.2.7"]);
    assert_eq!(status, Some(0), "{said}");
    says(&said, "request: read \"/cfg\" from 192.0.2.7");
    says(
        &said,
        "rule 1 \"far\" (line 8): no, the client's address is another",
    );
    says(&said, "rule 2 (line 12): yes, the name is now \"real.cfg\"");
    says(&said, "there it is");
    says(
        &said,
        &format!(
            "answer: {}/real.cfg, 13 bytes",
            site.root().canonicalize().unwrap().display()
        ),
    );

    let (status, said) = explain("cfg", &["--from", "10.1.1.1"]);
    assert_eq!(status, Some(1), "{said}");
    says(
        &said,
        "answer: ERROR 2 \"Access violation\" (rule 1 \"far\" (line 8) refuses it)",
    );

    let (status, said) = explain(
        "made",
        &["--from", "192.0.2.7", "--mac", "52:54:00:12:34:56"],
    );
    assert_eq!(status, Some(0), "{said}");
    says(&said, "for 52:54:00:12:34:56");
    let (status, said) = explain("made", &["--from", "192.0.2.7"]);
    assert_eq!(status, Some(1), "{said}");
    says(&said, "the client's hardware address is not known");

    let (status, said) = explain("gone", &["--from", "2001:db8::7"]);
    assert_eq!(
        (status, said.contains("answer: ERROR 1 \"Long gone\"")),
        (Some(1), true),
        "{said}"
    );
    let (status, said) = explain("o/x", &["--from", "192.0.2.7"]);
    assert_eq!(
        (status, said.contains("other/o/x, 9 bytes")),
        (Some(0), true),
        "{said}"
    );
    let (status, said) = explain("../x", &["--from", "192.0.2.7"]);
    assert_eq!(
        (status, said.contains("ERROR 2")),
        (Some(1), true),
        "{said}"
    );
    assert_eq!(explain("x", &[]).0, Some(2), "--from is missing");
    assert_eq!(
        run(&["explain", "x", "--from", "192.0.2.7"]).0,
        Some(2),
        "no directory"
    );
    let root = site.root();
    let plain = run(&[
        "explain",
        "real.cfg",
        "--from",
        "192.0.2.7",
        "--root",
        root.to_str().unwrap(),
    ]);
    assert_eq!(plain.0, Some(0), "{}", plain.1);
}

/// Whoever gets nothing is not told of files; and what the server would call itself is known.
#[test]
fn explain_knows_who_is_turned_away_and_which_address_is_asked() {
    let site = Site::new(
        r#"
root = "root"
[access]
allow = ["127.0.0.0/8", "192.0.2.0/24"]
deny = "192.0.2.128/25"
[templates.t]
content = "from {{server}}"
[[rule]]
match = '^made$'
template = "t"
"#,
    )
    .files(&["root/a"]);
    let config = site.config();
    let explain =
        |name: &str, from: &str| run(&["explain", name, "--config", &config, "--from", from]);
    for (from, why) in [
        ("192.0.2.200", "`deny` 192.0.2.128/25 is about this client"),
        ("198.51.100.1", "nothing in `allow` is about this client"),
    ] {
        let (status, said) = explain("a", from);
        assert_eq!(status, Some(1), "{said}");
        says(
            &said,
            &format!("answer: ERROR 2 \"Access violation\" ({why})"),
        );
    }
    let (status, said) = explain("made", "127.0.0.9");
    assert_eq!(status, Some(0), "{said}");
    says(&said, "asked at 127.0.0.1");
    says(&said, "from 127.0.0.1");
}

#[test]
fn check_names_the_line_the_column_and_the_nearest_key() {
    for (config, wanted) in [
        (
            "lissten = ':69'",
            "ringboot.toml:2:1: unknown key `lissten`; did you mean `listen`?",
        ),
        (
            "[[rule]]\nmatch = 'a('\nstop = true",
            "ringboot.toml:3:9: no regular expression: unclosed group",
        ),
        (
            "[[rule]]\nmach = 'a'",
            "ringboot.toml:3:1: unknown key `mach`; did you mean `match`?",
        ),
        (
            "[roots.a]\npath = '.'\nunique-root = 'ipp'",
            "ringboot.toml:4:15: unknown value `ipp`; did you mean `ip`?",
        ),
        (
            "[[rule]]\nfrom = ['10.0.0.0/8', '10.0.0.1/8']\nstop = true",
            "ringboot.toml:3:23: bits are set behind the prefix",
        ),
        (
            "[[rule]]\nroot = 'windos'\n[roots.windows]\npath = '.'",
            "ringboot.toml:3:8: there is no root `windos`; did you mean `windows`?",
        ),
        (
            "[[rule]]\nrewrite = '{{1}}'",
            "ringboot.toml:3:11: {{1}} inserts a group of `match`, which is not there",
        ),
        (
            "[[rule]]\nmatch = 'a'",
            "ringboot.toml:2:1: this rule does nothing",
        ),
        (
            "[[rule]]\ndeny = true\nstop = true",
            "ringboot.toml:2:1: `deny`, `stop` and",
        ),
        (
            "[roots.a]\npath = '.'\nfallback = 'b'\n[roots.b]\npath = '.'\nfallback = 'a'",
            "falls back on itself",
        ),
        (
            "[templates.t]\ncontent = 'x'\n[[rule]]\ntemplate = 'u'",
            "ringboot.toml:5:12: there is no template `u`",
        ),
        (
            "max-blksize = 4",
            "ringboot.toml:2:15: 4 is not within 8 to 65464",
        ),
        (
            "listen = 'nowhere'",
            "ringboot.toml:2:10: \"nowhere\" is no address",
        ),
        ("x = ", "ringboot.toml:2:"),
    ] {
        let (status, said) = check(config);
        assert_eq!(status, Some(1), "{config}: {said}");
        says(&said, wanted);
    }
    let (status, said) = {
        let site = Site::new("");
        std::fs::write(site.config(), "version = 2\nnew-key = 1\n").expect("written");
        run(&["check", "--config", &site.config()])
    };
    assert_eq!(status, Some(1), "{said}");
    says(&said, "ringboot.toml:1:11: this program reads version 1");
}

#[test]
fn check_finds_rules_that_never_match_and_roots_that_cannot_be_read() {
    let (status, said) =
        check("[[rule]]\nmatch = '.*'\nstop = true\n[[rule]]\nmatch = '^a'\ndeny = true");
    assert_eq!(status, Some(1), "{said}");
    says(
        &said,
        "ringboot.toml:5:1: rule 2 (line 5) can never match: rule 1 (line 2) ends every request",
    );

    let (status, said) = check("[[rule]]\nmatch = '^/boot'\nstop = true");
    assert_eq!(status, Some(1), "{said}");
    says(
        &said,
        "names are matched without a slash at their beginning",
    );

    let (status, said) =
        check("[clients]\nneighbours = false\n[[rule]]\nmac = '52:54:00'\nstop = true");
    assert_eq!(status, Some(1), "{said}");
    says(&said, "nothing tells them");

    let (status, said) = check("[roots.gone]\npath = '/nowhere/at/all'");
    assert_eq!(status, Some(1), "{said}");
    says(&said, "/nowhere/at/all does not exist");
    says(&said, "warning: nothing leads to the root \"gone\"");

    let (status, said) = check("single-port = true");
    assert_eq!(status, Some(0), "{said}");
    says(&said, "warning: single-port mode");

    let (status, said) = check("");
    assert_eq!(status, Some(0), "{said}");
    says(&said, "0 problems");
}

#[test]
fn check_sees_a_port_that_is_taken() {
    let site = Site::new("");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("bound").to_string();
    let (status, said) = run(&[
        "check",
        site.root().to_str().expect("text"),
        "--listen",
        &addr,
    ]);
    assert_eq!(status, Some(0), "{said}");
    says(&said, &format!("warning: {addr} is in use"));
    assert_eq!(run(&["check"]).0, Some(2), "no directory");
}

/// `serve` says the same as `check`, and does not start.
#[test]
fn serve_refuses_a_configuration_with_mistakes() {
    let site = Site::new("lissten = ':69'\n");
    let (status, said) = run(&[
        "serve",
        "--config",
        &site.config(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(status, Some(2), "{said}");
    says(
        &said,
        "ringboot.toml:2:1: unknown key `lissten`; did you mean `listen`?",
    );
    let (status, said) = run(&["serve", "--config", "/nowhere.toml"]);
    assert_eq!(status, Some(2), "{said}");
    says(&said, "cannot read the configuration /nowhere.toml");
}
