//! `ringboot explain`: which rules a request meets, which file it means, what it is answered.
//! It never sends anything: the same decision as the server's, with its reasons.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fs;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use toml::Spanned;

use super::{BAD, GOOD, USAGE, say};
use crate::cli::ExplainArgs;
use crate::config::{File, Plan};
use crate::daemon;
use crate::endpoint::Prefix;
use crate::files::{Escaped, Finder, Found, OpenError, Wish, upload};
use crate::names::{Operation, Trace};
use crate::observe::log;
use crate::wire::options::Options;

/// Prints what a request would come to.
#[must_use]
pub fn explain(args: &ExplainArgs) -> ExitCode {
    let (plan, file) = match plan(args) {
        Ok(both) => both,
        Err(why) => {
            log::last_words(&format!("ringboot: {why}"));
            return ExitCode::from(USAGE);
        }
    };
    let finder = match daemon::finder(&plan) {
        Ok(finder) => finder,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            return ExitCode::from(BAD);
        }
    };
    let asked = args.to.or_else(|| asked_at(args.from, &file));
    let mut lines = vec![request_line(args, asked, &finder)];
    let policy = daemon::upload_policy(&file);
    let served = match turned_away(args.from, &file) {
        Some(why) => {
            lines.push(format!("answer: ERROR 2 \"Access violation\" ({why})"));
            false
        }
        None => decide((args, asked), (&plan, policy), &finder, &mut lines),
    };
    say(&lines);
    ExitCode::from(if served { GOOD } else { BAD })
}

/// The same layers as the server's: the file, the environment, the flags.
fn plan(args: &ExplainArgs) -> Result<(Plan, File), String> {
    let root = args.root.as_ref();
    let flags = File {
        root: root.map(|root| Spanned::new(0..0, root.clone())),
        map_file: args.map_file.clone(),
        upload: (&args.upload).into(),
        ..File::default()
    };
    let settings = daemon::settings(flags, args.config.as_deref());
    let settings = settings.map_err(|error| error.to_string())?;
    let plan = daemon::naming(&settings).map_err(|error| error.to_string())?;
    Ok((plan, settings.config.file))
}

/// The address of ours that the client asks, if nobody says which: the only one that is served, or the
/// one from which packets go to the client.
fn asked_at(client: IpAddr, file: &File) -> Option<IpAddr> {
    let listen = file.server().listen;
    if let [only] = &listen[..]
        && let Some(ip) = only.ip
        && !ip.is_unspecified()
    {
        return Some(ip);
    }
    let any: IpAddr = match client {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // To connect a UDP socket sends nothing.
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((client, 9)).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

/// Why this client gets nothing at all.
fn turned_away(client: IpAddr, file: &File) -> Option<String> {
    let access = file.access();
    let covers = |prefix: &&Prefix| prefix.contains(client);
    if let Some(prefix) = access.deny.iter().find(covers) {
        return Some(format!("`deny` {prefix} is about this client"));
    }
    let allowed = access.allow.is_empty() || access.allow.iter().any(|prefix| covers(&prefix));
    (!allowed).then(|| "nothing in `allow` is about this client".to_owned())
}

fn request_line(args: &ExplainArgs, asked: Option<IpAddr>, finder: &Finder) -> String {
    let operation = if args.write { "write" } else { "read" };
    let known = finder.hosts().look_up(args.from, args.mac);
    let mut line = format!(
        "request: {operation} \"{}\" from {}",
        Escaped(args.name.as_bytes()),
        args.from
    );
    match (known.mac, known.source) {
        (Some(mac), Some(source)) => line.push_str(&format!(", hardware address {mac} ({source})")),
        (Some(mac), None) => line.push_str(&format!(", hardware address {mac} (as given)")),
        (None, _) => line.push_str(", hardware address unknown"),
    }
    if let Some(hostname) = known.hostname {
        line.push_str(&format!(", hostname {hostname}"));
    }
    if let Some(asked) = asked {
        line.push_str(&format!(", asked at {asked}"));
    }
    line
}

fn decide(
    (args, asked): (&ExplainArgs, Option<IpAddr>),
    (plan, policy): (&Plan, upload::Policy),
    finder: &Finder,
    lines: &mut Vec<String>,
) -> bool {
    let options = option_bytes(&args.option);
    let wish = Wish {
        name: args.name.as_bytes(),
        operation: if args.write {
            Operation::Write
        } else {
            Operation::Read
        },
        client: args.from,
        local: asked,
        mac: args.mac,
        options: Options::new(&options),
    };
    if wish.operation == Operation::Write {
        return decide_write(&wish, (plan, policy), finder, lines);
    }
    match finder.find(&wish, &mut Trace::to(lines)) {
        Ok(found) => {
            lines.push(format!("answer: {}", describe(&found, plan)));
            true
        }
        Err(error) => {
            lines.push(refusal(&error));
            false
        }
    }
}

/// Where an upload would go, as far as that is known before its first byte.
fn decide_write(
    wish: &Wish<'_>,
    (plan, policy): (&Plan, upload::Policy),
    finder: &Finder,
    lines: &mut Vec<String>,
) -> bool {
    if !plan.takes_uploads() {
        lines.push("answer: ERROR 2 \"Uploads are not allowed here\" (no --upload DIR)".into());
        return false;
    }
    let found = upload::preview(&policy, finder, wish, &mut Trace::to(lines));
    match found {
        Ok(found) => {
            let root = plan.roots.get(found.root.0);
            let dir = root.map_or(Path::new(""), |root| &root.path);
            let what = match found.replaces {
                Some(size) => format!("in the place of {size} bytes"),
                None => "a new file".to_owned(),
            };
            lines.push(format!(
                "answer: an upload to {}/{}, {what}",
                dir.display(),
                found.path
            ));
            true
        }
        Err(error) => {
            lines.push(format!(
                "answer: ERROR {} \"{}\" ({error})",
                error.error_code().0,
                error.client_text()
            ));
            false
        }
    }
}

fn describe(found: &Found, plan: &Plan) -> String {
    match found {
        Found::File { file, root, path } => {
            // The kernel knows the file's real name, whatever case and links led there.
            let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
            let shown = match (real, plan.roots.get(root.0)) {
                (Ok(real), _) => Escaped(real.as_os_str().as_bytes()).to_string(),
                (Err(_), Some(root)) => format!("{}/{path}", root.path.display()),
                (Err(_), None) => path.to_string(),
            };
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            format!("{shown}, {size} bytes")
        }
        Found::Made(content) => format!(
            "made from a template, {} bytes:\n{}",
            content.len(),
            String::from_utf8_lossy(content)
        ),
    }
}

fn refusal(error: &OpenError) -> String {
    format!(
        "answer: ERROR {} \"{}\" ({error})",
        error.error_code().0,
        error.client_text()
    )
}

/// `NAME=VALUE` as in a request.
fn option_bytes(options: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in options {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}
