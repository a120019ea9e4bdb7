//! The command line of tftp-hpa's in.tftpd, option for option.
//! It never opens a file or a socket; what the options mean together is decided by `hpa`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::{IoBackend, PortRange};

/// As in in.tftpd(8) of tftp-hpa 5.2, and what later versions added.
#[derive(Debug, Clone, Args)]
#[command(
    disable_version_flag = true,
    infer_long_args = true,
    after_help = "\
Without -l, -L or sockets from systemd it serves on its standard input, as inetd's `dgram wait` has it.
in.tftpd is also what ringboot does when it is called by that name (a symbolic link will do).

Exit status: 0 clean, 64 wrong usage, 66 unreadable directory or map file, 67 no such user,
71 the system refused a socket, 78 faults in the map file."
)]
pub struct InTftpdArgs {
    /// Serve IPv4 only
    #[arg(short = '4', long, overrides_with = "ipv6")]
    pub ipv4: bool,

    /// Serve IPv6 only
    #[arg(short = '6', long, overrides_with = "ipv4")]
    pub ipv6: bool,

    /// Listen, and go into the background
    #[arg(short, long)]
    pub listen: bool,

    /// Listen, and stay in the foreground
    #[arg(short = 'L', long)]
    pub foreground: bool,

    /// Where to listen: numbers, or a name of this host. Default: port 69 on all addresses
    #[arg(short, long, value_name = "[ADDRESS][:PORT]")]
    pub address: Vec<String>,

    /// The port where --address has none
    #[arg(short = 'S', long, visible_alias = "port", value_name = "PORT")]
    pub service: Option<String>,

    /// Take new files. Without it clients may only write to files that exist
    #[arg(short, long)]
    pub create: bool,

    /// Names are relative to DIRECTORY, of which there is one
    #[arg(short, long, visible_alias = "chroot")]
    pub secure: bool,

    /// The user to run as
    #[arg(short, long, value_name = "NAME", default_value = "nobody")]
    pub user: String,

    /// The umask for new files, in octal digits
    #[arg(short = 'U', long, value_name = "UMASK", value_parser = octal)]
    pub umask: Option<u32>,

    /// What the user may read and write, clients may, too. Without it they get only what everybody
    /// may read (o+r)
    #[arg(short, long)]
    pub permissive: bool,

    /// Write the process id to this file, and remove the file at the end (with -l or -L)
    #[arg(short = 'P', long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,

    /// End when no request came for so long (from inetd or systemd)
    #[arg(short, long, value_name = "SECONDS", default_value_t = 900)]
    pub timeout: u32,

    /// The longest wait before a packet is sent again, for clients that ask for none. It is shorter
    /// where the measured round trip is
    #[arg(short = 'T', long, value_name = "MICROSECONDS", value_parser = clap::value_parser!(u64).range(10_000..=255_000_000))]
    pub retransmit: Option<u64>,

    /// Rewrite names by the rules in this file
    #[arg(short, long, value_name = "FILE")]
    pub map_file: Option<PathBuf>,

    /// Rules that may be run for a request [default: 1024, or 4096 for files with labels, j, E or gg]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub map_steps: Option<u32>,

    /// Log more: once, a line for each transfer; twice, each refusal, too. Without it only what is wrong
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// As so many -v
    #[arg(long, value_name = "N")]
    pub verbosity: Option<u8>,

    /// Never grant this option: blksize, blksize2, tsize, timeout, utimeout, rollover, windowsize
    #[arg(short, long, value_name = "OPTION", value_parser = OPTIONS, ignore_case = true, hide_possible_values = true)]
    pub refuse: Vec<String>,

    /// Largest blksize to grant
    #[arg(short = 'B', long, value_name = "N", value_parser = clap::value_parser!(u16).range(512..=65464))]
    pub blocksize: Option<u16>,

    /// Largest windowsize to grant
    #[arg(short = 'W', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub windowsize: Option<u16>,

    /// Take the data ports from this range
    #[arg(short = 'R', long, visible_alias = "ports", value_name = "LO:HI", value_parser = port_range)]
    pub port_range: Option<PortRange>,

    /// Serve on the sockets that systemd passes. They are taken without this, too, if there are any
    #[arg(long)]
    pub systemd: bool,

    /// Print the version and end
    #[arg(short = 'V', long)]
    pub version: bool,

    /// How packets reach the kernel (not in in.tftpd): auto, uring or epoll
    #[arg(long, value_enum, value_name = "auto|uring|epoll", hide_possible_values = true, default_value_t = IoBackend::Auto)]
    pub io: IoBackend,

    /// What is served. With --secure the one root; without it names are full paths, and must lie
    /// in one of these
    #[arg(value_name = "DIRECTORY")]
    pub directories: Vec<PathBuf>,
}

const OPTIONS: [&str; 7] = [
    "blksize",
    "blksize2",
    "tsize",
    "timeout",
    "utimeout",
    "rollover",
    "windowsize",
];

fn octal(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mask| *mask <= 0o777)
        .ok_or_else(|| format!("\"{text}\" is no umask; write octal digits up to 777"))
}

/// in.tftpd has a colon where we have a hyphen.
fn port_range(text: &str) -> Result<PortRange, String> {
    text.replacen(':', "-", 1).parse()
}
