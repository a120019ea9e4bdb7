//! The page against made-up results.

use super::*;
use crate::result::sample::storm;

fn page_of(results: &[RunResult]) -> String {
    let names = ["ringboot", "other <b>", "third"];
    let named: Vec<Named> = results
        .iter()
        .zip(names)
        .map(|(result, name)| Named { name, result })
        .collect();
    page(None, &named)
}

/// Every element that is opened is closed, in order; the page must not lean on a browser's mercy.
fn assert_well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    let style = page.find("<style>").unwrap()..page.find("</style>").unwrap();
    let text = [&page[..style.start], &page[style.end + "</style>".len()..]].concat();
    for piece in text.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag is closed");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{piece}");
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            let name = tag.split_whitespace().next().unwrap();
            if name != "meta" {
                open.push(name.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_from_elsewhere() {
    for results in [
        vec![storm(500, 0.0)],
        vec![storm(500, 0.0), storm(300, 0.0)],
    ] {
        let page = page_of(&results);
        assert_well_formed(&page);
        for foreign in [
            "<script", "<link", "http://", "https://", "url(", "@import", "src=",
        ] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}

#[test]
fn the_answer_the_plots_and_their_tables_are_there() {
    let page = page_of(&[storm(500, 0.0)]);
    assert!(page.contains(
        "<h1>500 machines: 495 up, last after 68.8\u{a0}s; 5 gave up at kernel: timed out</h1>"
    ));
    for id in ["completion", "throughput", "active", "latency"] {
        assert!(page.contains(&format!("<title id=\"{id}-t\">")), "{id}");
        assert!(page.contains(&format!("<desc id=\"{id}-d\">")), "{id}");
    }
    assert_eq!(page.matches("<details>").count(), 4);
    assert!(
        page.contains("<td>never</td>"),
        "five machines never came up"
    );
}

#[test]
fn what_a_server_says_cannot_become_markup() {
    let mut result = storm(100, 0.0);
    result
        .errors
        .insert("0 <script>alert(1)</script>\u{1b}[2J".into(), 3);
    let page = page_of(&[result]);
    assert_well_formed(&page);
    assert!(page.contains("&lt;script&gt;"));
    assert!(!page.contains('\u{1b}'));
}

#[test]
fn several_results_stand_beside_each_other_with_the_best_marked() {
    let mut slow = storm(500, 0.0);
    slow.wall_seconds = 142.0;
    let page = page_of(&[storm(500, 0.0), slow]);
    assert!(page.contains("Side by side"));
    assert!(page.contains(
        "<td class=\"best\"><strong>423\u{a0}MB/s</strong> <span>best</span></td><td>211\u{a0}MB/s</td>"
    ));
    assert!(page.contains("other &lt;b&gt;"));
}

#[test]
fn who_served_nobody_is_best_at_nothing() {
    let mut dead = storm(500, 0.0);
    dead.packets.acks_repeated = 0;
    dead.boots.as_mut().unwrap().completed = 0;
    let page = page_of(&[storm(500, 0.0), dead]);
    let row = page
        .lines()
        .find(|line| line.contains("acknowledgements repeated"))
        .unwrap();
    assert!(row.contains("<td>0</td>"), "{row}");
    let row = page
        .lines()
        .find(|line| line.contains("\">failed<"))
        .unwrap();
    assert!(row.contains("<strong>1.00\u{a0}%</strong>"), "{row}");
}

#[test]
fn warnings_stand_above_the_figures() {
    let mut result = storm(500, 0.0);
    result.generator.saturated = Some("late by 20 ms".into());
    result.cut_short = true;
    let page = page_of(&[result]);
    let alarm = page
        .find("The generator, not the server, was the limit")
        .unwrap();
    assert!(alarm < page.find("class=\"cards\"").unwrap());
    assert!(page.contains("Late by 20\u{a0}ms."));
    assert!(page.contains("cut short"));
}

#[test]
fn an_empty_result_has_a_page_too() {
    let mut result = storm(1, 0.0);
    result.boots = None;
    result.intervals.clear();
    result.latency = Default::default();
    result.wall_seconds = 0.0;
    let page = page_of(&[result]);
    assert_well_formed(&page);
    assert!(!page.contains("NaN") && !page.contains("inf"));
}
