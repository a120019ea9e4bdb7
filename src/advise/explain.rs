//! `ringboot explain`: which rules a request meets, which file it means, what it is answered.
//! It never sends anything: the same decision as the server's, with its reasons.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use toml::Spanned;

use super::{BAD, GOOD, USAGE, say};
use crate::cli::ExplainArgs;
use crate::config::{File, Plan};
use crate::daemon;
use crate::files::{Escaped, Finder, Found, OpenError, RelPath, Wish};
use crate::names::{Choice, Operation, Trace};
use crate::observe::log;
use crate::wire::options::Options;

/// Prints what a request would come to.
#[must_use]
pub fn explain(args: &ExplainArgs) -> ExitCode {
    let plan = match plan(args) {
        Ok(plan) => plan,
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
    let mut lines = vec![request_line(args, &finder)];
    let served = decide(args, &plan, &finder, &mut lines);
    say(&lines);
    ExitCode::from(if served { GOOD } else { BAD })
}

/// The same layers as the server's: the file, the environment, the flags.
fn plan(args: &ExplainArgs) -> Result<Plan, String> {
    let root = args.root.as_ref();
    let flags = File {
        root: root.map(|root| Spanned::new(0..0, root.clone())),
        map_file: args.map_file.clone(),
        ..File::default()
    };
    let settings = daemon::settings(flags, args.config.as_deref());
    let settings = settings.map_err(|error| error.to_string())?;
    daemon::naming(&settings).map_err(|error| error.to_string())
}

fn request_line(args: &ExplainArgs, finder: &Finder) -> String {
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
    line
}

fn decide(args: &ExplainArgs, plan: &Plan, finder: &Finder, lines: &mut Vec<String>) -> bool {
    let options = option_bytes(&args.option);
    let wish = Wish {
        name: args.name.as_bytes(),
        operation: if args.write {
            Operation::Write
        } else {
            Operation::Read
        },
        client: args.from,
        local: args.to,
        mac: args.mac,
        options: Options::new(&options),
    };
    if wish.operation == Operation::Write {
        return decide_write(&wish, finder, lines);
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

/// Where an upload would go, as far as names decide it.
fn decide_write(wish: &Wish<'_>, finder: &Finder, lines: &mut Vec<String>) -> bool {
    let verdict = finder.decide(wish, &mut Trace::to(lines));
    let name = match verdict {
        Ok(choices) => choices.into_iter().find_map(|choice| match choice {
            Choice::File(target) => Some(target.name),
            Choice::Virtual(_) => None,
        }),
        Err(denial) => {
            lines.push(refusal(&OpenError::Refused(denial)));
            return false;
        }
    };
    match name.map(|name| RelPath::parse(&name)) {
        Some(Ok(path)) => {
            lines.push(format!(
                "answer: an upload of \"{path}\", where uploads are allowed"
            ));
            true
        }
        Some(Err(error)) => {
            lines.push(refusal(&error));
            false
        }
        None => {
            lines.push(refusal(&OpenError::NotFound));
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
