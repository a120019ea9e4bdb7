//! Results on disk and their schema. It never changes a result.

use std::fs;
use std::path::Path;

use super::{RunResult, SCHEMA};

/// Reads a result; one of another schema is refused with a word that says so.
pub fn read(path: &Path) -> Result<RunResult, String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| at(&error))?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| at(&error))?;
    match json.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => {
            return Err(at(&format!(
                "schema {schema} is not the {SCHEMA} that this program knows"
            )));
        }
        None => return Err(at(&"this is no result of bootstorm")),
    }
    serde_json::from_value(json).map_err(|error| at(&error))
}

/// Writes a result as JSON for people and programs.
pub fn write(path: &Path, result: &RunResult) -> Result<(), String> {
    let mut text = serde_json::to_string_pretty(result).map_err(|error| error.to_string())?;
    text.push('\n');
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The JSON schema of a result.
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(RunResult);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
