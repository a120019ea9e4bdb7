//! From what the file says to a naming policy: names of roots and templates are resolved here.
//! It never opens a root; it reads the templates' files.

mod roots;
mod rules;

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;

use super::file::{File, LeasesFormat, LeasesTable, TemplateTable};
use super::{Config, Mistake, Plan};
use crate::cli::nearest;
use crate::hosts::{Format, Host, valid_hostname};
use crate::names::RootId;

pub(super) fn plan(config: &Config) -> Result<Plan, Vec<Mistake>> {
    let mut builder = Builder {
        config,
        mistakes: Vec::new(),
        roots: BTreeMap::new(),
        templates: BTreeMap::new(),
    };
    let roots = builder.roots();
    let upload_root = builder.upload_root();
    builder.templates();
    let rules = builder.rules();
    let table = builder.hosts();
    let clients = &config.file.clients;
    if builder.mistakes.is_empty() {
        Ok(Plan {
            roots,
            upload_root,
            rules,
            table,
            leases: clients.leases.iter().map(leases).collect(),
            neighbours: clients.neighbours.unwrap_or(true),
            hpa: None,
            public_only: false,
            chroot_links: false,
        })
    } else {
        Err(builder.mistakes)
    }
}

struct Builder<'a> {
    config: &'a Config,
    mistakes: Vec<Mistake>,
    roots: BTreeMap<&'a str, RootId>,
    templates: BTreeMap<&'a str, &'a TemplateTable>,
}

impl<'a> Builder<'a> {
    fn file(&self) -> &'a File {
        &self.config.file
    }

    fn blame<T>(&mut self, at: &Spanned<T>, text: impl Into<String>) {
        let mistake = self.config.mistake(at.span().start, text);
        self.mistakes.push(mistake);
    }

    fn root_id(&mut self, name: &Spanned<String>) -> Option<RootId> {
        let found = self.roots.get(name.get_ref().as_str()).copied();
        if found.is_none() {
            let known: Vec<&str> = self.roots.keys().copied().collect();
            let text = missing("root", name.get_ref(), &known);
            self.blame(name, text);
        }
        found
    }

    fn templates(&mut self) {
        for (name, table) in &self.file().templates {
            self.templates.insert(name.get_ref(), table);
            if table.content.is_some() == table.file.is_some() {
                let text = format!(
                    "the template `{}` has `content` or `file`, one of them",
                    name.get_ref()
                );
                self.blame(name, text);
            }
        }
    }

    fn hosts(&mut self) -> Vec<Host> {
        let mut hosts = Vec::new();
        for entry in &self.file().host {
            let table = entry.get_ref();
            let mac = table.mac.as_ref().map(|mac| mac.0);
            let hostname = table.hostname.as_deref();
            if table.ip.is_none() && mac.is_none() {
                self.blame(entry, "a host is known by its `ip` or its `mac`");
            }
            if hostname.is_some_and(|name| valid_hostname(name).is_none()) {
                self.blame(entry, "a hostname has letters, digits, `-`, `_` and `.`");
            }
            hosts.push(Host {
                ip: table.ip.map(|ip| ip.to_canonical()),
                mac,
                hostname: hostname.map(Into::into),
            });
        }
        hosts
    }
}

fn leases(table: &LeasesTable) -> (PathBuf, Format) {
    let format = match table.format {
        LeasesFormat::Dnsmasq => Format::Dnsmasq,
        LeasesFormat::Isc => Format::Isc,
        LeasesFormat::Kea => Format::Kea,
    };
    (table.file.clone(), format)
}

fn missing(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`"),
    }
}
