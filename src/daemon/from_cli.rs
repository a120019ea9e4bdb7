//! The command line's words and the configuration file's as the daemon's options: flags win.
//! It never checks a value: the command line and the file did.

use core::net::SocketAddr;
use std::path::Path;

use super::Options;
use crate::cli::{
    self, AdminArgs, IoBackend, Listen as Asked, LogFormat, MulticastArgs, ServeArgs, UploadArgs,
    UploadPolicy,
};
use crate::config::{Config, ConfigError, File, Plan as Naming};
use crate::endpoint::{GroupRange, Policy};
use crate::files::upload::{self, Replace};
use crate::hpa::{MapError, MapSource};
use crate::observe::admin::{self, AdminError};
use crate::shard::{IoChoice, Listen, Plan, Settings, ZeroCopy};
use crate::transfer::Nanos;

/// Why `serve` does not know what to do.
#[derive(Debug)]
pub enum Unclear {
    Config(ConfigError),
    Map(MapError),
    Admin(AdminError),
    /// Neither the command line nor a file names a directory.
    NoRoot,
}

impl core::fmt::Display for Unclear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Map(error) => error.fmt(f),
            Self::Admin(error) => error.fmt(f),
            Self::NoRoot => f.write_str("no directory to serve: give --root DIR or --config FILE"),
        }
    }
}

impl core::error::Error for Unclear {}

/// What the command line and the file together ask for.
#[derive(Debug)]
pub struct Asking {
    pub options: Options,
    pub log: LogFormat,
}

impl Asking {
    /// Reads the configuration file, if one is named.
    ///
    /// # Errors
    /// When the file has mistakes, or nobody names a directory to serve.
    pub fn new(args: &ServeArgs) -> Result<Self, Unclear> {
        let config = args.config.as_deref().map(Config::read).transpose();
        let config = config.map_err(Unclear::Config)?;
        let mut naming = match (&config, args.root()) {
            (Some(config), root) => config.plan(root).map_err(Unclear::Config)?,
            (None, Some(root)) => Naming::plain(root),
            (None, None) => return Err(Unclear::NoRoot),
        };
        add_map(&mut naming, args.map_file.as_deref(), config.as_ref()).map_err(Unclear::Map)?;
        let admin = admin(&args.admin, config.as_ref()).map_err(Unclear::Admin)?;
        let file = config.map(|config| config.file).unwrap_or_default();
        let log = args.log.unwrap_or(file.server().log);
        let options = Options {
            admin,
            ..options(args, &file, naming)
        };
        Ok(Self { options, log })
    }
}

/// Reads the map file, if the command line or the configuration names one.
///
/// # Errors
/// When it cannot be read or a line of it is faulty.
pub fn add_map(
    naming: &mut Naming,
    given: Option<&Path>,
    config: Option<&Config>,
) -> Result<(), MapError> {
    let of_file = || {
        let config = config?;
        let above = config.path.parent().unwrap_or(Path::new(""));
        Some(above.join(config.file.map_file.as_deref()?))
    };
    if let Some(path) = given.map(Path::to_owned).or_else(of_file) {
        naming.rewrite_by(MapSource::open(&path, None)?);
    }
    Ok(())
}

fn options(args: &ServeArgs, file: &File, naming: Naming) -> Options {
    let of_file = file.server();
    let listen_on = if args.listen.is_empty() {
        &of_file.listen
    } else {
        &args.listen
    };
    // The two exclude each other, so a flag for one silences the file about the other.
    let of_file_ports = of_file.data_ports.filter(|_| !args.single_port);
    let data_ports = args.data_ports.or(of_file_ports);
    let single_port = args.single_port || (of_file.single_port && data_ports.is_none());
    let drain_timeout = args.drain_timeout.map(Nanos::from);
    Options {
        naming,
        access: file.access(&args.allow, &args.deny, single_port),
        listen: listen(listen_on),
        shards: args.shards.or(of_file.shards),
        io: match args.io.unwrap_or(of_file.io) {
            IoBackend::Auto => IoChoice::Auto,
            IoBackend::Uring => IoChoice::Uring,
            IoBackend::Epoll => IoChoice::Epoll,
        },
        zero_copy: match args.zero_copy.unwrap_or(of_file.zero_copy) {
            cli::ZeroCopy::Auto => ZeroCopy::Auto,
            cli::ZeroCopy::Off => ZeroCopy::Off,
        },
        single_port,
        data_ports: data_ports.map(|range| range.ports().into_inner()),
        frame_memory: args.frame_memory.unwrap_or(of_file.frame_memory) << 20,
        upload: upload(&args.upload),
        multicast_hops: args.multicast.multicast_hops,
        admin: None,
        settings: Settings {
            policy: Policy {
                max_windowsize: args.max_windowsize.unwrap_or(of_file.max_windowsize),
                groups: groups(&args.multicast),
                uploads: args.upload.dir.is_some(),
                ..Policy::default()
            },
            max_blksize: args.max_blksize.or(of_file.max_blksize),
            drain_timeout: drain_timeout.unwrap_or(Nanos::from_secs(of_file.drain_timeout)),
            shard: 0,
            shards: 1,
        },
    }
}

/// Where the admin port is to be, if there is to be one.
fn admin(args: &AdminArgs, config: Option<&Config>) -> Result<Option<admin::Plan>, AdminError> {
    let of_file = || config?.file.server().admin;
    let Some(addr) = args.admin.or_else(of_file) else {
        return Ok(None);
    };
    let token_of_file = || {
        let config = config?;
        let above = config.path.parent().unwrap_or(Path::new(""));
        Some(above.join(config.file.admin_token_file.as_deref()?))
    };
    let token_file = args.admin_token_file.clone().or_else(token_of_file);
    admin::Plan::new(addr.0, token_file).map(Some)
}

fn groups(args: &MulticastArgs) -> Option<GroupRange> {
    let (v4, v6) = (args.v4(), args.v6());
    (v4.is_some() || v6.is_some()).then(|| GroupRange {
        v4,
        v6,
        port: args.multicast_port,
        gather: args.wait().into(),
    })
}

fn upload(args: &UploadArgs) -> Option<upload::Policy> {
    Some(upload::Policy {
        dir: args.dir.clone()?,
        replace: match args.policy {
            UploadPolicy::Create => Replace::Never,
            UploadPolicy::Overwrite => Replace::Allowed,
            UploadPolicy::Existing => Replace::Required,
        },
        allow: args.allow.clone(),
        max_file: args.max_file.map(|size| size.0),
        max_client: args.max_client.map(|size| size.0),
        max_total: args.max_total.map(|size| size.0),
    })
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
        let Asking { options, log } = asking(&["/srv"]).expect("options");
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
