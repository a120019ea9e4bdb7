//! The command line: what may be asked for, with which defaults, and the help that says so.
//! It never opens a file or a socket; a wrong value is refused here, before anything starts.

mod address;
mod admin;
mod advice;
mod client;
mod environment;
mod in_tftpd;
mod limits;
mod multicast;
mod nearest;
mod sandbox;
mod upload;
mod values;

pub use address::{Listen, Target};
pub use admin::{AdminAddr, AdminArgs, TopArgs};
pub use advice::{CheckArgs, ConfigArgs, ExplainArgs, ImportArgs, ImportCommand};
pub use client::{GetArgs, ProbeArgs, PutArgs, TransferArgs};
pub use environment::{Environment, flags, variable};
pub use in_tftpd::InTftpdArgs;
pub use limits::LimitArgs;
pub use multicast::{GroupPrefix, MulticastArgs, groups_v4, groups_v6};
pub use sandbox::{Sandbox, SandboxArgs};
pub use upload::{UploadArgs, UploadPolicy};
pub use values::{PortRange, Size};

pub(crate) use nearest::nearest;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::endpoint::Prefix;
use values::{number, whole_seconds, yes_or_no};

/// A TFTP server for farms of machines that boot over the network.
#[derive(Debug, Parser)]
#[command(
    name = "ringboot",
    version,
    about,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 clean, 1 failure at run time, 2 wrong usage (probe: 2 also when dead)."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a directory, read-only unless --upload allows more
    #[command(
        override_usage = "ringboot serve [OPTIONS] DIR\n       ringboot serve [OPTIONS] --config FILE"
    )]
    Serve(ServeArgs),
    /// Fetch a file from a TFTP server
    Get(GetArgs),
    /// Send a file to a TFTP server
    Put(PutArgs),
    /// Ask whether a TFTP server is alive: one line for Nagios, exit 0 alive, 2 dead
    Probe(ProbeArgs),
    /// Find what would go wrong: configuration, rules, roots, ports, kernel
    #[command(
        override_usage = "ringboot check [OPTIONS] DIR\n       ringboot check [OPTIONS] --config FILE"
    )]
    Check(CheckArgs),
    /// Print the settings in force as a configuration file, and where each comes from
    #[command(
        override_usage = "ringboot config [OPTIONS] DIR\n       ringboot config [OPTIONS] --config FILE"
    )]
    Config(ConfigArgs),
    /// Tell which file a request means and why: the rules it meets, the answer it gets
    Explain(ExplainArgs),
    /// Watch the farm of a running server in the terminal
    Top(TopArgs),
    /// Be tftp-hpa's in.tftpd: take its command line, serve from inetd or on its own
    #[command(name = "in.tftpd", visible_alias = "tftpd")]
    InTftpd(InTftpdArgs),
    /// Translate another server's configuration
    #[command(subcommand)]
    Import(ImportCommand),
    /// Write man pages or shell completions, for packages
    #[command(subcommand, hide = true)]
    Generate(GenerateCommand),
}

#[derive(Debug, Subcommand)]
pub enum GenerateCommand {
    /// A man page for ringboot and one for each command
    Man {
        /// Where to write them
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// A completion script on standard output
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  ringboot serve /srv/tftp
  ringboot serve --root /srv/tftp --listen 10.0.0.1:69 --listen [fd00::1]:69
  ringboot serve /srv/tftp --data-ports 40000-40063     # for a firewall
  ringboot serve /srv/tftp --single-port                # behind NAT, in Kubernetes
  ringboot serve --config /etc/ringboot.toml            # rules, several roots, templates
  RINGBOOT_ROOT=/srv/tftp ringboot serve --shards 2     # every flag is a variable, too
  ringboot serve /srv/tftp --upload /srv/backup --upload-allow '*.cfg' --upload-max-file 1M

Every setting has one name: --drain-timeout is RINGBOOT_DRAIN_TIMEOUT in the environment (lists with commas) and
drain-timeout in the configuration file. A flag wins over the environment, the environment over the file;
`ringboot config` tells what is in force.

It prints one line on standard error when ready. SIGTERM drains; a second SIGTERM ends at once. SIGHUP reads the
configuration again.")]
pub struct ServeArgs {
    #[command(flatten)]
    root: RootArg,

    /// Address to serve on; may be repeated. ADDR:PORT, [V6]:PORT, ADDR alone (port 69) or :PORT
    /// (every address). Default: port 69 on every address, IPv4 and IPv6
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<Listen>,

    /// Shards, each one core's loop with its own sockets. Default: one for each core that the
    /// process may use
    #[arg(long, value_name = "N", value_parser = number::<u16, 1, 1024>)]
    pub shards: Option<u16>,

    /// How packets reach the kernel. auto takes io_uring where it works, else epoll; uring is
    /// strict and refuses to start without it [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "auto|uring|epoll",
        hide_possible_values = true
    )]
    pub io: Option<IoBackend>,

    /// Let Windows' boot manager choose the size of each next window, up to 255 blocks (its option
    /// msftwindow). Not yet seen to work with a real one
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = yes_or_no)]
    pub msftwindow: Option<bool>,

    /// Answer from the port that was asked instead of from a data port: for NAT and strict firewalls
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = yes_or_no, conflicts_with = "data_ports")]
    pub single_port: Option<bool>,

    /// Serve beside a ringboot of the same user that still has the port, so that none of its requests
    /// is lost: start this one, and when it is ready send the old one SIGTERM
    #[arg(long, conflicts_with = "single_port")]
    pub takeover: bool,

    /// Take the data ports from this range (inclusive) instead of random ones
    #[arg(long, value_name = "LO-HI")]
    pub data_ports: Option<PortRange>,

    /// Largest blksize to grant. Default: what fits the interface's MTU without fragments
    #[arg(long, value_name = "N", value_parser = number::<u16, 8, 65464>)]
    pub max_blksize: Option<u16>,

    /// Largest windowsize to grant; 1 turns windows off [default: 64]
    #[arg(long, value_name = "N", value_parser = number::<u16, 1, 65535>)]
    pub max_windowsize: Option<u16>,

    /// Memory for files that several clients fetch at once, laid out as they are sent; 0 turns that
    /// off [default: 256]
    #[arg(long, value_name = "MIB", value_parser = number::<u64, 0, 1_073_741_823>)]
    pub frame_memory: Option<u64>,

    /// Whether large trains of framed files go out without being copied. auto: with io_uring, where
    /// the device can, as the kernel reports train by train [default: auto]
    #[arg(long, value_enum, value_name = "auto|off", hide_possible_values = true)]
    pub zero_copy: Option<ZeroCopy>,

    #[command(flatten)]
    pub multicast: MulticastArgs,

    #[command(flatten)]
    pub upload: UploadArgs,

    #[command(flatten)]
    pub admin: AdminArgs,

    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// How long running transfers may still take after SIGTERM [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = whole_seconds)]
    pub drain_timeout: Option<Duration>,

    /// Form of the log on standard error. auto is text on a terminal, lines for the journal where
    /// that is systemd's, else JSON [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "auto|text|json|journald",
        hide_possible_values = true
    )]
    pub log: Option<LogFormat>,

    /// What is logged. info has a line for each transfer; debug adds every single refusal [default: info]
    #[arg(
        long,
        value_enum,
        value_name = "error|warn|info|debug",
        hide_possible_values = true
    )]
    pub log_level: Option<LogLevel>,

    /// Serve only clients with these addresses; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<Prefix>,

    /// Serve no clients with these addresses, whatever else allows them; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub deny: Vec<Prefix>,

    #[command(flatten)]
    pub limits: LimitArgs,

    /// Ask the kernel for the hardware addresses of machines on its own links [default: true]
    #[arg(long, value_name = "true|false", value_parser = yes_or_no)]
    pub neighbours: Option<bool>,

    /// Rewrite names by this map file of tftp-hpa before anything else; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub map_file: Option<PathBuf>,

    /// Configuration file (TOML); flags and RINGBOOT_ variables win over it. SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The directory, with or without `--root` before it; unless the configuration file names it,
/// exactly one of the two.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
struct RootArg {
    /// The same as DIR without a flag
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Directory to serve
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl ServeArgs {
    /// The directory to serve, where the command line names it.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.root.as_deref().or(self.root.dir.as_deref())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoBackend {
    Auto,
    Uring,
    Epoll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroCopy {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    Auto,
    Text,
    Json,
    Journald,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn serve(args: &[&str]) -> Result<ServeArgs, clap::Error> {
        let all = ["ringboot", "serve"].iter().chain(args);
        match Cli::try_parse_from(all)?.command {
            Command::Serve(args) => Ok(args),
            other => panic!("not serve: {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_root_is_given_once_with_or_without_its_flag() {
        for args in [&["--root", "/srv"][..], &["/srv"]] {
            assert_eq!(serve(args).unwrap().root(), Some(Path::new("/srv")));
        }
        assert_eq!(serve(&[]).unwrap().root(), None);
        assert!(serve(&["/srv", "--root", "/srv"]).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            &["--shards", "0"][..],
            &["--max-blksize", "7"],
            &["--max-blksize", "65465"],
            &["--max-windowsize", "0"],
            &["--io", "magic"],
            &["--data-ports", "9-8"],
            &["--single-port", "--data-ports", "8-9"],
            &["--listen", "nowhere"],
        ] {
            let args: Vec<&str> = ["/srv"].iter().chain(bad).copied().collect();
            assert!(serve(&args).is_err(), "{bad:?}");
        }
    }
}
