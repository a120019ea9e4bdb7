//! The command line: what may be asked for, with which defaults, and the help that says so.
//! It never opens a file or a socket; a wrong value is refused here, before anything starts.

mod address;
mod admin;
mod in_tftpd;
mod multicast;
mod upload;
mod values;

pub use address::{Listen, Target};
pub use admin::{AdminAddr, AdminArgs, TopArgs};
pub use in_tftpd::InTftpdArgs;
pub use multicast::MulticastArgs;
pub use upload::{UploadArgs, UploadPolicy};
pub use values::{PortRange, Size};

use core::net::IpAddr;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::endpoint::Prefix;
use crate::names::Mac;
use values::{name_and_value, seconds, whole_seconds};

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
    Serve(ServeArgs),
    /// Fetch a file from a TFTP server
    Get(GetArgs),
    /// Send a file to a TFTP server
    Put(PutArgs),
    /// Ask whether a TFTP server is alive: one line for Nagios, exit 0 alive, 2 dead
    Probe(ProbeArgs),
    /// Find what would go wrong: configuration, rules, roots, ports, kernel
    Check(CheckArgs),
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
}

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// dnsmasq's tftp-* options as a configuration for --config
    Dnsmasq(ImportArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot import dnsmasq /etc/dnsmasq.conf > ringboot.toml
  ringboot check --config ringboot.toml

Every line that has no counterpart stands in a comment at the top of the result.")]
pub struct ImportArgs {
    /// The configuration to translate; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Where to write instead of standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot serve /srv/tftp
  ringboot serve --root /srv/tftp --listen 10.0.0.1:69 --listen [fd00::1]:69
  ringboot serve /srv/tftp --data-ports 40000-40063     # for a firewall
  ringboot serve /srv/tftp --single-port                # behind NAT, in Kubernetes
  ringboot serve --config /etc/ringboot.toml            # rules, several roots, templates
  ringboot serve /srv/tftp --upload /srv/backup --upload-allow '*.cfg' --upload-max-file 1M

It prints one line on standard error when ready. SIGTERM drains; a second SIGTERM ends at once.")]
pub struct ServeArgs {
    #[command(flatten)]
    root: RootArg,

    /// Address to serve on; may be repeated. ADDR:PORT, [V6]:PORT, ADDR alone (port 69) or :PORT
    /// (every address). Default: port 69 on every address, IPv4 and IPv6
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<Listen>,

    /// Shards, each one core's loop with its own sockets. Default: one for each core that the
    /// process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
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

    /// Answer from the port that was asked instead of from a data port: for NAT and strict firewalls
    #[arg(long, conflicts_with = "data_ports")]
    pub single_port: bool,

    /// Take the data ports from this range (inclusive) instead of random ones
    #[arg(long, value_name = "LO-HI")]
    pub data_ports: Option<PortRange>,

    /// Largest blksize to grant. Default: what fits the interface's MTU without fragments
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=65464))]
    pub max_blksize: Option<u16>,

    /// Largest windowsize to grant; 1 turns windows off [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_windowsize: Option<u16>,

    /// Memory for files that several clients fetch at once, laid out as they are sent; 0 turns that
    /// off [default: 256]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(..1 << 30))]
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

    /// How long running transfers may still take after SIGTERM [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = whole_seconds)]
    pub drain_timeout: Option<Duration>,

    /// Form of the log on standard error. auto is text on a terminal, else JSON [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "auto|text|json",
        hide_possible_values = true
    )]
    pub log: Option<LogFormat>,

    /// Serve only clients with these addresses; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<Prefix>,

    /// Serve no clients with these addresses, whatever else allows them; may be repeated
    #[arg(long, value_name = "PREFIX")]
    pub deny: Vec<Prefix>,

    /// Rewrite names by this map file of tftp-hpa before anything else; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub map_file: Option<PathBuf>,

    /// Configuration file (TOML); what is given as a flag wins over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The directory, with or without `--root` before it; unless the configuration file names it,
/// exactly one of the two.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct RootArg {
    /// Directory to serve
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// The same as --root DIR
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoBackend {
    Auto,
    Uring,
    Epoll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroCopy {
    Auto,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot get 10.0.0.1 pxelinux.0
  ringboot get 10.0.0.1 images/initrd.img -o /tmp/initrd.img --windowsize 64
  ringboot get [fd00::1]:6969 grub.cfg --netascii -o -

The output file appears under its name only when it is complete.")]
pub struct GetArgs {
    /// The server: name, IPv4, [IPv6] or bare IPv6; port 69 unless given
    #[arg(value_name = "HOST[:PORT]")]
    pub server: Target,

    /// The file's name as the server knows it
    #[arg(value_name = "FILE")]
    pub file: OsString,

    /// Where to write: a file, a directory, or - for standard output. Default: the last part of
    /// FILE, in the current directory
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,

    // 1428 + 4 TFTP + 8 UDP + 40 IPv6 = 1480: whole in an MTU of 1500, also within an IP tunnel.
    /// Bytes in a block to ask for. The default crosses an Ethernet whole, also inside a tunnel
    #[arg(long, value_name = "N", default_value_t = 1428, value_parser = clap::value_parser!(u16).range(8..=65464))]
    pub blksize: u16,

    /// Blocks for each acknowledgement to ask for (RFC 7440)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub windowsize: u16,

    /// Transfer as text: line ends become those of this system
    #[arg(long)]
    pub netascii: bool,

    /// Longest wait before a packet is sent again; the usual wait follows the measured round trip.
    /// Whole seconds are also asked of the server (RFC 2349). Default: 5
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// How often in a row a packet is sent again before the transfer has failed
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u16,

    /// No progress bar and no summary; errors still speak
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot put 10.0.0.1 switch.cfg
  ringboot put 10.0.0.1 ./running-config --as backup/sw-07.cfg --netascii
  dmesg | ringboot put 10.0.0.1 - --as dmesg.txt

It ends with exit status 0 only when the server has acknowledged the whole file.")]
pub struct PutArgs {
    /// The server: name, IPv4, [IPv6] or bare IPv6; port 69 unless given
    #[arg(value_name = "HOST[:PORT]")]
    pub server: Target,

    /// The file to send; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The file's name at the server. Default: the last part of FILE
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<OsString>,

    /// Bytes in a block to ask for. The default crosses an Ethernet whole, also inside a tunnel
    #[arg(long, value_name = "N", default_value_t = 1428, value_parser = clap::value_parser!(u16).range(8..=65464))]
    pub blksize: u16,

    /// Blocks for each acknowledgement to ask for (RFC 7440)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub windowsize: u16,

    /// Transfer as text: line ends become those of the network
    #[arg(long)]
    pub netascii: bool,

    /// Longest wait before a packet is sent again; the usual wait follows the measured round trip.
    /// Whole seconds are also asked of the server (RFC 2349)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// No progress bar and no summary; errors still speak
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot probe 10.0.0.1
  ringboot probe tftp.example.net:69 --file pxelinux.0 --timeout 1

Any TFTP answer means alive, \"File not found\" too: the file need not exist.
Exit status: 0 alive, 2 dead or unknown host.")]
pub struct ProbeArgs {
    /// The server: name, IPv4, [IPv6] or bare IPv6; port 69 unless given
    #[arg(value_name = "HOST[:PORT]")]
    pub server: Target,

    /// The file to ask for
    #[arg(long, value_name = "NAME", default_value = "ringboot-probe")]
    pub file: OsString,

    /// How long to wait for an answer; the request is sent again at half of it
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot check --config /etc/ringboot.toml
  ringboot check /srv/tftp --listen 10.0.0.1:69

It takes every flag of serve and starts nothing.
Exit status: 0 good (warnings are told), 1 problems, 2 wrong usage.")]
pub struct CheckArgs {
    #[command(flatten)]
    pub serve: ServeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ringboot explain pxelinux.cfg/default --from 10.0.0.7 --config /etc/ringboot.toml
  ringboot explain 'Boot\\BCD' --from 10.0.0.7 --mac 52:54:00:12:34:56 --root /srv/tftp

Exit status: 0 it would be served, 1 it would be refused, 2 wrong usage.")]
pub struct ExplainArgs {
    /// The name as the client sends it
    #[arg(value_name = "NAME")]
    pub name: OsString,

    /// The client's address
    #[arg(long, value_name = "IP")]
    pub from: IpAddr,

    /// The client's hardware address, if it is not to be looked up
    #[arg(long, value_name = "MAC")]
    pub mac: Option<Mac>,

    /// The address of the server that the client asks
    #[arg(long, value_name = "IP")]
    pub to: Option<IpAddr>,

    /// A write request instead of a read request
    #[arg(long)]
    pub write: bool,

    /// tftp-hpa's map file, as for `serve`
    #[arg(long, value_name = "FILE")]
    pub map_file: Option<PathBuf>,

    /// An option of the request; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub option: Vec<(String, String)>,

    /// Configuration file, as for serve
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Directory to serve, as for serve
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
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
