//! The oracle: what a file must contain, so that a wrong byte is told from a late one.
//! It never looks at packets; it is asked with a file, an offset and bytes.

mod body;
pub mod manifest;
pub mod pattern;
pub mod root;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use body::Body;
use manifest::Manifest;

/// A file that an oracle knows, by its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub u32);

/// Knows the content of files. It is asked on the engine's threads, `check` for each block: no
/// call may wait for a lock, nor for a disk where the file is in the page cache.
pub trait Oracle: Send + Sync {
    /// The file of this name as a client writes it; none: nothing is known about it. The netascii
    /// form of a file is a file of its own.
    fn find(&self, name: &str, netascii: bool) -> Option<FileId>;

    /// Bytes that a transfer must bring; for netascii, after translation.
    fn expected_len(&self, file: FileId) -> u64;

    /// Whether the content at `offset` is `bytes`; beyond its end it is not.
    fn check(&self, file: FileId, offset: u64, bytes: &[u8]) -> bool;
}

/// What `--check` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A farm of `make-root`: its directory or its manifest.
    Pattern(PathBuf),
    /// The files of a local directory.
    Directory(PathBuf),
    /// One local file, whatever name it is asked by.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((_, "")) => Err(format!("\"{text}\" names no path")),
            Some(("pattern", path)) => Ok(Self::Pattern(path.into())),
            Some(("dir", path)) => Ok(Self::Directory(path.into())),
            Some(("file", path)) => Ok(Self::File(path.into())),
            _ => Err(format!(
                "\"{text}\" is not pattern:DIR, dir:DIR or file:FILE"
            )),
        }
    }
}

/// All files whose contents are known. Shared by the threads; looking up never changes it.
#[derive(Debug, Default)]
pub struct Content {
    bodies: Vec<Body>,
    names: HashMap<String, u32>,
    /// Names in lower case, for clients that ignore case (Windows).
    folded: HashMap<String, u32>,
    /// One file, for every name.
    any: bool,
}

impl Content {
    /// Reads what there is to know. Directories are listed now and mapped when first asked.
    pub fn open(source: &Source) -> Result<Self, String> {
        let mut content = Self::default();
        match source {
            Source::Pattern(path) => content.add_manifest(Manifest::read(path)?),
            Source::Directory(path) => content.add_directory(path)?,
            Source::File(path) => {
                content.any = true;
                content.add("", Body::at(path)?);
            }
        }
        Ok(content)
    }

    fn body(&self, file: FileId) -> Option<&Body> {
        self.bodies.get((file.0 >> 1) as usize)
    }

    fn add_manifest(&mut self, manifest: Manifest) {
        for (name, size) in manifest.files {
            let seed = pattern::file_seed(manifest.seed, &name);
            self.add(&name, Body::pattern(seed, size));
        }
        for (name, text) in manifest.texts {
            self.add(&name, Body::text(text.into_bytes()));
        }
    }

    fn add_directory(&mut self, root: &Path) -> Result<(), String> {
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let unreadable = |error| format!("{}: {error}", folder.display());
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                // As servers do, links are followed to files but folders are not entered twice.
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if path.is_file()
                    && let Ok(name) = path.strip_prefix(root)
                {
                    self.add(&name.to_string_lossy(), Body::at(&path)?);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, body: Body) {
        let Ok(index) = u32::try_from(self.bodies.len()) else {
            return;
        };
        self.bodies.push(body);
        let name = plain(name);
        self.folded.insert(name.to_lowercase(), index);
        self.names.insert(name, index);
    }
}

impl Oracle for Content {
    /// Backslashes are slashes, a leading slash means the root, and case counts only where two
    /// files differ in it.
    fn find(&self, name: &str, netascii: bool) -> Option<FileId> {
        let index = if self.any {
            0
        } else {
            let plain = plain(name);
            *self
                .names
                .get(&plain)
                .or_else(|| self.folded.get(&plain.to_lowercase()))?
        };
        Some(FileId(index << 1 | u32::from(netascii)))
    }

    fn expected_len(&self, file: FileId) -> u64 {
        self.body(file)
            .map_or(0, |body| body.length(is_netascii(file)))
    }

    fn check(&self, file: FileId, offset: u64, bytes: &[u8]) -> bool {
        self.body(file)
            .is_some_and(|body| body.check(is_netascii(file), offset, bytes))
    }
}

/// The lowest bit of a number says which form of the file it is.
const fn is_netascii(file: FileId) -> bool {
    file.0 & 1 == 1
}

fn plain(name: &str) -> String {
    let parts: Vec<&str> = name
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_by_their_kind() {
        assert_eq!(
            "pattern:/srv/tftp".parse(),
            Ok(Source::Pattern("/srv/tftp".into()))
        );
        assert_eq!("file:a:b".parse(), Ok(Source::File("a:b".into())));
        assert!("/srv/tftp".parse::<Source>().is_err());
        assert!("dir:".parse::<Source>().is_err());
    }

    #[test]
    fn a_directory_knows_its_files_under_any_spelling() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("Boot")).unwrap();
        std::fs::write(dir.path().join("Boot/BCD"), b"store").unwrap();
        let content = Content::open(&Source::Directory(dir.path().into())).unwrap();
        for name in ["Boot/BCD", "/Boot//BCD", "\\Boot\\BCD", "\\boot\\bcd"] {
            let file = content.find(name, false).expect(name);
            assert_eq!(content.expected_len(file), 5);
            assert!(content.check(file, 1, b"tore"));
            assert!(!content.check(file, 1, b"torn"));
            assert!(!content.check(file, 1, b"tore!"), "beyond the end");
        }
        assert_eq!(content.find("Boot/other", false), None);
    }

    #[test]
    fn one_file_answers_to_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, b"kernel").unwrap();
        let content = Content::open(&Source::File(path)).unwrap();
        let file = content.find("whatever/name", false).unwrap();
        assert!(content.check(file, 0, b"kernel"));
    }

    #[test]
    fn netascii_is_compared_with_the_translated_copy() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("network-confg"), b"a\nb\rc").unwrap();
        let content = Content::open(&Source::Directory(dir.path().into())).unwrap();
        let file = content.find("network-confg", true).unwrap();
        assert_eq!(content.expected_len(file), 7);
        assert!(content.check(file, 0, b"a\r\nb\r\0c"));
        assert!(!content.check(file, 0, b"a\nb\rc"));
    }
}
