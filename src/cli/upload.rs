//! The options of `serve` about write requests.
//! It never looks at the directory: whether that can be used is found out at the start.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::values::Size;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Uploads")]
pub struct UploadArgs {
    /// Take uploads (write requests) into this directory. Without it they are refused
    #[arg(id = "upload", long = "upload", value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// create: only new files; overwrite: old ones are replaced, too; existing: only those that
    /// exist are replaced [default: create]
    #[arg(
        id = "upload-policy",
        long = "upload-policy",
        value_enum,
        value_name = "create|overwrite|existing",
        hide_possible_values = true
    )]
    pub policy: Option<UploadPolicy>,

    /// Names that may be uploaded, relative to the directory; may be repeated. `*` stays within a
    /// directory, `**` does not. Default: every name
    #[arg(id = "upload-allow", long = "upload-allow", value_name = "GLOB")]
    pub allow: Vec<Pattern>,

    /// Largest file: 1500, 64K, 10M, 2G
    #[arg(id = "upload-max-file", long = "upload-max-file", value_name = "SIZE")]
    pub max_file: Option<Size>,

    /// Bytes that one client address may have in the directory, counted since the start
    #[arg(
        id = "upload-max-client",
        long = "upload-max-client",
        value_name = "SIZE"
    )]
    pub max_client: Option<Size>,

    /// Bytes that the directory may hold, files put there by others included
    #[arg(
        id = "upload-max-total",
        long = "upload-max-total",
        value_name = "SIZE"
    )]
    pub max_total: Option<Size>,
}

impl UploadArgs {
    /// Whether one of them says how uploads are to be taken.
    #[must_use]
    pub const fn says_how(&self) -> bool {
        self.policy.is_some()
            || !self.allow.is_empty()
            || self.max_file.is_some()
            || self.max_client.is_some()
            || self.max_total.is_some()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadPolicy {
    #[default]
    Create,
    Overwrite,
    Existing,
}
