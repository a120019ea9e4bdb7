//! The shape of the configuration file: every key, with the type of its value.
//! It never judges whether values fit together.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;
use super::value::{self, Deny, Many, Parsed, WantedOption};
use crate::cli::{AdminAddr, IoBackend, Listen, LogFormat, PortRange, ZeroCopy};
use crate::endpoint::Prefix;
use crate::names::{Mac, MacPrefix};

/// The one version that there is.
pub const VERSION: i64 = 1;

/// A whole file. What is left out keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct File {
    version: i64,
    /// The directory to serve; relative to the file's own.
    pub root: Option<Spanned<PathBuf>>,
    pub listen: Many<Listen>,
    #[serde(deserialize_with = "value::bounded::<_, _, 1, 1024>")]
    pub shards: Option<u16>,
    pub io: Option<IoBackend>,
    pub zero_copy: Option<ZeroCopy>,
    pub single_port: Option<bool>,
    pub data_ports: Option<Parsed<PortRange>>,
    #[serde(deserialize_with = "value::bounded::<_, _, 8, 65464>")]
    pub max_blksize: Option<u16>,
    #[serde(deserialize_with = "value::bounded::<_, _, 1, 65535>")]
    pub max_windowsize: Option<u16>,
    /// In MiB.
    #[serde(deserialize_with = "value::bounded::<_, _, 0, 1_073_741_823>")]
    pub frame_memory: Option<u64>,
    /// In seconds.
    #[serde(deserialize_with = "value::bounded::<_, _, 0, 86_400>")]
    pub drain_timeout: Option<u64>,
    pub log: Option<LogFormat>,
    pub admin: Option<Parsed<AdminAddr>>,
    /// Relative to the file's own directory.
    pub admin_token_file: Option<PathBuf>,
    /// tftp-hpa's rules for names, relative to the file's own directory.
    pub map_file: Option<PathBuf>,
    pub roots: BTreeMap<Spanned<String>, RootTable>,
    pub templates: BTreeMap<Spanned<String>, TemplateTable>,
    pub rule: Vec<Spanned<RuleTable>>,
    pub access: AccessTable,
    pub limits: LimitsTable,
    pub clients: ClientsTable,
    pub host: Vec<Spanned<HostTable>>,
}

/// `[access]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AccessTable {
    pub allow: Many<Prefix>,
    pub deny: Many<Prefix>,
}

/// `[limits]`. 0 is no limit; what is left out has a default that spares this host's own clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LimitsTable {
    pub requests_per_second: Option<u32>,
    pub requests_burst: Option<u32>,
    pub errors_per_second: Option<u32>,
    pub errors_burst: Option<u32>,
    pub transfers_per_client: Option<u32>,
    pub transfers: Option<u32>,
}

/// `[clients]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClientsTable {
    pub neighbours: bool,
    pub leases: Vec<LeasesTable>,
}

impl Default for ClientsTable {
    fn default() -> Self {
        Self {
            neighbours: true,
            leases: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeasesTable {
    pub file: PathBuf,
    pub format: LeasesFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeasesFormat {
    Dnsmasq,
    Isc,
    Kea,
}

/// `[[host]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HostTable {
    pub ip: Option<IpAddr>,
    pub mac: Option<Parsed<Mac>>,
    pub hostname: Option<String>,
}

/// `[roots.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RootTable {
    pub path: Option<Spanned<PathBuf>>,
    pub unique_root: Option<UniqueRoot>,
    pub ignore_case: bool,
    pub lowercase: bool,
    pub backslashes: Option<bool>,
    pub fallback: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UniqueRoot {
    Ip,
    Mac,
}

/// `[templates.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TemplateTable {
    pub content: Option<Spanned<String>>,
    pub file: Option<Spanned<PathBuf>>,
}

/// `[[rule]]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RuleTable {
    pub name: Option<String>,
    // Conditions.
    pub r#match: Option<Spanned<String>>,
    pub from: Many<Prefix>,
    pub to: Many<Prefix>,
    pub mac: Many<MacPrefix>,
    pub operation: Option<OperationName>,
    pub options: BTreeMap<String, WantedOption>,
    // Actions.
    pub rewrite: Option<Spanned<String>>,
    pub repeat: bool,
    pub root: Option<Spanned<String>>,
    pub deny: Option<Spanned<Deny>>,
    pub r#try: Option<Spanned<Vec<Spanned<String>>>>,
    pub template: Option<Spanned<String>>,
    pub stop: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationName {
    Read,
    Write,
}

pub(super) fn parse(text: &str) -> Result<File, Mistake> {
    #[derive(Deserialize)]
    struct Version {
        version: Option<Spanned<i64>>,
    }
    // First, so that a file for another version is not blamed for keys that this one lacks.
    let version: Version = toml::from_str(text).map_err(|error| Mistake::of(text, &error))?;
    match version.version {
        None => {
            let missing = format!("the file does not say `version = {VERSION}`");
            return Err(Mistake::at(text, 0, missing));
        }
        Some(version) if *version.get_ref() != VERSION => {
            let other = format!(
                "this program reads version {VERSION} of the configuration, not {}",
                version.get_ref()
            );
            return Err(Mistake::at(text, version.span().start, other));
        }
        Some(_) => {}
    }
    toml::from_str(text).map_err(|error| Mistake::of(text, &error))
}
