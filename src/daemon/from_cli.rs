//! What is set, in the words of the configuration, as the daemon's options.
//! It never checks a value: whoever read it did.

use core::net::SocketAddr;
use std::env;
use std::path::Path;

use super::Options;
use super::sandbox::{self, Mode};
use crate::cli::{
    self, Environment, IoBackend, Listen as Asked, LogFormat, LogLevel, ServeArgs, Size,
    UploadPolicy, groups_v4, groups_v6,
};
use crate::config::{ConfigError, File, Parsed, Plan as Naming, Server, Settings, UploadTable};
use crate::endpoint::{GroupRange, Policy};
use crate::files::upload::{self, Replace};
use crate::hpa::{MapError, MapSource};
use crate::observe::admin::{self, AdminError};
use crate::observe::log::Level;
use crate::shard::{self, IoChoice, Listen, Plan, ZeroCopy};
use crate::transfer::Nanos;

/// Why `serve` does not know what to do.
#[derive(Debug)]
pub enum Unclear {
    Config(ConfigError),
    Map(MapError),
    Admin(AdminError),
    /// Two settings exclude each other.
    Impossible(String),
    /// Nobody names a directory.
    NoRoot,
    /// A setting that changes nothing without another one.
    Pointless(&'static str, &'static str),
}

impl core::fmt::Display for Unclear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Map(error) => error.fmt(f),
            Self::Admin(error) => error.fmt(f),
            Self::Impossible(why) => f.write_str(why),
            Self::NoRoot => f.write_str(
                "no directory to serve: give --root DIR, RINGBOOT_ROOT or --config FILE",
            ),
            Self::Pointless(flag, without) => write!(f, "{flag} changes nothing without {without}"),
        }
    }
}

impl core::error::Error for Unclear {}

/// What the settings ask for.
#[derive(Debug)]
pub struct Asking {
    pub options: Options,
    pub log: LogFormat,
    pub level: Level,
    pub settings: Settings,
}

impl Asking {
    /// Reads the environment, and the configuration file if one is named.
    ///
    /// # Errors
    /// When there are mistakes, or nobody names a directory to serve.
    pub fn new(args: &ServeArgs) -> Result<Self, Unclear> {
        let settings = settings(args.into(), args.config.as_deref()).map_err(Unclear::Config)?;
        Self::of(args, settings)
    }

    /// Reads everything again for a server that runs by other settings: what needs a restart stays
    /// as it is there, and is named.
    ///
    /// # Errors
    /// As [`Asking::new`].
    pub fn again(args: &ServeArgs, running: &File) -> Result<(Self, Vec<&'static str>), Unclear> {
        let settings = settings(args.into(), args.config.as_deref());
        let mut settings = settings.map_err(Unclear::Config)?;
        let kept = settings.config.file.keep_fixed(running);
        Ok((Self::of(args, settings)?, kept))
    }

    fn of(args: &ServeArgs, settings: Settings) -> Result<Self, Unclear> {
        let naming = naming(&settings)?;
        if !naming.takes_uploads() && args.upload.says_how() {
            return Err(Unclear::Pointless("--upload-…", "--upload DIR"));
        }
        if args.multicast.says_how() && groups(&settings.config.file).is_none() {
            return Err(Unclear::Pointless("--multicast-…", "--multicast ADDR/LEN"));
        }
        let file = &settings.config.file;
        let Server { log, log_level, .. } = file.server();
        let admin = admin(file).map_err(Unclear::Admin)?;
        let options = Options {
            admin,
            sandbox: sandbox(&settings),
            takeover: args.takeover,
            ..options(file, naming)
        };
        if options.takeover && options.single_port {
            return Err(Unclear::Impossible(
                "--takeover needs data ports: with single-port, clients of the old server would meet the \
                 new one"
                    .to_owned(),
            ));
        }
        Ok(Self {
            options,
            log,
            level: match log_level {
                LogLevel::Error => Level::ERROR,
                LogLevel::Warn => Level::WARN,
                LogLevel::Info => Level::INFO,
                LogLevel::Debug => Level::DEBUG,
            },
            settings,
        })
    }
}

/// The flags over the environment over the file.
///
/// # Errors
/// Every mistake in the file's form and in the environment.
pub fn settings(flags: File, config: Option<&Path>) -> Result<Settings, ConfigError> {
    Settings::read(flags, config, Environment::read(env::vars_os()))
}

/// The naming policy of the settings, with the map file that they name.
///
/// # Errors
/// When they contradict themselves, or name no directory.
pub fn naming(settings: &Settings) -> Result<Naming, Unclear> {
    let config = &settings.config;
    let file = &config.file;
    let default = file
        .roots
        .iter()
        .find(|(name, _)| name.get_ref() == "default");
    let named = file.root.is_some() || default.is_some_and(|(_, table)| table.path.is_some());
    if !config.is_file() && !named {
        return Err(Unclear::NoRoot);
    }
    let mut naming = config.plan().map_err(Unclear::Config)?;
    if let Some(path) = &file.map_file {
        naming.rewrite_by(MapSource::open(path, None).map_err(Unclear::Map)?);
    }
    Ok(naming)
}

fn options(file: &File, naming: Naming) -> Options {
    let server = file.server();
    let upload = naming.takes_uploads().then(|| upload_policy(file));
    Options {
        naming,
        sandbox: sandbox::Settings::default(),
        access: file.access(),
        listen: listen(&server.listen),
        shards: server.shards,
        io: match server.io {
            IoBackend::Auto => IoChoice::Auto,
            IoBackend::Uring => IoChoice::Uring,
            IoBackend::Epoll => IoChoice::Epoll,
        },
        zero_copy: match server.zero_copy {
            cli::ZeroCopy::Auto => ZeroCopy::Auto,
            cli::ZeroCopy::Off => ZeroCopy::Off,
        },
        single_port: server.single_port,
        takeover: false,
        data_ports: server.data_ports.map(|range| range.ports().into_inner()),
        frame_memory: server.frame_memory << 20,
        multicast_hops: server.multicast_hops,
        admin: None,
        settings: shard::Settings {
            policy: Policy {
                max_windowsize: server.max_windowsize,
                groups: groups(file),
                uploads: upload.is_some(),
                ..Policy::default()
            }
            .with_msftwindow(server.msftwindow),
            max_blksize: server.max_blksize,
            drain_timeout: Nanos::from_secs(server.drain_timeout),
            shard: 0,
            shards: 1,
        },
        upload,
    }
}

/// Where the admin port is to be, if there is to be one.
fn admin(file: &File) -> Result<Option<admin::Plan>, AdminError> {
    let Some(addr) = file.server().admin else {
        return Ok(None);
    };
    admin::Plan::new(addr.0, file.admin_token_file.clone()).map(Some)
}

fn sandbox(settings: &Settings) -> sandbox::Settings {
    let config = &settings.config;
    let server = config.file.server();
    let templates = config.file.templates.values();
    let templates = templates.filter_map(|template| template.file.as_ref());
    let templates = templates.map(|path| path.get_ref().clone());
    sandbox::Settings {
        mode: match server.sandbox {
            cli::Sandbox::Auto => Mode::Auto,
            cli::Sandbox::Off => Mode::Off,
            cli::Sandbox::Strict => Mode::Strict,
        },
        user: server.user,
        read_again: templates
            .chain(config.is_file().then(|| config.path.clone()))
            .collect(),
    }
}

fn groups(file: &File) -> Option<GroupRange> {
    let server = file.server();
    let (v4, v6) = (groups_v4(&file.multicast.0), groups_v6(&file.multicast.0));
    (v4.is_some() || v6.is_some()).then(|| GroupRange {
        v4,
        v6,
        port: server.multicast_port,
        gather: Nanos::from_secs(server.multicast_wait),
    })
}

/// What may be uploaded.
#[must_use]
pub fn upload_policy(file: &File) -> upload::Policy {
    let UploadTable {
        allow,
        max_file,
        max_client,
        max_total,
        ..
    } = &file.upload;
    let size = |size: &Option<Parsed<Size>>| size.as_ref().map(|size| size.0.0);
    upload::Policy {
        replace: match file.server().upload_policy {
            UploadPolicy::Create => Replace::Never,
            UploadPolicy::Overwrite => Replace::Allowed,
            UploadPolicy::Existing => Replace::Required,
        },
        allow: allow.0.clone(),
        max_file: size(max_file),
        max_client: size(max_client),
        max_total: size(max_total),
        in_tftpd: None,
    }
}

fn listen(asked: &[Asked]) -> Vec<Listen> {
    if asked.is_empty() {
        return Plan::default_listen();
    }
    asked.iter().flat_map(addresses).collect()
}

/// A port alone means every address, of IPv6 only where the host speaks it.
fn addresses(asked: &Asked) -> Vec<Listen> {
    match asked.ip {
        Some(ip) => vec![Listen {
            addr: SocketAddr::new(ip, asked.port),
            optional: false,
        }],
        None => Plan::default_listen()
            .into_iter()
            .map(|mut listen| {
                listen.addr.set_port(asked.port);
                listen
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asking(args: &[&str]) -> Result<Asking, Unclear> {
        let all = ["ringboot", "serve"].iter().chain(args);
        match Cli::try_parse_from(all).expect("arguments").command {
            Command::Serve(args) => Asking::new(&args),
            other => panic!("not serve: {other:?}"),
        }
    }

    #[test]
    fn serve_alone_has_the_promised_defaults() {
        let Asking { options, log, .. } = asking(&["/srv"]).expect("options");
        assert_eq!(options.listen.len(), Plan::default_listen().len());
        assert!(options.shards.is_none() && !options.single_port && options.data_ports.is_none());
        assert_eq!((options.io, log), (IoChoice::Auto, LogFormat::Auto));
        assert_eq!(options.settings.policy.max_windowsize, 64);
        assert_eq!(options.settings.drain_timeout, Nanos::from_secs(30));
        assert_eq!(options.frame_memory, 256 << 20);
        assert!(matches!(asking(&[]), Err(Unclear::NoRoot)));
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let dir = TempDir::new().expect("a directory");
        let path = write(
            &dir,
            "version = 1\nroot = \"boot\"\nshards = 3\nmax-windowsize = 8\nsingle-port = true\n",
        );
        let path = path.to_str().expect("text");
        let of_file = asking(&["--config", path]).expect("options").options;
        assert_eq!(
            (of_file.shards, of_file.settings.policy.max_windowsize),
            (Some(3), 8)
        );
        assert_eq!(of_file.naming.roots[0].path, dir.path().join("boot"));
        assert!(of_file.single_port);
        let flags = [
            "--config",
            path,
            "--shards",
            "1",
            "--root",
            "/x",
            "--data-ports",
            "8-9",
        ];
        let both = asking(&flags).expect("options").options;
        assert_eq!(
            (both.shards, both.settings.policy.max_windowsize),
            (Some(1), 8)
        );
        assert_eq!(both.naming.roots[0].path, Path::new("/x"));
        assert_eq!((both.single_port, both.data_ports), (false, Some((8, 9))));
    }

    fn write(dir: &TempDir, text: &str) -> PathBuf {
        let path = dir.path().join("ringboot.toml");
        fs::write(&path, text).expect("written");
        path
    }
}
