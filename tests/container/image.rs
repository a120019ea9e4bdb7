//! The image: a static program, built into an OCI layout and unpacked again.
//! It never builds twice in a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::possible;

/// An image as a runtime gets it.
pub struct Image {
    dir: TempDir,
    /// What a runtime is to do: user, entry point, labels.
    pub config: Value,
    layers: Vec<PathBuf>,
}

/// The image of this source.
pub fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| Image::build(static_program()))
}

/// The server as a static program: `main.rs` compiled once more, linked with the libraries of the test's own build.
fn static_program() -> PathBuf {
    if let Some(path) = std::env::var_os("RINGBOOT_STATIC") {
        return path.into();
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ringboot-static");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("the folder of all builds");
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--edition=2024", "--crate-name=ringboot", "src/main.rs"])
        .args(["-C", "target-feature=+crt-static", "-L"])
        .arg(format!("dependency={}/debug/deps", target.display()));
    for (name, path) in libraries(target) {
        rustc.arg("--extern").arg(format!("{name}={path}"));
    }
    succeed(rustc.arg("-o").arg(&program));
    program
}

/// What `main.rs` names, and where cargo has it. With the dependencies of tests, as all features of libraries are then
/// those of the test's own build, and nothing is left to build.
fn libraries(target: &Path) -> Vec<(String, String)> {
    let messages = succeed(
        Command::new("cargo")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--quiet", "--workspace", "--lib"])
            .args(["--test", "container", "--message-format=json"])
            .arg("--target-dir")
            .arg(target),
    );
    let messages = messages.lines().map(serde_json::from_str::<Value>);
    let messages = messages.map(|message| message.expect("JSON"));
    messages.filter_map(|message| library(&message)).collect()
}

/// The name and the file of a library that `main.rs` names.
fn library(message: &Value) -> Option<(String, String)> {
    let name = message["target"]["name"].as_str()?;
    let files = message["filenames"].as_array()?.iter();
    let mut files = files.filter_map(Value::as_str);
    let file = files.find(|file| file.ends_with(".rlib"))?;
    ["clap", "ringboot", "tracing"]
        .contains(&name)
        .then(|| (name.to_owned(), file.to_owned()))
}

impl Image {
    fn build(program: PathBuf) -> Self {
        let dir = TempDir::with_prefix("ringboot-image-").expect("a temporary directory");
        let layout = dir.path().join("oci");
        let storage = dir.path().join("storage");
        let policy = dir.path().join("storage.conf");
        let text = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
            storage.display()
        );
        fs::write(&policy, text).expect("a file");
        succeed(
            Command::new(from_here("deploy/container/build"))
                .arg("--binary")
                .arg(program)
                .arg(format!("oci:{}", layout.display()))
                .env("BUILDAH_ISOLATION", "chroot")
                // Nothing of it stays in the machine's own storage of images.
                .env("CONTAINERS_STORAGE_CONF", policy),
        );
        let index = json(&layout.join("index.json"));
        let manifest = json(&blob(&layout, &index["manifests"][0]));
        let layers = manifest["layers"].as_array().expect("layers").iter();
        Self {
            config: json(&blob(&layout, &manifest["config"])),
            layers: layers.map(|layer| blob(&layout, layer)).collect(),
            dir,
        }
    }

    /// A folder with the image's files in it.
    pub fn unpack(&self, into: &Path) {
        fs::create_dir_all(into).expect("a folder");
        for layer in &self.layers {
            succeed(
                Command::new("tar")
                    .arg("-xf")
                    .arg(layer)
                    .arg("-C")
                    .arg(into),
            );
        }
    }

    fn scratch(&self) -> PathBuf {
        self.dir.path().join("look")
    }
}

/// Where a descriptor's content is.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().expect("a digest");
    layout.join("blobs").join(digest.replace(':', "/"))
}

pub fn json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A file of the project.
pub fn from_here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_image_is_one_static_binary_with_labels_and_a_numeric_user() {
    if !possible() {
        return;
    }
    let image = image();
    let config = &image.config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/ringboot"]));
    assert_eq!(
        config["Cmd"],
        serde_json::json!(["serve", "--root", "/srv/tftp"])
    );
    assert_eq!(config["StopSignal"], "SIGTERM");
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str();
    assert_eq!(label("title"), Some("ringboot"));
    assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(label("licenses"), Some("MIT OR Apache-2.0"));
    assert_ne!(label("revision").expect("a revision"), "");

    let root = image.scratch();
    image.unpack(&root);
    let files: Vec<_> = fs::read_dir(&root).expect("a folder").collect();
    assert_eq!(files.len(), 1, "one file and nothing else: {files:?}");
    let program = root.join("ringboot");
    let headers = succeed(Command::new("readelf").args(["-lW"]).arg(&program));
    assert!(!headers.contains("INTERP"), "it needs a loader:\n{headers}");
    let version = succeed(Command::new(&program).arg("--version"));
    assert_eq!(
        version.trim(),
        format!("ringboot {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_program_that_needs_libraries_makes_no_image() {
    if !possible() {
        return;
    }
    let output = Command::new(from_here("deploy/container/build"))
        .args(["--binary", env!("CARGO_BIN_EXE_ringboot")])
        .output()
        .expect("the script");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is no static program"), "{text}");
}
