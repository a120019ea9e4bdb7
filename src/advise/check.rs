//! `ringboot check`: mistakes in the configuration, roots, ports, kernel: what would go wrong.
//! It never serves and leaves nothing behind: ports that it tries are closed at once.

use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::rights::check_rights;
use super::{BAD, GOOD, USAGE, say};
use crate::cli::ServeArgs;
use crate::config::{Config, Plan, RootPlan};
use crate::daemon::{Asking, Options, Unclear};
use crate::endpoint::Prefix;
use crate::files::{Resolver, Root};
use crate::names::Operation;
use crate::names::rules::never;
use crate::observe::log;
use crate::shard::Listen;

/// Prints what would go wrong with these flags and this file.
#[must_use]
pub fn check(args: &ServeArgs) -> ExitCode {
    let mut findings = Findings::default();
    let Asking {
        options, settings, ..
    } = match Asking::new(args) {
        Ok(asking) => asking,
        Err(unclear @ (Unclear::NoRoot | Unclear::Pointless(..))) => {
            log::last_words(&format!("ringboot: {unclear}"));
            return ExitCode::from(USAGE);
        }
        Err(unclear) => {
            for line in unclear.to_string().lines() {
                findings.problem(line.trim_start());
            }
            return findings.finish(args.config.as_deref());
        }
    };
    for warning in &settings.warnings {
        findings.warning(warning);
    }
    let file = settings.config.is_file().then_some(&settings.config);
    check_rules(&options.naming, file, &mut findings);
    check_clients(&options.naming, &mut findings);
    check_roots(&options.naming, file, &mut findings);
    check_uploads(&options.naming, file, &mut findings);
    check_access(&options, &mut findings);
    check_ports(&options, &mut findings);
    check_kernel(&mut findings);
    // The last, because it gives root's rights up.
    check_rights(&options, &mut findings);
    findings.finish(file.map(|config| config.path.as_path()))
}

#[derive(Default)]
pub(super) struct Findings {
    lines: Vec<String>,
    problems: usize,
    warnings: usize,
}

impl Findings {
    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems += 1;
        self.lines.push(format!("problem: {}", text.into()));
    }

    pub(super) fn warning(&mut self, text: impl Into<String>) {
        self.warnings += 1;
        self.lines.push(format!("warning: {}", text.into()));
    }

    pub(super) fn good(&mut self, text: impl Into<String>) {
        self.lines.push(format!("ok: {}", text.into()));
    }

    fn finish(mut self, file: Option<&Path>) -> ExitCode {
        let what = file.map_or_else(|| "the flags".into(), |path| path.display().to_string());
        let count = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            more => format!("{more} {what}s"),
        };
        let verdict = if self.problems == 0 { "good" } else { "bad" };
        self.lines.push(format!(
            "{verdict}: {what}: {}, {}",
            count(self.problems, "problem"),
            count(self.warnings, "warning")
        ));
        say(&self.lines);
        ExitCode::from(if self.problems == 0 { GOOD } else { BAD })
    }
}

fn check_rules(naming: &Plan, file: Option<&Config>, findings: &mut Findings) {
    let rules = &naming.rules.0;
    for (place, why) in never(rules) {
        let at = file.map_or_else(String::new, |config| config.place_of_rule(place));
        let label = &rules[place].label;
        findings.problem(format!("{at}{label} can never match: {why}"));
    }
    for (place, rule) in rules.iter().enumerate() {
        let at = file.map_or_else(String::new, |config| config.place_of_rule(place));
        if !rule.when.mac.is_empty() && !naming.knows_macs() {
            let label = &rule.label;
            findings.problem(format!(
                "{at}{label} can never match: it asks for hardware addresses, and nothing tells them: \
                 `neighbours` is off, and there are no `leases` and no `[[host]]`"
            ));
        }
    }
    if let Some(map) = naming.hpa.as_ref().and_then(|hpa| hpa.map.as_ref()) {
        let (path, count) = (map.path().display(), map.current().len());
        findings.good(format!("{count} rules in the map file {path}"));
    }
    for name in naming.unused_roots() {
        findings.warning(format!("nothing leads to the root \"{name}\""));
    }
    if !rules.is_empty() && findings.problems == 0 {
        findings.good(format!("{} rules", rules.len()));
    }
}

fn check_clients(naming: &Plan, findings: &mut Findings) {
    for (path, error) in naming.hosts().unreadable() {
        findings.warning(format!(
            "cannot read the leases {}: {error}",
            path.display()
        ));
    }
}

fn check_roots(naming: &Plan, file: Option<&Config>, findings: &mut Findings) {
    for plan in &naming.roots {
        let name = &plan.policy.name;
        let root = match Root::open(&plan.path) {
            Ok(root) => root,
            Err(error) => {
                let place = file.map_or_else(String::new, |file| file.place_of_root(name));
                let error = if place.is_empty() {
                    error
                } else {
                    error.of("this line")
                };
                findings.problem(format!("{place}{error}"));
                continue;
            }
        };
        if plan.policy.ignore_case && !root.can_list() {
            findings.problem(format!(
                "the root {} cannot be listed, which looking for names in any case needs",
                plan.path.display()
            ));
            continue;
        }
        let way = match root.resolver() {
            Resolver::Openat2 => "confined by the kernel (openat2)",
            Resolver::Walk => "confined step by step (this kernel or sandbox has no openat2)",
        };
        findings.good(format!("root \"{name}\" is {}, {way}", plan.path.display()));
    }
}

/// Who can write what others boot has them in his hand.
fn check_uploads(naming: &Plan, file: Option<&Config>, findings: &mut Findings) {
    let says_how = file.is_some_and(|config| config.file.upload.says_how());
    if !naming.takes_uploads() && says_how {
        findings.warning(
            "`[upload]` changes nothing: it has no `dir`, and no root has `uploads = true`",
        );
    }
    check_write_rules(naming, file, findings);
    let (takers, others): (Vec<_>, Vec<_>) =
        naming.roots.iter().partition(|root| root.policy.uploads);
    for taker in &takers {
        let path = taker.path.display();
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        // What is the user's own fault is found by `check_rights`; here: a read-only file system.
        if let Err(errno) = access(&taker.path, wanted)
            && errno != Errno::ACCESS
        {
            findings.problem(format!(
                "nothing can be uploaded to {path}: {errno}; let the server's user write there"
            ));
        }
        for other in others.iter().filter(|other| overlap(taker, other)) {
            findings.problem(format!(
                "uploads go to {path}, where the root \"{}\" is served from ({}): clients can put files \
                 there that others boot; give uploads a directory of their own",
                other.policy.name,
                other.path.display()
            ));
        }
        if *taker.policy.name != *"upload" {
            findings.warning(format!(
                "the root \"{}\" is served, and takes uploads: clients can put files there that others \
                 boot",
                taker.policy.name
            ));
        }
    }
}

/// Rules for write requests that no write request meets, or that lead where none is taken.
fn check_write_rules(naming: &Plan, file: Option<&Config>, findings: &mut Findings) {
    for (place, rule) in naming.rules.0.iter().enumerate() {
        if rule.when.operation != Some(Operation::Write) {
            continue;
        }
        let at = file.map_or_else(String::new, |config| config.place_of_rule(place));
        let label = &rule.label;
        if !naming.takes_uploads() {
            findings.problem(format!(
                "{at}{label} can never match: it is for write requests, and there is no directory for \
                 uploads"
            ));
            continue;
        }
        let root = rule.act.root.and_then(|id| naming.roots.get(id.0));
        if let Some(root) = root.filter(|root| !root.policy.uploads) {
            let name = &root.policy.name;
            findings.problem(format!(
                "{at}{label} leads uploads to the root \"{name}\", which takes none; say `uploads = true` \
                 in [roots.{name}]"
            ));
        }
    }
}

/// Whether one of the two directories is, or lies in, the other.
fn overlap(one: &RootPlan, other: &RootPlan) -> bool {
    let real = |root: &RootPlan| {
        root.path
            .canonicalize()
            .unwrap_or_else(|_| root.path.clone())
    };
    let (one, other) = (real(one), real(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// A port in use is no problem of the configuration: the server itself may be running.
fn check_ports(options: &Options, findings: &mut Findings) {
    for listen in &options.listen {
        match UdpSocket::bind(listen.addr) {
            Ok(_) => findings.good(format!("{} can be bound", listen.addr)),
            Err(_) if listen.optional => {}
            Err(error) => {
                let addr = listen.addr;
                findings.warning(match error.kind() {
                    std::io::ErrorKind::AddrInUse => {
                        format!("{addr} is in use, by a running server or by another one")
                    }
                    std::io::ErrorKind::PermissionDenied => format!(
                        "{addr} cannot be bound by this user; the server needs root, CAP_NET_BIND_SERVICE \
                         or net.ipv4.ip_unprivileged_port_start"
                    ),
                    _ => format!("{addr} cannot be bound: {error}"),
                });
            }
        }
    }
}

fn check_access(options: &Options, findings: &mut Findings) {
    let access = &options.access;
    if options.single_port && access.allow.is_empty() {
        findings.warning(
            "single-port mode without an `allow` list: who can forge a client's address can \
             acknowledge for it, and have files sent to it; say which networks are yours",
        );
    }
    for prefix in &access.allow {
        if access.deny.iter().any(|denied| denied.covers(prefix)) {
            findings.problem(format!(
                "`allow` {prefix} changes nothing: `deny` covers it"
            ));
        }
    }
    for rule in &options.naming.rules.0 {
        let from = &rule.when.from;
        let never = |prefix: &Prefix| {
            let denied = access.deny.iter().any(|denied| denied.covers(prefix));
            let meets = |allowed: &Prefix| allowed.covers(prefix) || prefix.covers(allowed);
            denied || !(access.allow.is_empty() || access.allow.iter().any(meets))
        };
        if !from.is_empty() && from.iter().all(never) {
            findings.problem(format!(
                "{} can never match: its clients are not served at all (`allow`, `deny`)",
                rule.label
            ));
        }
        let to = &rule.when.to;
        let asked = |prefix: &Prefix| {
            let on = |listen: &Listen| {
                listen.addr.ip().is_unspecified() || prefix.contains(listen.addr.ip())
            };
            options.listen.iter().any(on)
        };
        if !to.is_empty() && !to.iter().any(asked) {
            findings.problem(format!(
                "{} can never match: the server listens on none of the addresses in `to`",
                rule.label
            ));
        }
    }
}

fn check_kernel(findings: &mut Findings) {
    match crate::shard::uring_refusal() {
        None => findings.good("io_uring works here"),
        Some(why) => findings.warning(format!(
            "io_uring does not work here, so epoll will be used: {why}"
        )),
    }
}
