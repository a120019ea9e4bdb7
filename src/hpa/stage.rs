//! in.tftpd's ways with names as a stage of the naming policy: the map file, then the directories.
//! It never trusts a rewritten name: what it answers is parsed and confined like a client's own.

use core::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::map::{Asker, Host, Outcome, Refusal};
use super::source::MapSource;
use crate::names::{
    Asked, Denial, Disk, Flow, Needs, Operation, RootId, RootPolicy, Stage, Target, Trace,
};
use crate::wire::ErrorCode;

/// What in.tftpd does with a name before it opens it.
#[derive(Debug, Clone)]
pub struct HpaNames {
    pub map: Option<Arc<MapSource>>,
    pub paths: Paths,
}

/// What a name is relative to.
#[derive(Debug, Clone)]
pub enum Paths {
    /// To the one root (`--secure`).
    Root,
    /// Names are full paths, and lie in one of these directories: the roots in their order.
    Within(Vec<PathBuf>),
}

impl Stage for HpaNames {
    fn needs(&self) -> Needs {
        Needs::default()
    }

    fn apply(
        &self,
        asked: &Asked<'_>,
        target: Target,
        _roots: &[RootPolicy],
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Flow {
        let name = match self.mapped(asked, target, disk, trace) {
            Ok(name) => name,
            Err(refusal) => {
                return denied(
                    ErrorCode::ACCESS_VIOLATION,
                    &String::from_utf8_lossy(&refusal.text),
                    refusal.reason,
                );
            }
        };
        if name.name.is_empty() && matches!(self.paths, Paths::Root) {
            // As when the system is asked to open it.
            return denied(
                ErrorCode::NOT_FOUND,
                "File not found",
                "nothing is left of the name".to_owned(),
            );
        }
        match self.paths.target(name) {
            Ok(target) => Flow::Next(target),
            Err(text) => denied(ErrorCode::ACCESS_VIOLATION, text, text.to_owned()),
        }
    }
}

impl HpaNames {
    fn mapped(
        &self,
        asked: &Asked<'_>,
        target: Target,
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Result<Target, Refusal> {
        let Some(source) = &self.map else {
            return Ok(target);
        };
        let asker = Asker {
            client: asked.client.to_canonical(),
            writes: asked.operation == Operation::Write,
        };
        let mut host = OnDisk {
            paths: &self.paths,
            root: target.root,
            disk,
            trace,
        };
        match source.current().run(&target.name, asker, &mut host) {
            Outcome::Name(name) => Ok(Target { name, ..target }),
            Outcome::Refused(refusal) => Err(refusal),
        }
    }
}

impl Paths {
    /// Where in the roots a name is, or what in.tftpd answers.
    fn target(&self, target: Target) -> Result<Target, &'static str> {
        let Self::Within(directories) = self else {
            return Ok(target);
        };
        let name = &target.name[..];
        if !name.starts_with(b"/") {
            return Err("Only absolute filenames allowed");
        }
        if name.windows(4).any(|four| four == b"/../") {
            return Err("Reverse path not allowed");
        }
        let within = |(place, directory): (usize, &PathBuf)| {
            let rest = below(name, directory.as_os_str().as_bytes())?;
            Some(Target {
                root: RootId(place),
                name: rest.to_vec(),
            })
        };
        let found = directories.iter().enumerate().find_map(within);
        found.ok_or("Forbidden directory")
    }
}

/// The part of a path below a directory. in.tftpd compares letters, so that `/srv/tftp` opens
/// `/srv/tftp-private` as well; here a directory ends where its name does.
fn below<'a>(path: &'a [u8], directory: &[u8]) -> Option<&'a [u8]> {
    let end = directory.iter().rposition(|&byte| byte != b'/');
    let directory = &directory[..end.map_or(0, |end| end + 1)];
    let rest = path.strip_prefix(directory)?;
    rest.starts_with(b"/").then_some(rest)
}

/// `E` rules look for files where the name will be looked for in the end.
struct OnDisk<'a, 'b> {
    paths: &'a Paths,
    root: RootId,
    disk: &'a dyn Disk,
    trace: &'a mut Trace<'b>,
}

impl Host for OnDisk<'_, '_> {
    fn has_file(&mut self, name: &[u8]) -> bool {
        let target = Target {
            root: self.root,
            name: name.to_vec(),
        };
        let target = self.paths.target(target);
        target.is_ok_and(|target| self.disk.is_file(target.root, &target.name))
    }

    fn note(&mut self, line: usize, what: fmt::Arguments<'_>) {
        self.trace
            .note(|| format!("line {line} of the map file {what}"));
    }
}

fn denied(code: ErrorCode, text: &str, reason: String) -> Flow {
    Flow::Denied(Arc::new(Denial {
        code: code.0,
        text: text.into(),
        reason: reason.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_paths_lie_in_a_directory_that_is_listed() {
        let paths = Paths::Within(vec!["/srv/tftp/".into(), "/boot".into()]);
        let target = |name: &str| {
            let root = RootId::default();
            let name = name.as_bytes().to_vec();
            let target = paths.target(Target { root, name })?;
            let name = String::from_utf8_lossy(&target.name).into_owned();
            Ok::<_, &str>((target.root.0, name))
        };
        assert_eq!(target("/srv/tftp/a/b"), Ok((0, "/a/b".into())));
        assert_eq!(target("/boot/x"), Ok((1, "/x".into())));
        for (name, refusal) in [
            ("boot/x", "Only absolute filenames allowed"),
            ("", "Only absolute filenames allowed"),
            ("/boot/../x", "Reverse path not allowed"),
            ("/bootx", "Forbidden directory"),
            ("/boot", "Forbidden directory"),
            ("/etc/passwd", "Forbidden directory"),
        ] {
            assert_eq!(target(name), Err(refusal), "{name}");
        }
    }

    #[test]
    fn the_root_directory_has_everything_below_it() {
        assert_eq!(below(b"/a", b"/"), Some(&b"/a"[..]));
        assert_eq!(below(b"/a/b", b"/a//"), Some(&b"/b"[..]));
        assert_eq!(below(b"/ab", b"/a"), None);
    }
}
