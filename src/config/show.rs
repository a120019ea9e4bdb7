//! The settings in force as a configuration file, each with the place that it comes from.
//! It never prints what must stay secret.

use core::fmt::Write;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Mistake, Settings};
use crate::cli::flags;

/// Tables whose keys have other layers, too; the others are the file's alone.
const LISTS: [&str; 4] = ["host", "roots", "rule", "templates"];

/// What it means that a setting is not there.
const UNSET: [(&str, &str); 7] = [
    ("root", "no directory is served"),
    ("shards", "one for each core"),
    ("data-ports", "any that the kernel chooses"),
    ("max-blksize", "what fits the interface's MTU"),
    ("admin", "there is no admin port"),
    ("admin-token-file", "none"),
    ("map-file", "none"),
];

/// Where the comments begin.
const COLUMN: usize = 44;

impl Settings {
    /// The text of a configuration file that says the same as all layers together.
    ///
    /// # Errors
    /// When something cannot be written in TOML: a path that is no UTF-8.
    pub fn show(&self) -> Result<String, String> {
        let table = |file| Table::try_from(file).map_err(|error| error.to_string());
        let mut environment = Vec::new();
        for (name, file) in &self.environment {
            environment.push((name.as_str(), table(file)?));
        }
        let file = DeTable::parse(&self.config.text).map_err(|error| error.to_string())?;
        let mut page = Page {
            settings: self,
            environment,
            flags: table(&self.flags)?,
            names: flags(),
            file: file.get_ref(),
            text: String::new(),
        };
        page.write(&table(&self.config.file.filled())?);
        Ok(page.text)
    }
}

struct Page<'a> {
    settings: &'a Settings,
    environment: Vec<(&'a str, Table)>,
    flags: Table,
    /// Of all flags.
    names: Vec<String>,
    file: &'a DeTable<'a>,
    text: String,
}

impl Page<'_> {
    fn write(&mut self, all: &Table) {
        let version = env!("CARGO_PKG_VERSION");
        self.line(
            &format!("# The settings in force, as ringboot {version} would serve by them."),
            "",
        );
        let (tables, plain): (Vec<_>, Vec<_>) = all
            .iter()
            .partition(|(key, value)| value.is_table() || LISTS.contains(&key.as_str()));
        for (key, value) in plain {
            self.setting(&[key], value);
        }
        for (key, meaning) in UNSET.iter().filter(|(key, _)| !all.contains_key(*key)) {
            self.line(&format!("# {key}: {meaning}"), "default");
        }
        for (key, value) in tables {
            match value {
                Value::Table(table) if LISTS.contains(&key.as_str()) => self.named(key, table),
                Value::Table(table) => self.table(key, table),
                Value::Array(list) => self.list(key, list),
                _ => {}
            }
        }
    }

    /// `[access]`
    fn table(&mut self, name: &str, table: &Table) {
        self.line("", "");
        self.line(&format!("[{name}]"), "");
        for (key, value) in table {
            self.setting(&[name, key], value);
        }
    }

    /// `[roots.NAME]`
    fn named(&mut self, kind: &str, tables: &Table) {
        for (name, table) in tables {
            let origin = self.place(&[kind, name]);
            self.line("", "");
            self.line(&format!("[{kind}.{}]", quoted(name)), &origin);
            if let Value::Table(table) = table {
                self.entries(table);
            }
        }
    }

    /// `[[rule]]`
    fn list(&mut self, kind: &str, tables: &[Value]) {
        for (number, table) in tables.iter().enumerate() {
            let origin = self.place(&[kind, &number.to_string()]);
            self.line("", "");
            self.line(&format!("[[{kind}]]"), &origin);
            if let Value::Table(table) = table {
                self.entries(table);
            }
        }
    }

    fn entries(&mut self, table: &Table) {
        for (key, value) in table {
            self.line(&format!("{} = {value}", quoted(key)), "");
        }
    }

    fn setting(&mut self, path: &[&str], value: &Value) {
        let key = path.last().copied().unwrap_or_default();
        let origin = self.origin(path);
        if is_secret(key) {
            self.line(&format!("# {key} is set, and not shown"), &origin);
        } else {
            self.line(&format!("{key} = {value}"), &origin);
        }
    }

    fn line(&mut self, text: &str, origin: &str) {
        let result = if origin.is_empty() {
            writeln!(self.text, "{text}")
        } else {
            writeln!(self.text, "{text:COLUMN$} # {origin}")
        };
        // A text takes everything.
        debug_assert!(result.is_ok());
    }

    /// The uppermost layer that says something about it.
    fn origin(&self, path: &[&str]) -> String {
        if says(&self.flags, path) {
            return format!("flag --{}", self.flag(path));
        }
        let variable = self.environment.iter().find(|(_, table)| says(table, path));
        if let Some((name, _)) = variable {
            return format!("environment {name}");
        }
        match self.place(path) {
            place if place.is_empty() => "default".into(),
            place => place,
        }
    }

    /// `[upload] policy` is `--upload-policy`, `[access] allow` is `--allow`, `[upload] dir` is
    /// `--upload`.
    fn flag(&self, path: &[&str]) -> String {
        let whole = path.join("-");
        let names = [
            Some(whole.as_str()),
            path.last().copied(),
            path.first().copied(),
        ];
        let known = |name: &&str| self.names.iter().any(|flag| flag == name);
        let found = names.into_iter().flatten().find(known);
        found.unwrap_or(&whole).to_owned()
    }

    /// `FILE:LINE`, or nothing where the file says nothing.
    fn place(&self, path: &[&str]) -> String {
        let Some(byte) = find(self.file, path) else {
            return String::new();
        };
        let config = &self.settings.config;
        let Mistake { line, .. } = config.mistake(byte, "");
        format!("{}:{line}", config.path.display())
    }
}

/// Whether a layer says something about a setting.
fn says(layer: &Table, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    match layer.get(*first) {
        Some(Value::Table(table)) if !rest.is_empty() => says(table, rest),
        Some(Value::Array(list)) => !list.is_empty(),
        other => other.is_some(),
    }
}

/// Where a setting's key stands in the file.
fn find(table: &DeTable<'_>, path: &[&str]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    match (value.get_ref(), rest) {
        (DeValue::Table(table), [_, ..]) => find(table, rest),
        (DeValue::Array(list), [number]) => {
            let element = list.get(number.parse::<usize>().ok()?)?;
            Some(element.span().start)
        }
        _ => Some(key.span().start),
    }
}

fn is_secret(key: &str) -> bool {
    // The name of a file that has the secret is none.
    let words = ["token", "password", "secret"];
    words.iter().any(|word| key.contains(word)) && !key.ends_with("-file")
}

fn quoted(key: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        assert!(is_secret("admin-token") && is_secret("password"));
        assert!(!is_secret("admin-token-file") && !is_secret("shards"));
    }
}
