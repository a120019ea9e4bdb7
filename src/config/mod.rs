//! The configuration file: what it says, what is wrong with it and where, and the policy it makes.
//! It never starts anything and never changes a running server.

mod access;
mod build;
mod file;
mod fixed;
mod flags;
mod lay;
mod mistake;
mod plan;
mod read;
mod server;
mod settings;
mod show;
mod value;

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use file::{File, UploadTable};
pub use mistake::Mistake;
pub use plan::{Plan, RootPlan};
pub use server::Server;
pub use settings::Settings;
pub use value::Parsed;

use crate::limits::CONFIG_MAX;

/// The name of the root in which read requests begin.
const DEFAULT: &str = "default";

/// The name of the root in which write requests begin, where there is a directory for uploads.
const UPLOAD: &str = "upload";

/// A file that was read and understood.
#[derive(Debug)]
pub struct Config {
    pub path: PathBuf,
    pub file: File,
    text: String,
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub enum ConfigError {
    Unreadable(PathBuf, io::Error),
    /// Mistakes in the file, at least one.
    Mistakes(PathBuf, Vec<Mistake>),
    /// Variables of the environment, at least one; and what is wrong beside them.
    Environment(Vec<String>, Option<Box<Self>>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                write!(
                    f,
                    "cannot read the configuration {}: {error}",
                    path.display()
                )
            }
            Self::Mistakes(path, mistakes) => {
                for (number, mistake) in mistakes.iter().enumerate() {
                    let line_end = if number == 0 { "" } else { "\n" };
                    write!(f, "{line_end}{}:{mistake}", path.display())?;
                }
                Ok(())
            }
            Self::Environment(mistakes, others) => {
                f.write_str(&mistakes.join("\n"))?;
                others.iter().try_for_each(|error| write!(f, "\n{error}"))
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not what a configuration looks like.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable(path.to_owned(), error);
        let length = fs::metadata(path).map_err(unreadable)?.len();
        if length > CONFIG_MAX {
            let error = io::Error::other(format!("it is larger than {CONFIG_MAX} bytes"));
            return Err(unreadable(error));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, text)
    }

    /// Understands the text of a file; `path` is what messages call it, and where the paths in it
    /// begin.
    ///
    /// # Errors
    /// When it is not what a configuration looks like.
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        match read::parse(&text) {
            Ok(mut file) => {
                file.rebase(path.parent().unwrap_or(Path::new("")));
                Ok(Self { path, file, text })
            }
            Err(mistakes) => Err(ConfigError::Mistakes(path, mistakes)),
        }
    }

    /// There is no file.
    pub(super) fn none() -> Self {
        Self {
            path: PathBuf::new(),
            file: File::default(),
            text: String::new(),
        }
    }

    /// Whether there is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// The naming policy that the settings describe.
    ///
    /// # Errors
    /// Everything in them that contradicts itself.
    pub fn plan(&self) -> Result<Plan, ConfigError> {
        build::plan(self).map_err(|mistakes| ConfigError::Mistakes(self.path.clone(), mistakes))
    }

    /// Where the rule stands, as messages begin: `FILE:LINE:COLUMN: `.
    #[must_use]
    pub fn place_of_rule(&self, place: usize) -> String {
        let rule = self.file.rule.get(place);
        rule.map_or_else(String::new, |rule| {
            let Mistake { line, column, .. } = self.mistake(rule.span().start, "");
            format!("{}:{line}:{column}: ", self.path.display())
        })
    }

    /// The same of a root's directory; nothing where a flag or the environment names it.
    #[must_use]
    pub fn place_of_root(&self, name: &str) -> String {
        let table = self
            .file
            .roots
            .iter()
            .find(|(key, _)| *key.get_ref() == name);
        let path = match name {
            DEFAULT if self.file.root.is_some() => self.file.root.as_ref(),
            UPLOAD if self.file.upload.dir.is_some() => self.file.upload.dir.as_ref(),
            _ => table.and_then(|(_, table)| table.path.as_ref()),
        };
        // What no file says has an empty span.
        let path = path.filter(|path| !path.span().is_empty());
        path.map_or_else(String::new, |path| {
            let Mistake { line, column, .. } = self.mistake(path.span().start, "");
            format!("{}:{line}:{column}: ", self.path.display())
        })
    }

    /// The place of a byte of the text.
    fn mistake(&self, at: usize, text: impl Into<String>) -> Mistake {
        Mistake::at(&self.text, at, text.into())
    }
}
