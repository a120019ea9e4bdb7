//! `ringboot in.tftpd`: tftp-hpa's flags as a server's options and its start.
//! It never serves in another way than `ringboot serve`: only names, sockets and the user differ.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::fs;
use std::io;
use std::net::ToSocketAddrs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::process::umask;

use super::user::User;
use super::{Options, ServeError, Start, background, inherited, sandbox, serve_from};
use crate::cli::{InTftpdArgs, IoBackend};
use crate::config::{File, Plan as Naming, RootPlan};
use crate::endpoint::Policy;
use crate::files::upload::{self, InTftpd, Replace};
use crate::hpa::{HpaNames, MapError, MapSource, Paths};
use crate::limits::{DEFAULT_MAX_WINDOWSIZE, DRAIN_SECS, FRAME_MEMORY_MIB};
use crate::names::RootPolicy;
use crate::observe::log::{self, Level};
use crate::shard::{IoChoice, Listen, Plan, Settings, ZeroCopy};
use crate::transfer::Nanos;

/// Why it does not start, with in.tftpd's exit statuses (sysexits.h).
#[derive(Debug)]
enum Refused {
    /// EX_USAGE
    Usage(String),
    /// EX_NOINPUT
    Input(String),
    /// EX_NOUSER
    NoUser(String),
    /// EX_CONFIG
    Map(MapError),
    /// EX_OSERR
    System(String),
}

impl Refused {
    const fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Input(_) | Self::Map(MapError::Unreadable(..)) => 66,
            Self::NoUser(_) => 67,
            Self::System(_) => 71,
            Self::Map(_) => 78,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Input(text) | Self::NoUser(text) | Self::System(text) => {
                f.write_str(text)
            }
            Self::Map(error) => error.fmt(f),
        }
    }
}

/// Serves as in.tftpd would with these flags.
#[must_use]
pub fn run(args: &InTftpdArgs) -> ExitCode {
    if args.version {
        println!(
            "ringboot {}, for tftp-hpa's in.tftpd, with remap, without tcpwrappers",
            env!("CARGO_PKG_VERSION")
        );
        return ExitCode::SUCCESS;
    }
    let result = prepare(args).and_then(|(options, start, format)| {
        log::init(format, level(args));
        serve_from(&options, start).map_err(|error| match error {
            ServeError::Root(error) => Refused::Input(error.to_string()),
            error => Refused::System(error.to_string()),
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(refused) => {
            log::last_words(&format!("in.tftpd: {refused}"));
            ExitCode::from(refused.status())
        }
    }
}

/// As loud as in.tftpd with so many -v: what is wrong; each transfer; each refusal, too.
fn level(args: &InTftpdArgs) -> Level {
    match args.verbosity.unwrap_or(0).saturating_add(args.verbose) {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    }
}

fn prepare(args: &InTftpdArgs) -> Result<(Options, Start, log::Format), Refused> {
    let directories = directories(args)?;
    let source = Source::find(args)?;
    let user = User::named(&args.user).map_err(|error| Refused::System(error.to_string()))?;
    let user = user.ok_or_else(|| {
        Refused::NoUser(format!(
            "there is no user \"{}\"; name another by --user",
            args.user
        ))
    })?;
    let naming = naming(args, directories)?;
    let listen = match &source {
        Source::Bind(listen) => listen.clone(),
        Source::Inherited { .. } => Vec::new(),
    };
    let options = options(args, naming, listen, user);
    let format = if source.leaves_streams(args) {
        log::Format::Syslog("in.tftpd")
    } else {
        log::Format::Auto
    };
    Ok((options, source.start(args), format))
}

fn directories(args: &InTftpdArgs) -> Result<Vec<PathBuf>, Refused> {
    let usage = |text: &str| Err(Refused::Usage(text.to_owned()));
    match (args.secure, &args.directories[..]) {
        (true, []) => usage("no -s directory: name the one that clients see as the root"),
        (true, [_, _, ..]) => usage("too many -s directories: with --secure there is one root"),
        (false, []) => usage(
            "no directory: name those that may be served (in.tftpd itself would serve every readable \
             file of this machine; / says that you want it)",
        ),
        (false, all) if all.iter().any(|dir| !dir.is_absolute()) => {
            usage("without --secure the directories must be full paths")
        }
        (_, all) => Ok(all.to_vec()),
    }
}

fn naming(args: &InTftpdArgs, directories: Vec<PathBuf>) -> Result<Naming, Refused> {
    let map = match &args.map_file {
        Some(path) => Some(MapSource::open(path, args.map_steps).map_err(Refused::Map)?),
        None => None,
    };
    let Some(first) = directories.first() else {
        return Err(Refused::Usage("no directory".to_owned()));
    };
    let mut naming = Naming::plain(first);
    // Each of them takes uploads, as far as its files' permissions go.
    naming.roots = directories.iter().map(|dir| root(dir)).collect();
    naming.hpa = Some(HpaNames {
        map: map.map(Arc::new),
        paths: if args.secure {
            Paths::Root
        } else {
            Paths::Within(directories)
        },
    });
    naming.public_only = !args.permissive;
    naming.chroot_links = args.secure;
    Ok(naming)
}

/// A backslash is a letter like any other.
fn root(path: &Path) -> RootPlan {
    RootPlan {
        path: path.to_owned(),
        policy: RootPolicy {
            name: path.display().to_string().into(),
            backslashes: false,
            uploads: true,
            ..RootPolicy::default()
        },
    }
}

fn options(args: &InTftpdArgs, naming: Naming, listen: Vec<Listen>, user: User) -> Options {
    Options {
        naming,
        sandbox: sandbox::Settings {
            user: Some(user.name()),
            ..sandbox::Settings::default()
        },
        listen,
        shards: None,
        io: match args.io {
            IoBackend::Auto => IoChoice::Auto,
            IoBackend::Uring => IoChoice::Uring,
            IoBackend::Epoll => IoChoice::Epoll,
        },
        zero_copy: ZeroCopy::Auto,
        admin: None,
        multicast_hops: 1,
        single_port: false,
        takeover: false,
        data_ports: args.port_range.map(|range| range.ports().into_inner()),
        upload: Some(upload::Policy {
            replace: if args.create {
                Replace::Allowed
            } else {
                Replace::Required
            },
            in_tftpd: Some(InTftpd {
                public_only: !args.permissive,
            }),
            ..upload::Policy::default()
        }),
        frame_memory: FRAME_MEMORY_MIB << 20,
        // The usual bounds: a drop-in must not be an amplifier.
        access: File::default().access(),
        settings: Settings {
            policy: Policy {
                max_windowsize: args.windowsize.unwrap_or(DEFAULT_MAX_WINDOWSIZE),
                uploads: true,
                retransmit: args.retransmit.map(Nanos::from_micros),
                ..Policy::default()
            }
            .refusing(&args.refuse),
            max_blksize: args.blocksize,
            drain_timeout: Nanos::from_secs(DRAIN_SECS),
            shard: 0,
            shards: 1,
        },
    }
}

/// Where requests come from.
enum Source {
    /// `-l`, `-L`
    Bind(Vec<Listen>),
    /// inetd, systemd
    Inherited {
        sockets: Vec<OwnedFd>,
        /// Standard input is the socket, and the other streams may be, too.
        inetd: bool,
    },
}

impl Source {
    fn find(args: &InTftpdArgs) -> Result<Self, Refused> {
        let passed = inherited::from_systemd()
            .map_err(|error| Refused::System(format!("a socket that systemd passed: {error}")))?;
        if !passed.is_empty() {
            let (sockets, inetd) = (passed, false);
            return Ok(Self::Inherited { sockets, inetd });
        }
        if args.systemd {
            return Err(Refused::Usage(
                "--systemd, but there are no sockets: start it by its .socket unit".to_owned(),
            ));
        }
        if args.listen || args.foreground {
            return listen(args).map(Self::Bind);
        }
        let socket = inherited::standard_input().map_err(|error| {
            Refused::Usage(format!(
                "standard input is no socket of inetd's ({error}); to serve without inetd give \
                 --listen or --foreground"
            ))
        })?;
        let (sockets, inetd) = (vec![socket], true);
        Ok(Self::Inherited { sockets, inetd })
    }

    /// Whether the system's log takes the place of standard error.
    fn leaves_streams(&self, args: &InTftpdArgs) -> bool {
        match self {
            Self::Bind(_) => args.listen && !args.foreground,
            Self::Inherited { inetd, .. } => *inetd || is_socket(io::stderr()),
        }
    }

    fn start(self, args: &InTftpdArgs) -> Start {
        let quiet = self.leaves_streams(args);
        match self {
            Self::Bind(_) => {
                let pidfile = args.pidfile.clone();
                let umask = umask_of(args);
                let settle = move || {
                    settle(quiet, pidfile.as_deref())?;
                    // Behind the pid file, which nobody else may write.
                    take_on(umask);
                    Ok(())
                };
                Start {
                    settle: Some(Box::new(settle)),
                    ..Start::default()
                }
            }
            Self::Inherited { sockets, .. } => Start {
                inherited: sockets,
                settle: Some(Box::new({
                    let umask = umask_of(args);
                    move || {
                        if quiet {
                            background::quieten()?;
                        }
                        take_on(umask);
                        Ok(())
                    }
                })),
                idle: Some(Duration::from_secs(args.timeout.into())),
                reread: None,
                hangup_ends: true,
            },
        }
    }
}

/// systemd's journal is a socket, too, but one of streams.
fn is_socket(stream: impl AsFd) -> bool {
    let stream = socket2::SockRef::from(&stream);
    matches!(stream.r#type(), Ok(socket2::Type::DGRAM))
}

/// The umask for new files: none, unless it is given or permissions are the system's business.
fn umask_of(args: &InTftpdArgs) -> Option<u32> {
    args.umask.or((!args.permissive).then_some(0))
}

/// What new files are like. While there is one thread.
fn take_on(mask: Option<u32>) {
    if let Some(mask) = mask {
        umask(Mode::from_raw_mode(mask));
    }
}

/// The background, the pid file: in this order, while there is one thread.
fn settle(background: bool, pidfile: Option<&Path>) -> io::Result<()> {
    if background {
        background::detach()?;
    }
    if let Some(pidfile) = pidfile {
        background::write_pid(pidfile)?;
        // Somebody has to remove it in the end.
        background::leave_keeper(pidfile)?;
    }
    if background {
        background::quieten()?;
    }
    Ok(())
}

/// The addresses of `--address`, or all.
fn listen(args: &InTftpdArgs) -> Result<Vec<Listen>, Refused> {
    let port = match &args.service {
        Some(service) => service_port(service)?,
        None => TFTP_PORT,
    };
    let mut listen = Vec::new();
    if args.address.is_empty() {
        everywhere(args, port, &mut listen);
    }
    for text in &args.address {
        let (host, own_port) = split(text)?;
        let port = own_port.map_or(Ok(port), service_port)?;
        if host.is_empty() {
            everywhere(args, port, &mut listen);
        } else {
            resolve(args, host, port, &mut listen)?;
        }
    }
    Ok(listen)
}

const TFTP_PORT: u16 = 69;

fn everywhere(args: &InTftpdArgs, port: u16, listen: &mut Vec<Listen>) {
    let all = Plan::default_listen().into_iter().map(|mut listen| {
        listen.addr.set_port(port);
        listen
    });
    listen.extend(all.filter(|listen| wanted(args, listen.addr.ip())));
    // The only one that is wanted must be had.
    if args.ipv6 {
        listen.iter_mut().for_each(|listen| listen.optional = false);
    }
}

const fn wanted(args: &InTftpdArgs, ip: IpAddr) -> bool {
    if ip.is_ipv4() { !args.ipv6 } else { !args.ipv4 }
}

fn resolve(
    args: &InTftpdArgs,
    host: &str,
    port: u16,
    listen: &mut Vec<Listen>,
) -> Result<(), Refused> {
    let found = (host, port).to_socket_addrs();
    let found = found.map_err(|error| Refused::Input(format!("cannot resolve {host}: {error}")))?;
    let before = listen.len();
    for addr in found.filter(|addr| wanted(args, addr.ip())) {
        let optional = false;
        if !listen.iter().any(|other| other.addr == addr) {
            listen.push(Listen { addr, optional });
        }
    }
    if listen.len() == before {
        return Err(Refused::Usage(format!(
            "{host} has no address of the version of IP that is asked for"
        )));
    }
    Ok(())
}

/// `[address][:port]`, with brackets around the digits of IPv6.
fn split(text: &str) -> Result<(&str, Option<&str>), Refused> {
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((host, "")) => Ok((host, None)),
            Some((host, rest)) if rest.starts_with(':') => Ok((host, rest.get(1..))),
            _ => Err(Refused::Usage(format!("\"{text}\" is no address"))),
        };
    }
    if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
        return Err(Refused::Usage(
            "numeric IPv6 addresses need to be enclosed in []".to_owned(),
        ));
    }
    Ok(match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

/// A number, or the name of a service of /etc/services.
fn service_port(text: &str) -> Result<u16, Refused> {
    if let Ok(port) = text.parse() {
        return Ok(port);
    }
    let services = fs::read_to_string("/etc/services").unwrap_or_default();
    let of_line = |line: &str| -> Option<u16> {
        let mut words = line.split('#').next()?.split_whitespace();
        let name = words.next()?;
        let port = words.next()?.strip_suffix("/udp")?.parse().ok()?;
        (name == text || words.any(|alias| alias == text)).then_some(port)
    };
    match services.lines().find_map(of_line) {
        Some(port) => Ok(port),
        None if text == "tftp" || text.is_empty() => Ok(TFTP_PORT),
        None => Err(Refused::Input(format!(
            "there is no port or UDP service \"{text}\""
        ))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(words: &[&str]) -> InTftpdArgs {
        let all = ["ringboot", "in.tftpd"].iter().chain(words);
        match Cli::try_parse_from(all).expect("arguments").command {
            Command::InTftpd(args) => args,
            other => panic!("not in.tftpd: {other:?}"),
        }
    }

    #[test]
    fn flags_come_in_every_spelling_of_getopt() {
        let args = args(&[
            "-lvvs",
            "--addr=10.0.0.1:70",
            "/srv/tftp",
            "-t",
            "60",
            "-rblksize",
            "--refuse",
            "tsize",
            "-B1468",
            "-R4000:4010",
            "--map-f",
            "/m",
            "-U022",
        ]);
        assert!(args.listen && args.secure && !args.foreground);
        assert_eq!(
            (args.verbose, args.timeout, args.blocksize),
            (2, 60, Some(1468))
        );
        assert_eq!(args.refuse, ["blksize", "tsize"]);
        assert_eq!(
            args.port_range.map(|range| range.ports()),
            Some(4000..=4010)
        );
        assert_eq!(args.umask, Some(0o022));
        assert_eq!(args.directories, [Path::new("/srv/tftp")]);
        assert_eq!(args.user, "nobody");
    }

    #[test]
    fn addresses_are_those_of_the_versions_asked_for() {
        let of = |words: &[&str]| -> Vec<String> {
            let listen = listen(&args(words)).expect("addresses");
            listen
                .iter()
                .map(|listen| listen.addr.to_string())
                .collect()
        };
        assert_eq!(of(&["-l"]), ["0.0.0.0:69", "[::]:69"]);
        assert_eq!(of(&["-l", "-4", "-a", ":6969"]), ["0.0.0.0:6969"]);
        assert_eq!(of(&["-l", "-6", "-a", ":tftp"]), ["[::]:69"]);
        assert_eq!(of(&["-l", "-a", "10.0.0.1:70"]), ["10.0.0.1:70"]);
        assert_eq!(of(&["-l", "-a", "[fd00::1]"]), ["[fd00::1]:69"]);
        assert_eq!(of(&["-l", "-a", "10.0.0.1", "-S", "7"]), ["10.0.0.1:7"]);
        for bad in [
            &["-a", "fd00::1"][..],
            &["-a", "10.0.0.1:no-such"],
            &["-6", "-a", "10.0.0.1"],
        ] {
            assert!(listen(&args(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn directories_are_one_root_or_full_paths() {
        for (words, good) in [
            (&["-s", "/srv"][..], true),
            (&["-s", "srv"], true),
            (&["/srv", "/boot"], true),
            (&["-s"], false),
            (&["-s", "/srv", "/boot"], false),
            (&[], false),
            (&["srv"], false),
        ] {
            assert_eq!(directories(&args(words)).is_ok(), good, "{words:?}");
        }
    }
}
