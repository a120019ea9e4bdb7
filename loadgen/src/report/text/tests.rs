//! The report against made-up results.

use super::*;
use crate::result::sample::storm;

#[test]
fn the_answer_comes_first() {
    let text = report(&storm(500, 0.0));
    assert_eq!(
        text.lines().next(),
        Some("500 machines: 495 up, last after 68.8 s; 5 gave up at kernel: timed out")
    );
    for say in [
        "5 transfers timed out: the server fell silent",
        "p99(boot) < 90s",
        "loss 1% in, 1% out; --seed 7 repeats it",
        "× blksize=1408 tsize",
        "busiest thread 31 %",
        "pid 4242",
    ] {
        assert!(text.contains(say), "{say}\n{text}");
    }
}

#[test]
fn a_saturated_generator_is_said_before_the_answer() {
    let mut result = storm(100, 0.0);
    result.generator.saturated = Some("thread 0 was busy all the time".into());
    let text = report(&result);
    assert!(
        text.starts_with("!! THE GENERATOR, NOT THE SERVER, WAS THE LIMIT\n!! thread 0"),
        "{text}"
    );
}

#[test]
fn runs_of_files_and_perfect_boots_have_headlines_too() {
    let mut result = storm(50, 0.0);
    assert_eq!(headline(&result), "50 machines: all up, last after 68.0 s");
    result.boots = None;
    assert_eq!(
        headline(&result),
        "600 transfers: none failed; 42.3 MB/s over 71.0 s"
    );
    result.transfers.corrupt = 3;
    assert_eq!(
        headline(&result),
        "600 transfers: 3 failed (0.500 %); 42.3 MB/s over 71.0 s"
    );
    assert!(report(&result).contains("3 transfers brought wrong bytes"));
}

#[test]
fn machines_that_were_cut_off_are_not_passed_over() {
    let mut result = storm(50, 0.0);
    result.cut_short = true;
    if let Some(boots) = &mut result.boots {
        boots.completed = 30;
        boots.curve.truncate(30);
    }
    let line = headline(&result);
    assert!(
        line.starts_with("50 machines: 30 up, last after "),
        "{line}"
    );
    assert!(line.ends_with("; 20 still on their way"), "{line}");
}

#[test]
fn several_reasons_are_counted_in_the_headline_and_listed_below() {
    let mut result = storm(500, 0.0);
    if let Some(boots) = &mut result.boots {
        boots.gave_up.insert("initrd: refused".into(), 2);
    }
    let text = report(&result);
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with("5 gave up at kernel: timed out, 2 elsewhere"),
        "{text}"
    );
    assert!(
        text.contains("  2 machines gave up at initrd: refused"),
        "{text}"
    );
}

#[test]
fn a_terminal_does_not_obey_what_a_server_sent() {
    let mut result = storm(10, 0.0);
    let sent = "0 \u{1b}[2J\r\n500 machines: all up";
    result.errors.insert(sent.into(), 1);
    let text = report(&result);
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
    assert!(text.contains("[2J"), "{text}");
    assert!(
        text.lines().all(|line| !line.starts_with("500 machines")),
        "{text}"
    );
}

#[test]
fn an_open_load_says_when_it_had_too_few_machines() {
    let mut result = storm(10, 0.0);
    assert!(!report(&result).contains("every machine busy"));
    result.generator.without_machine = 7;
    let text = report(&result);
    let told = "; 7 starts found every machine busy and waited for one";
    assert!(text.contains(told), "{text}");
}
