//! The configuration that is shipped: it parses, is every default, names every key, and its examples
//! work.

use std::fs;
use std::path::Path;

use ringboot::config::{Config, File};

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/ringboot.toml");
    fs::read_to_string(path).expect("the shipped configuration")
}

fn read(text: &str) -> Config {
    let path = Path::new("/etc/ringboot.toml");
    Config::parse(path, text.to_owned()).unwrap_or_else(|error| panic!("{error}"))
}

/// The settings with their defaults, and what they come to.
fn asks(text: &str) -> (File, String) {
    let config = read(text);
    let comes_to = format!("{:?} {:?}", config.file.access(), config.file.server());
    (config.file.filled(), comes_to)
}

#[test]
fn as_it_is_shipped_it_asks_for_the_defaults() {
    assert_eq!(asks(&shipped()), asks("version = 1\n"));
}

#[test]
fn every_setting_in_it_is_shown_with_its_default() {
    let uncommented: Vec<String> = shipped().lines().map(uncomment).collect();
    assert_eq!(asks(&uncommented.join("\n")), asks("version = 1\n"));
    // A line that was not the default would show, were it alone.
    let settings = uncommented
        .iter()
        .filter(|line| line.contains('=') && !line.starts_with('#'));
    assert!(settings.count() >= 18, "the template lost its settings");
}

/// A line with "#" and no space behind it is a setting.
fn uncomment(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest.into(),
        _ => line.into(),
    }
}

#[test]
fn every_key_stands_in_it() {
    let template = shipped();
    let lines: Vec<&str> = template
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ', '{']))
        .collect();
    let all = keys("");
    assert!(all.len() > 20, "the parser told its keys: {all:?}");
    for key in &all {
        let setting = lines
            .iter()
            .any(|line| line.starts_with(&format!("{key} =")));
        let tables = [format!("[{key}]"), format!("[[{key}]]"), format!("[{key}.")];
        let table = tables
            .iter()
            .any(|table| lines.iter().any(|line| line.starts_with(table)));
        assert!(setting || table, "{key} is missing in deploy/ringboot.toml");
        for table in [
            format!("[{key}]\n"),
            format!("[[{key}]]\n"),
            format!("[{key}.x]\n"),
        ] {
            for inner in keys(&table) {
                // In rules, words are told in a list of their own.
                let there = lines.iter().any(|line| {
                    line.starts_with(&format!("{inner} "))
                        || line.contains(&format!("{inner} = "))
                        || line.starts_with(&format!("{inner},"))
                        || line.contains(&format!(", {inner} "))
                });
                assert!(
                    there,
                    "{inner} of {table:?} is missing in deploy/ringboot.toml"
                );
            }
        }
    }
}

/// The keys that may stand in a table, as the parser tells them to whoever writes another one.
fn keys(table: &str) -> Vec<String> {
    let text = format!("version = 1\n{table}zzzzzz = 1\n");
    let error = Config::parse(Path::new("x"), text).expect_err("an unknown key");
    let told = error.to_string();
    let keys = told
        .lines()
        .find_map(|line| line.split_once("unknown key `zzzzzz`; there are: "));
    keys.map_or_else(Vec::new, |(_, keys)| {
        keys.split(", ").map(ToOwned::to_owned).collect()
    })
}

#[test]
fn its_examples_work_together() {
    let mut examples: Vec<String> = shipped()
        .lines()
        .filter_map(|line| line.strip_prefix("#     "))
        .map(Into::into)
        .collect();
    // Settings of the whole file stand before its first table.
    let first_table = examples
        .iter()
        .position(|line| line.starts_with('['))
        .expect("a table");
    examples.insert(first_table, String::new());
    let text = format!("version = 1\n{}\n", examples.join("\n"));
    let plan = read(&text).plan().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (
            plan.rules.0.len(),
            plan.roots.len(),
            plan.table.len(),
            plan.leases.len()
        ),
        (5, 3, 2, 2)
    );
    assert!(ringboot::names::rules::never(&plan.rules.0).is_empty());
}
