//! Which files the process goes on to need: what is served, what is uploaded, what is read again.
//! It never opens any of them.

use std::path::{Path, PathBuf};

use crate::config::Plan;
use crate::daemon::Options;
use crate::files::upload;

/// Directories and files that stay within reach.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Directories that are served, to be read.
    pub roots: Vec<PathBuf>,
    /// Directories in which uploads are made.
    pub uploads: Vec<PathBuf>,
    /// Files that are read again while the server runs.
    pub files: Vec<PathBuf>,
}

impl Grants {
    /// What the options name.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        let naming = &options.naming;
        let (written, read): (Vec<_>, Vec<_>) = naming
            .roots
            .iter()
            .partition(|root| options.upload.is_some() && root.policy.uploads);
        let upload = options.upload.as_ref();
        let map = naming.hpa.as_ref().and_then(|hpa| hpa.map.as_ref());
        let map = map.map(|map| map.path().to_owned());
        let leases = naming.leases.iter().map(|(path, _)| path.clone());
        let sources = options.sandbox.read_again.iter().cloned();
        Self {
            roots: read.into_iter().map(|root| root.path.clone()).collect(),
            uploads: written
                .into_iter()
                .map(|root| root.path.clone())
                .chain(upload.and_then(upload::Policy::spool))
                .collect(),
            files: leases.chain(map).chain(sources).collect(),
        }
    }

    /// Whether a directory may be served without a new start.
    #[must_use]
    pub fn covers_root(&self, dir: &Path) -> bool {
        let places = self.files.iter().map(|file| Self::place_of(file));
        let directories = self.roots.iter().chain(&self.uploads).cloned();
        lies_in(dir, directories.chain(places))
    }

    /// Whether clients may put files there without a new start.
    fn covers_upload(&self, dir: &Path) -> bool {
        lies_in(dir, self.uploads.iter())
    }

    /// What a naming policy needs beyond the grants: a line for each, for the operator. `place` says
    /// where a root is named.
    #[must_use]
    pub fn lack(&self, naming: &Plan, place: &dyn Fn(&str) -> String) -> Vec<String> {
        let roots = naming.roots.iter().filter_map(|root| {
            let what = match root.policy.uploads {
                true if !self.covers_upload(&root.path) => "the upload directory",
                false if !self.covers_root(&root.path) => "the root",
                _ => return None,
            };
            let place = place(&root.policy.name);
            Some(format!("{place}{what} {}", root.path.display()))
        });
        let leases = naming.leases.iter().map(|(path, _)| path);
        let leases = leases.filter(|path| !self.covers_file(path));
        let leases = leases.map(|path| format!("the leases file {}", path.display()));
        let line = |what: String| {
            format!("{what} was out of reach when the sandbox was entered: restart to use it")
        };
        roots.chain(leases).map(line).collect()
    }

    fn covers_file(&self, file: &Path) -> bool {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let places = self.files.iter().map(|granted| Self::place_of(granted));
        places
            .chain(self.roots.clone())
            .any(|place| file.starts_with(place))
    }

    /// Where a file that is read again is looked for: in its directory, because many programs replace
    /// a file instead of writing to it. A directory that holds much else is too much to grant; then
    /// only the file that is there now can be read again.
    pub(super) fn place_of(file: &Path) -> PathBuf {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        match file.parent() {
            Some(above) if !is_wide(above) => above.to_owned(),
            _ => file,
        }
    }
}

/// Directories at the top of the tree, of all users' homes, and the like.
fn is_wide(dir: &Path) -> bool {
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let depth = real.components().count() - 1;
    let shared = ["/home", "/var", "/usr", "/run/user"];
    depth < 2
        || ["/proc", "/sys", "/dev"]
            .iter()
            .any(|top| real.starts_with(top))
        || (depth == 2 && shared.iter().any(|top| real.starts_with(top)))
        || (depth == 3 && real.starts_with("/run/user"))
}

/// Whether one of these is the directory or above it, by their real names.
fn lies_in(dir: &Path, mut places: impl Iterator<Item = impl AsRef<Path>>) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let dir = real(dir);
    places.any(|place| dir.starts_with(real(place.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_read_again_may_be_replaced_unless_its_directory_is_wide() {
        for (file, place) in [
            ("/etc/ringboot/ringboot.toml", "/etc/ringboot"),
            ("/var/lib/misc/dnsmasq.leases", "/var/lib/misc"),
            ("/srv/tftp-config/map", "/srv/tftp-config"),
            ("/etc/ringboot.toml", "/etc/ringboot.toml"),
            ("/root/map", "/root/map"),
            ("/home/me/map", "/home/me/map"),
            ("/var/lib/leases", "/var/lib/leases"),
            ("/tmp/map", "/tmp/map"),
            ("/proc/self/map", "/proc/self/map"),
            ("/map", "/map"),
        ] {
            assert_eq!(
                Grants::place_of(Path::new(file)),
                Path::new(place),
                "{file}"
            );
        }
    }

    #[test]
    fn a_root_within_another_one_needs_no_new_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let inside = dir.path().join("a/b");
        std::fs::create_dir_all(&inside).expect("made");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/", &link).expect("a link");
        let grants = Grants {
            roots: vec![dir.path().join("a")],
            ..Grants::default()
        };
        assert!(grants.covers_root(&inside) && grants.covers_root(&dir.path().join("a")));
        let configured = Grants {
            files: vec![dir.path().join("sub/ringboot.toml")],
            ..Grants::default()
        };
        std::fs::create_dir_all(dir.path().join("sub/root")).expect("made");
        assert!(configured.covers_root(&dir.path().join("sub/root")));
        assert!(!configured.covers_root(&inside));
        for other in [dir.path(), &link, Path::new("/"), &dir.path().join("ab")] {
            assert!(!grants.covers_root(other), "{}", other.display());
        }
    }
}
