//! Man pages and completions as packages ship them: what `--help` says is in them.
//! It never knows a flag itself.

#[macro_use]
mod support;

use std::collections::BTreeSet;
use std::fs;

use support::programs::succeed;
use support::server::run_to_end;
use tempfile::TempDir;

/// Commands that have a page of their own, with the page's name.
const PAGES: [(&str, &str); 8] = [
    ("serve", "ringboot-serve.1"),
    ("get", "ringboot-get.1"),
    ("put", "ringboot-put.1"),
    ("probe", "ringboot-probe.1"),
    ("check", "ringboot-check.1"),
    ("explain", "ringboot-explain.1"),
    ("in.tftpd", "ringboot-in.tftpd.1"),
    ("import dnsmasq", "ringboot-import-dnsmasq.1"),
];

fn said(args: &[&str]) -> String {
    let output = run_to_end(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("a text")
}

/// The long flags that a command's help speaks of.
fn flags(command: &str) -> BTreeSet<String> {
    let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    let help = said(&args);
    let line = |line: &str| {
        // Further in, it is text.
        let text = line.trim_start();
        let rest = text
            .strip_prefix('-')
            .filter(|_| line.len() - text.len() <= 6)?;
        let flag = &rest[rest.find("--").map_or(0, |at| at + 1)..];
        let end = flag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let flag = flag[..end.unwrap_or(flag.len())].trim_start_matches('-');
        (flag.len() > 1).then(|| format!("--{flag}"))
    };
    let found: BTreeSet<String> = help.lines().filter_map(line).collect();
    assert!(!found.is_empty(), "{command}: {help}");
    found
}

#[test]
fn every_command_has_a_page_with_every_flag() {
    let dir = TempDir::new().expect("a directory");
    let pages = dir.path().join("man");
    said(&["generate", "man", pages.to_str().expect("a text")]);
    for (command, page) in PAGES {
        let text =
            fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        let text = text.replace("\\-", "-");
        assert!(
            text.starts_with(".ie") && text.contains(".SH NAME"),
            "{page}: {text}"
        );
        for flag in flags(command) {
            assert!(text.contains(&flag), "{page} lacks {flag}");
        }
    }
    let first = fs::read_to_string(pages.join("ringboot.1")).expect("a page");
    assert!(first.contains("ringboot\\-serve(1)"), "{first}");
    let hidden = fs::read_dir(&pages).expect("pages").flatten();
    assert!(
        hidden
            .into_iter()
            .all(|page| !page.file_name().to_string_lossy().contains("generate"))
    );
}

#[test]
fn every_shell_completes_every_flag_of_serve() {
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&["generate", "completions", shell]);
        for flag in flags("serve") {
            // fish names them without dashes.
            let flag = if shell == "fish" { &flag[2..] } else { &flag };
            assert!(script.contains(flag), "{shell} lacks {flag}");
        }
    }
    let script = said(&["generate", "completions", "bash"]);
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join("script"), script).expect("written");
    succeed(dir.path(), &["bash", "-n", "script"]);
    // What a shell really offers.
    let ask = "source ./script; COMP_WORDS=(ringboot serve --take); COMP_CWORD=2; \
               _ringboot ringboot --take serve; echo \"${COMPREPLY[@]}\"";
    let offered = succeed(dir.path(), &["bash", "-c", ask]);
    let offered = String::from_utf8(offered.stdout).expect("a text");
    assert_eq!(offered.trim(), "--takeover");
}
