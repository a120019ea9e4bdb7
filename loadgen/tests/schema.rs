//! The schema of results: committed, printed and kept by what is written.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

mod support;

use support::fake::{Fake, Fault};

fn crate_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn committed() -> String {
    fs::read_to_string(crate_file("schema/result.schema.json")).unwrap()
}

#[test]
fn the_committed_schema_is_that_of_the_program() {
    let printed = Command::new(env!("CARGO_BIN_EXE_bootstorm"))
        .arg("schema")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(printed.stdout).unwrap() == committed(),
        "`bootstorm schema > loadgen/schema/result.schema.json` brings it up to date"
    );
}

#[test]
fn results_keep_to_the_schema() {
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    for name in ["tests/results/boot.json", "tests/results/run.json"] {
        let text = fs::read_to_string(crate_file(name)).unwrap();
        let result: Value = serde_json::from_str(&text).unwrap();
        let faults = check(&schema, &schema, &result, "");
        assert_eq!(faults, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_a_run_writes_keeps_to_the_schema_and_has_a_page() {
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let scenario = place.path().join("mine.toml");
    let text =
        "title = \"t\"\n[clients.c]\n[[steps]]\nlabel = \"l\"\nclient = \"c\"\nfile = \"f\"\n";
    fs::write(&scenario, text).unwrap();
    let fake = Fake::start(b"hello".to_vec(), Fault::None);
    let server = fake.addr.to_string();
    for load in [
        ["run", "--file=hello"],
        ["boot", &format!("--scenario={}", scenario.display())],
    ] {
        let json = place.path().join("result.json");
        let page = place.path().join("result.html");
        let done = Command::new(env!("CARGO_BIN_EXE_bootstorm"))
            .args([
                load[0],
                &server,
                load[1],
                "-m",
                "5",
                "--threads",
                "1",
                "--quiet",
            ])
            .args(["--slo", "failed <= 0", "--loss", "0.1%", "--server-pid"])
            .arg(std::process::id().to_string())
            .arg("--json")
            .arg(&json)
            .arg("--html")
            .arg(&page)
            .output()
            .unwrap();
        assert!(
            json.exists(),
            "{load:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        let result: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
        assert_eq!(
            check(&schema, &schema, &result, ""),
            Vec::<String>::new(),
            "{load:?}"
        );
        assert_eq!(result["transfers"]["begun"], 5, "{load:?}");
        let page = fs::read_to_string(page).unwrap();
        assert!(page.contains("<h1>5 "), "{load:?}");
    }
}

/// The check itself must notice what is wrong.
#[test]
fn results_that_do_not_keep_to_it_are_noticed() {
    let schema: Value = serde_json::from_str(&committed()).unwrap();
    let text = fs::read_to_string(crate_file("tests/results/boot.json")).unwrap();
    let good: Value = serde_json::from_str(&text).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        check(&schema, &schema, &bad, "")
    };
    assert_eq!(
        with("/packets/sent", Value::from(-1)),
        ["/packets/sent: below 0"]
    );
    assert_eq!(
        with("/packets/sent", Value::from("1")),
        ["/packets/sent: not of type integer"]
    );
    assert_eq!(
        with("/boots/curve/0", serde_json::json!([0.5, "1"])),
        ["/boots/curve/0/1: not of type integer"]
    );
    let mut bad = good.clone();
    bad["packets"]["more"] = Value::from(1);
    bad.as_object_mut().unwrap().remove("tool");
    let mut faults = check(&schema, &schema, &bad, "");
    faults.sort();
    assert_eq!(
        faults,
        ["/packets/more: not in the schema", "/tool: missing"]
    );
}

/// As much of JSON Schema as the schema uses.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).expect(name);
        return check(root, target, value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let mut best: Vec<Vec<String>> = choices
            .iter()
            .map(|choice| check(root, choice, value, at))
            .collect();
        best.sort_by_key(Vec::len);
        return best.swap_remove(0);
    }
    let mut faults = Vec::new();
    if !of_type(&schema["type"], value) {
        return vec![format!(
            "{at}: not of type {}",
            schema["type"].as_str().unwrap_or("any of several")
        )];
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        faults.push(format!("{at}: below {least}"));
    }
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            if !fields.contains_key(name) {
                faults.push(format!("{at}/{name}: missing"));
            }
        }
        for (name, field) in fields {
            let known = &schema["properties"][name];
            let more = &schema["additionalProperties"];
            let at = format!("{at}/{name}");
            if known.is_object() {
                faults.extend(check(root, known, field, &at));
            } else if more == &Value::Bool(false) {
                faults.push(format!("{at}: not in the schema"));
            } else if more.is_object() {
                faults.extend(check(root, more, field, &at));
            }
        }
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}/{place}");
        let fixed = &schema["prefixItems"][place];
        let schema = if fixed.is_object() {
            fixed
        } else {
            &schema["items"]
        };
        if schema.is_object() {
            faults.extend(check(root, schema, item, &at));
        }
    }
    faults
}

fn of_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::String(name) => match name.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            other => panic!("the schema has type {other}, which this check does not know"),
        },
        Value::Array(names) => names.iter().any(|name| of_type(name, value)),
        _ => true,
    }
}
