//! What may be opened below a root, by both ways of resolving names.
//! It never trusts an opened file's name: what it contains tells where it is.

use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use ringboot::files::{Finder, Found, OpenError, RelPath, Resolver, Root, Wish};
use ringboot::names::{Operation, Trace};
use ringboot::wire::Options;
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use tempfile::TempDir;

const BOTH: [Resolver; 2] = [Resolver::Openat2, Resolver::Walk];
pub const INSIDE: &str = "inside";

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Content,
    Missing,
    Denied,
    NotRegular,
    Invalid,
}
use Answer::{Content, Denied, Invalid, Missing, NotRegular};

#[test]
fn the_traversal_corpus_has_one_answer_for_each_name() {
    let place = Place::new();
    for resolver in BOTH {
        let root = Arc::new(Root::open_with(&place.root(), resolver).expect("a root"));
        for (name, expected) in corpus(&place) {
            let shown = name.escape_ascii();
            assert_eq!(ask(&root, &name), expected, "{resolver:?} {shown}");
        }
    }
}

/// Names that clients may ask for, and what they get where a name means the file of that name.
pub fn corpus(place: &Place) -> Vec<(Vec<u8>, Answer)> {
    let long = "x".repeat(256);
    let deep = "sub/".repeat(300);
    let corpus: Vec<(&[u8], Answer)> = vec![
        // Ordinary names in all spellings.
        (b"file", Content),
        (b"/file", Content),
        (b"//\\file", Content),
        (b"sub\\file", Content),
        (b"\\sub/./file", Content),
        (b"sub//file", Content),
        (b"nothing", Missing),
        (b"file/below", Missing),
        (b"FILE", Missing),
        // Dot-dot, and what cleaners by text make dot-dot of.
        (b"..", Denied),
        (b"../secret", Denied),
        (b"/../secret", Denied),
        (b"sub/../file", Denied),
        (b"sub/../../secret", Denied),
        (b"..\\secret", Denied),
        (b"sub\\..\\..\\secret", Denied),
        (b"./../secret", Denied),
        (b"....//secret", Missing),
        (b"...", Missing),
        (b".../secret", Missing),
        (b"..;/secret", Missing),
        (b"%2e%2e/secret", Missing),
        (b"\xc0\xae\xc0\xae/secret", Missing),
        (b".. /secret", Missing),
        (b"/etc/passwd", Missing),
        (b"C:\\secret", Missing),
        (b"|id", Missing),
        (b"%s%n", Missing),
        // Links.
        (b"link-file", Content),
        (b"link-sub/file", Content),
        (b"link-up", Content),
        (b"sub/link-top", Content),
        (b"link-out", Denied),
        (b"link-out-dir/secret", Denied),
        (b"link-sneaky", Denied),
        (b"link-absolute", Denied),
        (b"link-absolute-inside", Content),
        (b"link-absolute-sub/file", Content),
        (b"link-absolute-root", NotRegular),
        (b"link-absolute-up", Denied),
        (b"link-absolute-beside", Denied),
        (b"link-loop", Denied),
        (b"link-loop/file", Denied),
        (b"link-dangling", Missing),
        (b"link-slash", Missing),
        (b"link-through-file", Missing),
        (b"link-dir", NotRegular),
        (b"link-here", NotRegular),
        (b"chain-40", Content),
        (b"chain-41", Denied),
        (b"link-proc-root/etc/passwd", Denied),
        // What is no regular file.
        (b"/", NotRegular),
        (b"sub", NotRegular),
        (b"sub/", NotRegular),
        (b"file/", NotRegular),
        (b"fifo", NotRegular),
        (b"socket", NotRegular),
        (
            b"device",
            if place.has_device {
                NotRegular
            } else {
                Missing
            },
        ),
        // Lengths and bytes.
        (b"", Invalid),
        (b"file\0", Invalid),
        (long.as_bytes(), Invalid),
        (&long.as_bytes()[..255], Missing),
        (deep.as_bytes(), Invalid),
        (b"new\nline\x1b[2J", Content),
        // The end mark: taken off only where the exact name is missing.
        (b"file\xff", Content),
        (b"file\xff\xff\xff", Content),
        (b"exact\xff", Content),
        (b"nothing\xff", Missing),
        (b"\xff", Missing),
        (b"sub/\xff", Missing),
        (b"link-out\xff", Denied),
    ];
    let owned = |(name, answer): (&[u8], Answer)| (name.to_vec(), answer);
    corpus.into_iter().map(owned).collect()
}

/// Absolute links may be written with the root's path as the operator gave it, or as it really is.
#[test]
fn a_root_behind_a_link_has_two_names() {
    let place = Place::new();
    let alias = place.root().with_file_name("alias");
    symlink(place.root(), &alias).expect("a link");
    symlink(alias.join("sub/file"), place.root().join("by-alias")).expect("a link");
    for resolver in BOTH {
        let root = Arc::new(Root::open_with(&alias, resolver).expect("a root"));
        for name in ["by-alias", "link-absolute-inside"] {
            assert_eq!(ask(&root, name.as_bytes()), Content, "{resolver:?} {name}");
        }
        assert_eq!(ask(&root, b"link-absolute"), Denied);
    }
}

#[test]
fn magic_links_lead_nowhere() {
    for resolver in BOTH {
        let root = Root::open_with(Path::new("/proc/self"), resolver);
        let root = Arc::new(root.expect("a root"));
        for name in ["root/etc/passwd", "cwd/Cargo.toml", "exe", "fd/0"] {
            assert_eq!(ask(&root, name.as_bytes()), Denied, "{resolver:?} {name}");
        }
    }
}

#[test]
fn this_kernel_is_asked_what_it_can() {
    let place = Place::new();
    let root = Arc::new(Root::open(&place.root()).expect("a root"));
    assert_eq!(ask(&root, b"file"), Content);
}

#[test]
fn a_root_that_cannot_be_served_says_why() {
    let place = Place::new();
    let message = |path: &Path| Root::open(path).map(drop).expect_err("no root").to_string();
    let nothing = message(&place.root().join("nothing"));
    assert!(
        nothing.ends_with("does not exist; create it or correct --root"),
        "{nothing}"
    );
    let file = message(&place.root().join("file"));
    assert!(file.contains("is not a directory; --root takes"), "{file}");
}

#[test]
fn a_directory_swapped_with_a_link_never_opens_what_is_outside() {
    let place = Place::new();
    let (dir, link) = (place.root().join("swap"), place.root().join("swap-link"));
    fs::create_dir(&dir).expect("a directory");
    fs::write(dir.join("passwd"), INSIDE).expect("a file");
    symlink("/etc", &link).expect("a link");
    let swap = || renameat_with(CWD, &dir, CWD, &link, RenameFlags::EXCHANGE).expect("swapped");
    race(&place, b"swap/passwd", swap);
}

#[test]
fn a_directory_moved_out_during_dot_dot_never_opens_what_is_outside() {
    let place = Place::new();
    let (inner, outer) = (place.root().join("deep/a"), place.base().join("moved"));
    fs::create_dir_all(&inner).expect("a directory");
    fs::write(place.root().join("passwd"), INSIDE).expect("a file");
    fs::write(place.base().join("passwd"), "outside").expect("a file");
    fs::write(
        place.base().parent().expect("a parent").join("passwd"),
        "outside",
    )
    .expect("a file");
    symlink("deep/a/../../passwd", place.root().join("hop")).expect("a link");
    let swap = || {
        fs::rename(&inner, &outer).expect("moved out");
        fs::rename(&outer, &inner).expect("moved in");
    };
    race(&place, b"hop", swap);
}

/// Opens `name` a hundred thousand times in each way while `swap` runs; whatever opens must be inside.
fn race(place: &Place, name: &[u8], swap: impl Fn() + Sync) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                swap();
            }
        });
        for resolver in BOTH {
            let root = Root::open_with(&place.root(), resolver).expect("a root");
            let mut opened = 0;
            for _ in 0..100_000 {
                let path = RelPath::parse(name).expect("a path");
                if let Ok(mut file) = root.open_file(&path) {
                    let mut content = String::new();
                    file.read_to_string(&mut content).expect("read");
                    assert_eq!(content, INSIDE, "{resolver:?}");
                    opened += 1;
                }
            }
            println!("{resolver:?}: opened {opened} times");
        }
        done.store(true, Relaxed);
    });
}

fn ask(root: &Arc<Root>, name: &[u8]) -> Answer {
    let wish = Wish {
        name,
        operation: Operation::Read,
        client: Ipv4Addr::LOCALHOST.into(),
        local: None,
        mac: None,
        options: Options::new(&[]),
    };
    match Finder::from(Arc::clone(root)).find(&wish, &mut Trace::off()) {
        Ok(Found::Made(_)) => panic!("nothing makes files here"),
        Ok(Found::File { mut file, .. }) => {
            let mut content = String::new();
            file.read_to_string(&mut content).expect("read");
            assert_eq!(content, INSIDE, "{}", name.escape_ascii());
            Content
        }
        Err(OpenError::NotFound) => Missing,
        Err(OpenError::Denied(_)) => Denied,
        Err(OpenError::NotRegular) => NotRegular,
        Err(OpenError::NameInvalid(_)) => Invalid,
        Err(other) => panic!("{}: {other:?}", name.escape_ascii()),
    }
}

/// A root in a directory that holds things to be stolen.
pub struct Place {
    base: TempDir,
    has_device: bool,
}

impl Place {
    pub fn new() -> Self {
        let base = TempDir::new().expect("a directory");
        let mut place = Self {
            base,
            has_device: false,
        };
        fs::create_dir_all(place.root().join("sub")).expect("directories");
        fs::write(place.base().join("secret"), "outside").expect("a file");
        place.add_files();
        place.add_links();
        place.add_specials();
        place
    }

    pub fn base(&self) -> std::path::PathBuf {
        self.base.path().join("base")
    }

    pub fn root(&self) -> std::path::PathBuf {
        self.base().join("root")
    }

    fn add_files(&self) {
        use std::os::unix::ffi::OsStrExt;
        let names: [&[u8]; 4] = [b"file", b"sub/file", b"new\nline\x1b[2J", b"exact\xff"];
        for name in names {
            let path = self.root().join(std::ffi::OsStr::from_bytes(name));
            fs::write(path, INSIDE).expect("a file");
        }
        fs::write(self.root().join("exact"), "not this one").expect("a file");
    }

    fn add_links(&self) {
        let root = self.root();
        let inside = |name: &str| format!("{}{name}", root.to_str().expect("text"));
        for (name, target) in [
            ("link-file", "file"),
            ("link-sub", "sub"),
            ("link-up", "sub/../file"),
            ("sub/link-top", "../file"),
            ("link-out", "../secret"),
            ("link-out-dir", ".."),
            ("link-sneaky", "sub/../../root/file"),
            ("link-absolute", "/etc/passwd"),
            ("link-absolute-inside", &*inside("/file")),
            ("link-absolute-sub", &inside("/sub")),
            ("link-absolute-root", &inside("")),
            ("link-absolute-up", &inside("/../secret")),
            ("link-absolute-beside", &inside("-beside")),
            ("link-loop", "link-loop"),
            ("link-dangling", "gone"),
            ("link-slash", "file/"),
            ("link-through-file", "file/../file"),
            ("link-dir", "sub/"),
            ("link-here", "."),
            ("link-proc-root", "/proc/self/root"),
            ("chain-1", "file"),
        ] {
            symlink(target, root.join(name)).expect("a link");
        }
        for number in 2..=41 {
            let name = root.join(format!("chain-{number}"));
            symlink(format!("chain-{}", number - 1), name).expect("a link");
        }
    }

    fn add_specials(&mut self) {
        let root = self.root();
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, root.join("fifo"), FileType::Fifo, mode, 0).expect("a pipe");
        UnixListener::bind(root.join("socket")).expect("a socket");
        // Needs privileges: /dev/zero, which would be read without end.
        let zero = rustix::fs::makedev(1, 5);
        let device = root.join("device");
        self.has_device = mknodat(CWD, device, FileType::CharacterDevice, mode, zero).is_ok();
    }
}
