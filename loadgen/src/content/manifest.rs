//! `bootstorm.toml`, which `make-root` leaves beside the files: names, sizes and the seed from
//! which their contents follow. It never holds the contents of large files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Its name in the root.
pub const NAME: &str = "bootstorm.toml";
/// Version of the pattern; a manifest of another version would find every file corrupt.
pub const PATTERN: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub pattern: u32,
    pub seed: u64,
    /// Generated files and their sizes.
    pub files: BTreeMap<String, u64>,
    /// Configuration files, whole.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the manifest, or the one in a directory.
    pub fn read(path: &Path) -> Result<Self, String> {
        let path = place(path);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let manifest: Self =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if manifest.pattern != PATTERN {
            return Err(format!(
                "{}: pattern {} was written by another version; this one knows {PATTERN}",
                path.display(),
                manifest.pattern
            ));
        }
        Ok(manifest)
    }

    /// The document as it is written, with a word for the person who finds it.
    pub fn to_text(&self) -> Result<String, String> {
        let body = toml::to_string(self).map_err(|error| error.to_string())?;
        Ok(format!(
            "# Written by `bootstorm make-root`. `bootstorm --check pattern:THIS-DIRECTORY` knows from it\n\
             # what each file must contain: it follows from the seed, the name and the place.\n{body}"
        ))
    }
}

fn place(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(NAME)
    } else {
        path.to_path_buf()
    }
}
