//! The options of the clients: `get`, `put` and `probe`.
//! It never resolves a name and never opens a file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Target;
use super::values::seconds;

/// What `get` and `put` ask of a server alike.
#[derive(Debug, Args)]
pub struct TransferArgs {
    // 1428 + 4 TFTP + 8 UDP + 40 IPv6 = 1480: whole in an MTU of 1500, also within an IP tunnel.
    /// Bytes in a block to ask for. The default crosses an Ethernet whole, also inside a tunnel
    #[arg(long, value_name = "N", default_value_t = 1428, value_parser = clap::value_parser!(u16).range(8..=65464))]
    pub blksize: u16,

    /// Blocks for each acknowledgement to ask for (RFC 7440)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub windowsize: u16,

    /// Transfer as text: line ends are the network's on the wire, and this system's here
    #[arg(long)]
    pub netascii: bool,

    /// Longest wait before a packet is sent again; the usual wait follows the measured round trip.
    /// Whole seconds are also asked of the server (RFC 2349). Default: 5
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// No progress bar and no summary; errors still speak
    #[arg(short, long)]
    pub quiet: bool,
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

    #[command(flatten)]
    pub transfer: TransferArgs,

    /// How often in a row a packet is sent again before the transfer has failed
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u16,
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

    #[command(flatten)]
    pub transfer: TransferArgs,
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
