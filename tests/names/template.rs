//! The configuration that is shipped: it parses, says the defaults, and its examples work.

use std::fs;
use std::path::Path;

use ringboot::config::Config;

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/ringboot.toml");
    fs::read_to_string(path).expect("the shipped configuration")
}

/// What a configuration asks of the server, in one text.
fn asks(text: &str) -> String {
    let path = Path::new("/etc/ringboot.toml");
    let config = Config::parse(path, text.to_owned()).unwrap_or_else(|error| panic!("{error}"));
    let plan = config
        .plan(Some(Path::new("/srv/tftp")))
        .unwrap_or_else(|error| panic!("{error}"));
    let access = config.file.access(&[], &[], false);
    // A limit that is written down holds for this host's own clients as well.
    let access = format!("{access:?}").replace("spares_loopback: true", "spares_loopback: false");
    format!("{plan:?} {access} {:?}", config.file.server())
}

#[test]
fn as_it_is_shipped_it_asks_for_the_defaults() {
    assert_eq!(asks(&shipped()), asks("version = 1\n"));
}

#[test]
fn every_setting_in_it_is_shown_with_its_default() {
    let uncommented: Vec<String> = shipped().lines().map(uncomment).collect();
    assert_eq!(asks(&uncommented.join("\n")), asks("version = 1\n"));
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
    let path = Path::new("/etc/ringboot.toml");
    let config = Config::parse(path, text).unwrap_or_else(|error| panic!("{error}"));
    let plan = config.plan(None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (
            plan.rules.0.len(),
            plan.roots.len(),
            plan.table.len(),
            plan.leases.len()
        ),
        (5, 2, 1, 2)
    );
    assert!(ringboot::names::rules::never(&plan.rules.0).is_empty());
}
