//! Alert rules and dashboard as Prometheus' own checker reads them.
//! It never runs Prometheus.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::support::Root;
use super::tools::{from_here, succeed, unpacked};

fn promtool() -> Option<PathBuf> {
    Some(unpacked(&["prometheus"])?.join("usr/bin/promtool"))
}

/// The dashboard's document.
pub fn dashboard() -> Value {
    let bytes = fs::read(from_here("deploy/grafana/ringboot.json")).expect("the dashboard");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Every expression of the dashboard with its panel's title, Grafana's variables filled in.
pub fn expressions() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().expect("a title");
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title, target["expr"].as_str().expect("an expression")))
    });
    targets
        .map(|(title, expression)| {
            let filled = expression
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".*")
                .replace("$job", ".*");
            (title.to_owned(), filled)
        })
        .collect()
}

#[test]
fn the_rules_are_valid_and_fire_when_they_should() {
    let Some(promtool) = promtool() else { return };
    let folder = from_here("deploy/prometheus");
    for args in [
        &["check", "rules", "ringboot.rules.yaml"][..],
        &["test", "rules", "ringboot.rules.test.yaml"],
        &["check", "config", "--syntax-only", "prometheus.yml"],
    ] {
        succeed(Command::new(&promtool).args(args).current_dir(&folder));
    }
}

#[test]
fn every_panel_asks_something_that_prometheus_understands() {
    let Some(promtool) = promtool() else { return };
    let expressions = expressions();
    assert!(expressions.len() > 20, "{}", expressions.len());
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, (_, expression)) in expressions.iter().enumerate() {
        let quoted = serde_json::to_string(expression).expect("JSON");
        let _ = write!(
            rules,
            "      - record: panel:{number}\n        expr: {quoted}\n"
        );
    }
    let root = Root::with("rules.yaml", rules.as_bytes());
    let mut check = Command::new(promtool);
    succeed(
        check
            .args(["check", "rules", "rules.yaml"])
            .current_dir(root.path()),
    );
}

#[test]
fn the_dashboard_asks_three_questions_and_explains_each_panel() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows
        .map(|row| row["title"].as_str().expect("text"))
        .collect();
    assert_eq!(
        rows,
        ["Are machines booting?", "Who is slow?", "Are we the cause?"]
    );
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let words = panel["description"].as_str().unwrap_or_default();
        assert!(words.len() > 10, "{}: {words}", panel["title"]);
    }
}
