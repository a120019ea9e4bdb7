//! A configuration file beside the roots that it speaks of, and servers that read it.
//! It never outlives its test.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use crate::support::{Fetch, Root, Server, Setup};

/// A directory with a configuration and roots; `root` is the default one.
pub struct Site {
    dir: Root,
}

impl Site {
    /// `config` is what follows `version = 1`; its paths begin here.
    pub fn new(config: &str) -> Self {
        let site = Self { dir: Root::new() };
        site.dir
            .write("ringboot.toml", format!("version = 1\n{config}").as_bytes());
        std::fs::create_dir(site.root()).expect("a directory");
        site
    }

    /// Writes a file whose content is its own path, so that a test sees which one came.
    pub fn file(self, path: &str) -> Self {
        self.dir.write(path, path.as_bytes());
        self
    }

    pub fn files(self, paths: &[&str]) -> Self {
        paths.iter().fold(self, |site, path| site.file(path))
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn config(&self) -> String {
        self.dir
            .path()
            .join("ringboot.toml")
            .to_str()
            .expect("a plain path")
            .into()
    }

    pub fn serve(&self, setup: Setup) -> Server {
        Server::on(&self.root(), setup)
            .args(&["--config", &self.config()])
            .start()
    }
}

/// What a client at `ip` gets for a name: the content, or the code and text of an ERROR.
pub fn ask(server: &Server, ip: &str, name: &str) -> Result<String, (u16, String)> {
    ask_with(server, ip, name, &[])
}

pub fn ask_with(
    server: &Server,
    ip: &str,
    name: &str,
    options: &[(&str, &str)],
) -> Result<String, (u16, String)> {
    let socket = UdpSocket::bind((ip, 0)).expect("an address of this host");
    match Fetch::from(socket, server.addr(), name, options).run() {
        Ok(fetched) => Ok(String::from_utf8(fetched.data).expect("text")),
        Err(crate::support::fetch::Failed::Error { code, text }) => Err((code, text)),
        Err(other) => panic!("{name}: {other:?}"),
    }
}
