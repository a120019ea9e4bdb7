//! `ringboot import dnsmasq`: what it writes is read by our own reader, and lines are accounted for.
//! It never runs dnsmasq.

use std::fs;

use crate::support::Root;
use crate::support::programs::{run, succeed};
use crate::support::server::PROGRAM;

#[test]
fn a_translated_file_is_a_configuration() {
    let root = Root::with("a", b"a");
    let served = root.path().to_str().expect("text");
    let lines = format!(
        "enable-tftp\ntftp-root={served}\ntftp-unique-root=mac\ntftp-lowercase\ntftp-port-range=40000,40100\n\
         tftp-mtu=1500\ntftp-secure\ntftp-max=100\ntftp-no-blocksize\nlisten-address=127.0.0.1\ndhcp-range=x\n"
    );
    let file = root.write("dnsmasq.conf", lines.as_bytes());
    let out = root.path().join("ringboot.toml");
    let [file, out] = [&file, &out].map(|path| path.to_str().expect("text"));
    succeed(
        root.path(),
        &[PROGRAM, "import", "dnsmasq", file, "-o", out],
    );
    let toml = fs::read_to_string(out).expect("a file");
    for line in [
        "line 7: tftp-secure",
        "line 8: tftp-max",
        "line 9: tftp-no-blocksize",
        "line 11: dhcp-range=x",
    ] {
        assert!(toml.contains(line), "{line} in\n{toml}");
    }
    let explained = succeed(
        root.path(),
        &[
            PROGRAM,
            "explain",
            &format!("{served}/A"),
            "--from",
            "192.0.2.1",
            "--config",
            out,
        ],
    );
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(text.contains("there it is"), "{text}");
}

#[test]
fn a_file_that_is_missing_is_a_failure() {
    let root = Root::new();
    let output = run(
        root.path(),
        &[PROGRAM, "import", "dnsmasq", "/no/such/file"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file"));
}
