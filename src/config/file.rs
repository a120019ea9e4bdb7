//! The shape of the configuration file: every key, with the type of its value.
//! It never judges whether values fit together.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::value::{self, Deny, Many, Parsed, WantedOption};
use crate::cli::{
    AdminAddr, GroupPrefix, IoBackend, Listen, LogFormat, LogLevel, PortRange, Sandbox, Size,
    UploadPolicy, ZeroCopy,
};
use crate::endpoint::Prefix;
use crate::names::{Mac, MacPrefix};

/// The one version that there is.
pub const VERSION: i64 = 1;

/// A whole file. What is left out keeps its default. The environment and the flags, which say the same
/// in other words, are files as well: see [`lay`](super::lay).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct File {
    pub version: Option<i64>,
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
    pub msftwindow: Option<bool>,
    /// Group addresses for streams that clients share.
    pub multicast: Many<GroupPrefix>,
    #[serde(deserialize_with = "value::bounded::<_, _, 1, 65535>")]
    pub multicast_port: Option<u16>,
    #[serde(deserialize_with = "value::bounded::<_, _, 1, 255>")]
    pub multicast_hops: Option<u8>,
    /// In seconds.
    #[serde(deserialize_with = "value::bounded::<_, _, 0, 3600>")]
    pub multicast_wait: Option<u64>,
    /// In MiB.
    #[serde(deserialize_with = "value::bounded::<_, _, 0, 1_073_741_823>")]
    pub frame_memory: Option<u64>,
    /// In seconds.
    #[serde(deserialize_with = "value::bounded::<_, _, 0, 86_400>")]
    pub drain_timeout: Option<u64>,
    pub log: Option<LogFormat>,
    pub log_level: Option<LogLevel>,
    pub admin: Option<Parsed<AdminAddr>>,
    /// Relative to the file's own directory.
    pub admin_token_file: Option<PathBuf>,
    /// Whom to become once everything is bound.
    pub user: Option<String>,
    pub sandbox: Option<Sandbox>,
    /// tftp-hpa's rules for names, relative to the file's own directory.
    pub map_file: Option<PathBuf>,
    pub access: AccessTable,
    pub limits: LimitsTable,
    pub clients: ClientsTable,
    pub upload: UploadTable,
    pub host: Vec<Spanned<HostTable>>,
    pub roots: BTreeMap<Spanned<String>, RootTable>,
    pub rule: Vec<Spanned<RuleTable>>,
    pub templates: BTreeMap<Spanned<String>, TemplateTable>,
}

/// `[upload]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct UploadTable {
    /// Relative to the file's own directory.
    pub dir: Option<Spanned<PathBuf>>,
    pub policy: Option<UploadPolicy>,
    pub allow: Many<glob::Pattern>,
    pub max_file: Option<Parsed<Size>>,
    pub max_client: Option<Parsed<Size>>,
    pub max_total: Option<Parsed<Size>>,
}

impl UploadTable {
    /// Whether something is said beside the directory.
    #[must_use]
    pub fn says_how(&self) -> bool {
        let dir = self.dir.clone();
        *self
            != Self {
                dir,
                ..Self::default()
            }
    }
}

/// `[access]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AccessTable {
    pub allow: Many<Prefix>,
    pub deny: Many<Prefix>,
}

/// `[limits]`. 0 is no limit; what is left out has a default that spares this host's own clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClientsTable {
    pub neighbours: Option<bool>,
    pub leases: Vec<LeasesTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeasesTable {
    pub file: PathBuf,
    pub format: LeasesFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeasesFormat {
    Dnsmasq,
    Isc,
    Kea,
}

/// `[[host]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HostTable {
    pub ip: Option<IpAddr>,
    pub mac: Option<Parsed<Mac>>,
    pub hostname: Option<String>,
}

/// `[roots.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RootTable {
    pub path: Option<Spanned<PathBuf>>,
    pub unique_root: Option<UniqueRoot>,
    #[serde(skip_serializing_if = "is_off")]
    pub ignore_case: bool,
    #[serde(skip_serializing_if = "is_off")]
    pub lowercase: bool,
    pub backslashes: Option<bool>,
    pub fallback: Option<Spanned<String>>,
    /// Clients may write here, too.
    #[serde(skip_serializing_if = "is_off")]
    pub uploads: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UniqueRoot {
    Ip,
    Mac,
}

/// `[templates.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TemplateTable {
    pub content: Option<Spanned<String>>,
    pub file: Option<Spanned<PathBuf>>,
}

/// `[[rule]]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RuleTable {
    pub name: Option<String>,
    // Conditions.
    pub r#match: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Many::is_empty")]
    pub from: Many<Prefix>,
    #[serde(skip_serializing_if = "Many::is_empty")]
    pub to: Many<Prefix>,
    #[serde(skip_serializing_if = "Many::is_empty")]
    pub mac: Many<MacPrefix>,
    pub operation: Option<OperationName>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, WantedOption>,
    // Actions.
    pub rewrite: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "is_off")]
    pub repeat: bool,
    pub root: Option<Spanned<String>>,
    pub deny: Option<Spanned<Deny>>,
    pub r#try: Option<Spanned<Vec<Spanned<String>>>>,
    pub template: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "is_off")]
    pub stop: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationName {
    Read,
    Write,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_off(switch: &bool) -> bool {
    !*switch
}

impl File {
    /// Paths in a file begin where the file is.
    pub(super) fn rebase(&mut self, above: &Path) {
        let rebase = |path: &mut PathBuf| {
            let whole = above.join(&*path);
            // Without a current directory they stay relative to it.
            *path = std::path::absolute(&whole).unwrap_or(whole);
        };
        let roots = self
            .roots
            .values_mut()
            .filter_map(|root| root.path.as_mut());
        let templates = self.templates.values_mut();
        let templates = templates.filter_map(|template| template.file.as_mut());
        let upload = self.upload.dir.iter_mut();
        let spanned = self.root.iter_mut().chain(roots).chain(templates);
        let spanned = spanned.chain(upload);
        spanned.for_each(|path| rebase(path.get_mut()));
        let leases = self
            .clients
            .leases
            .iter_mut()
            .map(|leases| &mut leases.file);
        let named = self.map_file.iter_mut().chain(&mut self.admin_token_file);
        named.chain(leases).for_each(rebase);
    }
}
