//! The commands that work on results: what they print, write and return.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn result(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/results")
        .join(name);
    path.to_str().unwrap().to_owned()
}

fn bootstorm(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bootstorm"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A result with one text in it replaced.
    fn changed(&self, name: &str, from: &str, to: &str) -> String {
        let original = fs::read_to_string(result("boot.json")).unwrap();
        assert!(original.contains(from), "{from}");
        fs::write(self.path(name), original.replacen(from, to, 1)).unwrap();
        self.at(name)
    }
}

#[test]
fn a_result_is_shown_again_as_text_and_as_a_page() {
    let shown = bootstorm(&["report", &result("boot.json")]);
    assert!(text(&shown.stdout).starts_with("200 machines: 198 up, last after"));
    let place = Place::new();
    let both = [format!("one={}", result("boot.json")), result("run.json")];
    let page = place.at("page.html");
    let made = bootstorm(&[
        "report",
        &both[0],
        &both[1],
        "-o",
        &page,
        "--title",
        "Two of them",
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let page = fs::read_to_string(page).unwrap();
    for say in ["<h1>Two of them</h1>", ">one</th>", ">run</th>", "<svg"] {
        assert!(page.contains(say), "{say}");
    }
}

#[test]
fn merging_two_files_adds_them_up() {
    let place = Place::new();
    let out = place.at("both.json");
    let merged = bootstorm(&[
        "merge",
        &result("boot.json"),
        &result("run.json"),
        "-o",
        &out,
    ]);
    // Two machines of the first gave up, but its objective is met.
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    let both: serde_json::Value = serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(both["plans"].as_array().unwrap().len(), 2);
    assert_eq!(both["packets"]["sent"], 260 * 40_000);
    assert_eq!(both["wall_seconds"], 73.0);
}

#[test]
fn other_schemas_and_other_files_are_refused() {
    let place = Place::new();
    let newer = place.changed("newer.json", "\"schema\": 1", "\"schema\": 2");
    let out = place.at("both.json");
    let refused = bootstorm(&["merge", &result("boot.json"), &newer, "-o", &out]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("schema 2 is not the 1"),
        "{}",
        text(&refused.stderr)
    );
    assert!(!Path::new(&out).exists());
    let typo = place.changed("typo.json", "\"wall_seconds\"", "\"wall_second\"");
    assert!(text(&bootstorm(&["report", &typo]).stderr).contains("wall_second"));
    fs::write(place.path("other.json"), "{}").unwrap();
    let other = bootstorm(&["report", &place.at("other.json")]);
    assert!(text(&other.stderr).contains("no result of bootstorm"));
}

#[test]
fn comparing_returns_one_when_something_got_worse() {
    let place = Place::new();
    let (same, slow) = (
        result("boot.json"),
        place.changed(
            "slow.json",
            "\"wall_seconds\": 71.0",
            "\"wall_seconds\": 80.0",
        ),
    );
    let status = |args: &[&str]| bootstorm(args).status.code();
    assert_eq!(
        status(&["compare", &same, &same, "--fail-above", "0%"]),
        Some(0)
    );
    assert_eq!(status(&["compare", &same, &slow]), Some(0));
    assert_eq!(
        status(&["compare", &same, &slow, "--fail-above", "5%"]),
        Some(1)
    );
    assert_eq!(
        status(&["compare", &same, &slow, "--fail-above", "20%"]),
        Some(0)
    );
    assert_eq!(
        status(&["compare", &slow, &same, "--fail-above", "5%"]),
        Some(0)
    );
    let shown = text(&bootstorm(&["compare", &same, &slow, "--fail-above", "5%"]).stdout);
    assert!(
        shown.contains("worse by more than 5 %: throughput"),
        "{shown}"
    );
    let both = format!("{same},{slow}");
    assert_eq!(
        status(&["compare", &both, &both, "--fail-above", "0%"]),
        Some(0)
    );
    assert_eq!(
        status(&["compare", &same, place.0.path().to_str().unwrap()]),
        Some(0)
    );
}

#[test]
fn scenarios_are_listed_shown_and_checked() {
    let list = text(&bootstorm(&["scenarios"]).stdout);
    assert!(list.lines().count() >= 7, "{list}");
    assert!(list.contains("raspberry-pi"));
    let shown = bootstorm(&["scenarios", "show", "ipxe"]).stdout;
    let place = Place::new();
    fs::write(
        place.path("mine.toml"),
        text(&shown).replace("acks", "akcs"),
    )
    .unwrap();
    let checked = bootstorm(&["scenarios", "check", &place.at("mine.toml")]);
    assert_eq!(checked.status.code(), Some(2));
    let said = text(&checked.stderr);
    assert!(
        said.contains("line ") && said.contains("did you mean \"acks\""),
        "{said}"
    );
}

#[test]
fn a_farm_is_written_once() {
    let place = Place::new();
    let farm = place.at("farm");
    let made = bootstorm(&["make-root", &farm, "--scale", "1%", "--seed", "3"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(place.path("farm/pxelinux.cfg/default").exists());
    let again = bootstorm(&["make-root", &farm]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--force"));
    assert_eq!(
        bootstorm(&["make-root", &farm, "--scale", "0%", "--force"])
            .status
            .code(),
        Some(2)
    );
}
