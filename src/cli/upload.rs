//! The options of `serve` about write requests.
//! It never looks at the directory: whether that can be used is found out at the start.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use glob::Pattern;

use super::values::Size;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Uploads")]
pub struct UploadArgs {
    /// Take uploads (write requests) into this directory. Without it they are refused
    #[arg(id = "upload", long = "upload", value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// create: only new files; overwrite: old ones are replaced, too; existing: only those that
    /// exist are replaced
    #[arg(id = "upload-policy", long = "upload-policy", value_enum, default_value_t = UploadPolicy::Create, value_name = "create|overwrite|existing", hide_possible_values = true, requires = "upload")]
    pub policy: UploadPolicy,

    /// Names that may be uploaded, relative to the directory; may be repeated. `*` stays within a
    /// directory, `**` does not. Default: every name
    #[arg(
        id = "upload-allow",
        long = "upload-allow",
        value_name = "GLOB",
        requires = "upload"
    )]
    pub allow: Vec<Pattern>,

    /// Largest file: 1500, 64K, 10M, 2G
    #[arg(
        id = "upload-max-file",
        long = "upload-max-file",
        value_name = "SIZE",
        requires = "upload"
    )]
    pub max_file: Option<Size>,

    /// Bytes that one client address may have in the directory, counted since the start
    #[arg(
        id = "upload-max-client",
        long = "upload-max-client",
        value_name = "SIZE",
        requires = "upload"
    )]
    pub max_client: Option<Size>,

    /// Bytes that the directory may hold, files put there by others included
    #[arg(
        id = "upload-max-total",
        long = "upload-max-total",
        value_name = "SIZE",
        requires = "upload"
    )]
    pub max_total: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UploadPolicy {
    Create,
    Overwrite,
    Existing,
}
