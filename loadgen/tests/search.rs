//! `search` against a server of a few lines: what it tries, says and returns.

use std::net::SocketAddr;
use std::process::{Command, Output};

mod support;

use support::fake::{Fake, Fault};

/// One block for every name.
fn server() -> Fake {
    Fake::start(b"hello".to_vec(), Fault::None)
}

fn search(server: SocketAddr, more: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bootstorm"))
        .args([
            "search",
            &server.to_string(),
            "--file",
            "hello",
            "--threads",
            "1",
            "--quiet",
        ])
        .args(more)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    (output, said)
}

#[test]
fn a_server_that_never_fails_is_tried_up_to_the_bound() {
    let server = server();
    let (output, said) = search(
        server.addr,
        &[
            "--slo",
            "failed <= 0",
            "--from",
            "2",
            "--to",
            "9",
            "--confirm",
            "1",
        ],
    );
    let tried: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("passed"))
        .collect();
    assert_eq!(
        tried.len(),
        4,
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("has at least 9 machines, where the search ended"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_objective_that_nobody_meets_has_no_farm() {
    let server = server();
    let (output, said) = search(
        server.addr,
        &[
            "--slo",
            "max(transfer) < 1ns",
            "--from",
            "2",
            "--to",
            "9",
            "--confirm",
            "1",
        ],
    );
    assert!(said.contains("No farm passes"), "{said}");
    assert_eq!(said.matches("MISSED").count(), 2, "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn without_an_objective_or_with_a_wrong_one_nothing_is_run() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    for (more, say) in [
        (vec!["--from", "2"], "search needs --slo"),
        (
            vec!["--from", "2", "--slo", "p99(bot) < 1s"],
            "did you mean \"boot\"",
        ),
        (
            vec!["--from", "2", "--slo", "failed < 1%", "--scenario", "ipxe"],
            "cannot be used with",
        ),
    ] {
        let (output, _) = search(nobody, &more);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(say), "{said}");
        assert_eq!(output.status.code(), Some(2));
    }
}
