//! Other people's programs: Debian packages, unpacked and not installed, so that no service starts.
//! It never changes the machine outside the build's folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Where what was fetched stays between runs.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy-tools")
}

/// A folder with the content of Debian packages. None, and a line that says so, where they cannot be had.
pub fn unpacked(packages: &[&str]) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let folder = cache().join(packages.join("+"));
    let done = folder.join(".complete");
    if done.exists() {
        return Some(folder);
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for package in packages {
        let mut download = Command::new("apt-get");
        download.args(["download", "-qq", package]);
        let Ok(Output { status, stderr, .. }) = download.current_dir(&folder).output() else {
            eprintln!("skipped: there is no apt-get to fetch {package} with");
            return None;
        };
        if !status.success() {
            let why = String::from_utf8_lossy(&stderr);
            eprintln!("skipped: {package} cannot be fetched: {}", why.trim());
            return None;
        }
    }
    for file in fs::read_dir(&folder).expect("a folder") {
        let file = file.expect("an entry").path();
        succeed(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder));
        fs::remove_file(file).expect("removed");
    }
    fs::write(done, "").expect("a file");
    Some(folder)
}

/// Python with the Kubernetes API's schemas (PyPI). None, and a line that says so, where they cannot be had.
pub fn python_with_schemas() -> Option<Command> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let folder = cache().join("python");
    let done = folder.join(".complete");
    if !done.exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"])
            .arg(&folder)
            .arg("kubernetes-validate==1.37.0");
        let installed = pip.output();
        if !installed.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: pip cannot install kubernetes-validate");
            return None;
        }
        fs::write(done, "").expect("a file");
    }
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", folder);
    Some(python)
}

/// The renderer of charts. None, and a line that says so, where it cannot be built.
pub fn renderer() -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let source = from_here("tests/deploy/template.go");
    let program = cache().join("template");
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if changed(&program) < changed(&source) {
        fs::create_dir_all(cache()).expect("a folder");
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(&program).arg(source);
        go.env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("GOPATH", "/usr/share/gocode");
        match go.output() {
            Err(_) => {
                eprintln!("skipped: there is no go to build the renderer with");
                return None;
            }
            Ok(output) if !output.status.success() => {
                let why = String::from_utf8_lossy(&output.stderr);
                assert!(why.contains("cannot find package"), "{why}");
                eprintln!("skipped: Sprig's sources are not installed: {why}");
                return None;
            }
            Ok(_) => {}
        }
    }
    Some(program)
}

/// A file of the project.
pub fn from_here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a program wrote to both outputs; it has to succeed.
pub fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{errors}",
        output.status
    );
    text + &errors
}
