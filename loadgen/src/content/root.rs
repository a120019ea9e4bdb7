//! A farm's root directory, reproducible from a seed: the files that the shipped scenarios ask for.
//! It never serves them, and never writes into a directory that holds something.

mod farm;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::manifest::{self, Manifest};
use super::pattern;

pub use farm::manifest as farm;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub files: usize,
    pub bytes: u64,
}

/// Writes the farm. Into a directory with something in it only when `force` is given.
pub fn make(dir: &Path, manifest: &Manifest, force: bool) -> Result<Written, String> {
    let at = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(dir).map_err(|error| at(dir, error))?;
    let mut there = fs::read_dir(dir).map_err(|error| at(dir, error))?;
    if there.next().is_some() && !force {
        return Err(format!(
            "{} is not empty; --force writes into it all the same",
            dir.display()
        ));
    }
    let mut written = Written { files: 0, bytes: 0 };
    for (name, &size) in &manifest.files {
        let seed = pattern::file_seed(manifest.seed, name);
        let path = dir.join(name);
        write_pattern(&path, seed, size).map_err(|error| at(&path, error))?;
        written.files += 1;
        written.bytes += size;
    }
    for (name, text) in &manifest.texts {
        let path = dir.join(name);
        write_text(&path, text).map_err(|error| at(&path, error))?;
        written.files += 1;
        written.bytes += text.len() as u64;
    }
    let path = dir.join(manifest::NAME);
    write_text(&path, &manifest.to_text()?).map_err(|error| at(&path, error))?;
    Ok(written)
}

fn write_text(path: &Path, text: &str) -> io::Result<()> {
    make_parent(path)?;
    fs::write(path, text)
}

fn write_pattern(path: &Path, seed: u64, size: u64) -> io::Result<()> {
    make_parent(path)?;
    let mut out = BufWriter::new(fs::File::create(path)?);
    let mut piece = vec![0; 256 * 1024];
    let mut offset = 0;
    while offset < size {
        let left = usize::try_from(size - offset).unwrap_or(usize::MAX);
        let part = left.min(piece.len());
        pattern::fill(seed, offset, &mut piece[..part]);
        out.write_all(&piece[..part])?;
        offset += part as u64;
    }
    out.flush()
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Content, Oracle, Source};

    #[test]
    fn the_oracle_agrees_with_every_file_that_was_written() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &farm(1.0, 42), false).unwrap();
        for source in [
            Source::Pattern(dir.path().into()),
            Source::Pattern(dir.path().join(manifest::NAME)),
            Source::Directory(dir.path().into()),
        ] {
            let content = Content::open(&source).unwrap();
            let manifest = Manifest::read(dir.path()).unwrap();
            for name in manifest.files.keys().chain(manifest.texts.keys()) {
                let bytes = fs::read(dir.path().join(name)).unwrap();
                let file = content.find(name, false).expect(name);
                assert_eq!(content.expected_len(file), bytes.len() as u64, "{name}");
                assert!(content.check(file, 0, &bytes), "{name}");
            }
        }
    }

    #[test]
    fn equal_seeds_make_equal_farms_and_other_seeds_others() {
        let (one, two, other) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        make(one.path(), &farm(0.1, 1), false).unwrap();
        make(two.path(), &farm(0.1, 1), false).unwrap();
        make(other.path(), &farm(0.1, 2), false).unwrap();
        let kernel = |dir: &tempfile::TempDir| fs::read(dir.path().join("vmlinuz")).unwrap();
        assert!(kernel(&one) == kernel(&two));
        assert!(kernel(&one) != kernel(&other));
    }

    #[test]
    fn a_directory_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), b"mine").unwrap();
        let error = make(dir.path(), &farm(0.1, 1), false).unwrap_err();
        assert!(error.contains("--force"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        make(dir.path(), &farm(0.1, 1), true).unwrap();
        assert!(dir.path().join("vmlinuz").exists());
    }
}
