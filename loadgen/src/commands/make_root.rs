//! `bootstorm make-root`: writes a farm's root directory. It never touches a file outside of it.

use std::path::PathBuf;

use clap::Args;

use super::{Verdict, percent};
use crate::content::root;

/// Write a reproducible root directory: what the shipped scenarios ask for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootstorm make-root /srv/tftp                 # full sizes, about 600 MB
  bootstorm make-root /tmp/root --scale 5%      # for a quick try
  bootstorm boot HOST --scenario ipxe --check pattern:/tmp/root")]
pub struct MakeRoot {
    /// Directory to write; made if it is not there
    dir: PathBuf,
    /// Size of kernels, initrds and loaders, as a share of those in the field
    #[arg(long, value_name = "N%", default_value = "100%", value_parser = percent)]
    scale: f64,
    /// Equal seeds make equal files
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write into a directory that is not empty
    #[arg(long)]
    force: bool,
}

impl MakeRoot {
    pub fn run(&self) -> Result<Verdict, String> {
        if self.scale == 0.0 {
            return Err("--scale 0% leaves nothing to fetch".into());
        }
        let manifest = root::farm(self.scale, self.seed);
        let written = root::make(&self.dir, &manifest, self.force)?;
        outln!(
            "{}: {} files, {:.1} MB, seed {}; check with --check pattern:{}",
            self.dir.display(),
            written.files,
            written.bytes as f64 / 1e6,
            self.seed,
            self.dir.display()
        );
        Ok(Verdict::Passed)
    }
}
