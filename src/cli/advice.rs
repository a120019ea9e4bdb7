//! The options of what operators ask before clients do: `check`, `config`, `explain`, `import`.
//! It never reads what they name.

use core::net::IpAddr;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::name_and_value;
use super::{ServeArgs, UploadArgs};
use crate::names::Mac;

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
  ringboot config --config /etc/ringboot.toml
  RINGBOOT_SHARDS=2 ringboot config /srv/tftp --io epoll > ringboot.toml

It takes every flag of serve. What it prints is a configuration file; tokens are left out of it.
Exit status: 0 printed, 2 the settings have mistakes.")]
pub struct ConfigArgs {
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

    /// The address of the server that the client asks. Default: the one from which packets go to the client
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

    #[command(flatten)]
    pub upload: UploadArgs,
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
