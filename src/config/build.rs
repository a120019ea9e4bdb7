//! From what the file says to a naming policy: names of roots and templates are resolved here.
//! It never opens a root; it reads the templates' files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;

use super::file::{
    File, LeasesFormat, LeasesTable, OperationName, RootTable, RuleTable, TemplateTable, UniqueRoot,
};
use super::{Config, Mistake};
use crate::cli::nearest;
use crate::hosts::{Format, Host, Hosts, Leases, Neighbours, valid_hostname};
use crate::hpa::{HpaNames, MapSource, Paths};
use crate::limits::{RULES_MAX, TEMPLATE_MAX};
use crate::names::rules::{Act, Attempt, End, OptionTest, Rule, When};
use crate::names::{Names, Operation, Pattern, RootId, RootPolicy, Rules, Stage, Text, UniqueBy};

/// The name of the root in which read requests begin.
const DEFAULT: &str = "default";

/// The name of the root in which write requests begin, where there is a directory for uploads.
const UPLOAD: &str = "upload";

/// A naming policy and the directories that it speaks of.
#[derive(Debug)]
pub struct Plan {
    pub roots: Vec<RootPlan>,
    /// Where write requests begin.
    pub upload_root: RootId,
    pub rules: Rules,
    /// What the operator wrote down about clients.
    pub table: Vec<Host>,
    pub leases: Vec<(PathBuf, Format)>,
    pub neighbours: bool,
    /// tftp-hpa's ways with names, before the rules.
    pub hpa: Option<HpaNames>,
    /// Files are served only if everybody may read them (o+r).
    pub public_only: bool,
    /// Absolute links are relative to their root, as below chroot(2).
    pub chroot_links: bool,
}

/// One root, not opened yet.
#[derive(Debug, Clone)]
pub struct RootPlan {
    pub path: PathBuf,
    pub policy: RootPolicy,
}

impl Plan {
    /// One directory in which a name means the file of that name.
    #[must_use]
    pub fn plain(root: &Path) -> Self {
        let roots = vec![RootPlan {
            path: root.to_owned(),
            policy: RootPolicy::default(),
        }];
        Self {
            roots,
            upload_root: RootId::default(),
            rules: Rules::default(),
            table: Vec::new(),
            leases: Vec::new(),
            neighbours: true,
            hpa: None,
            public_only: false,
            chroot_links: false,
        }
    }

    /// Whether clients may write anywhere.
    #[must_use]
    pub fn takes_uploads(&self) -> bool {
        self.roots.iter().any(|root| root.policy.uploads)
    }

    /// Whether anything tells hardware addresses.
    #[must_use]
    pub fn knows_macs(&self) -> bool {
        self.neighbours
            || !self.leases.is_empty()
            || self.table.iter().any(|host| host.mac.is_some())
    }

    /// The names of roots to which no rule and no fallback leads.
    pub fn unused_roots(&self) -> impl Iterator<Item = &str> {
        let leads = |id: RootId| {
            let by_rule = self.rules.0.iter().any(|rule| rule.act.root == Some(id));
            by_rule
                || self
                    .roots
                    .iter()
                    .any(|root| root.policy.fallback == Some(id))
        };
        let others = self.roots.iter().enumerate().skip(1);
        let begins = self.upload_root;
        others
            .filter(move |(place, _)| RootId(*place) != begins && !leads(RootId(*place)))
            .map(|(_, root)| &*root.policy.name)
    }

    /// The sources of what is known about clients.
    #[must_use]
    pub fn hosts(&self) -> Hosts {
        let leases = self.leases.iter();
        Hosts {
            table: self.table.clone(),
            leases: leases
                .map(|(path, format)| Leases::new(path.clone(), *format))
                .collect(),
            neighbours: self.neighbours.then(Neighbours::default),
        }
    }

    #[must_use]
    pub fn names(&self) -> Names {
        let roots = self.roots.iter().map(|root| root.policy.clone()).collect();
        let mut stages: Vec<Box<dyn Stage>> = Vec::new();
        if let Some(hpa) = &self.hpa {
            stages.push(Box::new(hpa.clone()));
        }
        if !self.rules.0.is_empty() {
            stages.push(Box::new(self.rules.clone()));
        }
        Names::new(stages, roots).writing_in(self.upload_root)
    }

    /// Lets a map file of tftp-hpa rewrite names before anything else does. A backslash is then
    /// what the map file makes of it: rules that refuse names must not meet two spellings.
    pub fn rewrite_by(&mut self, map: MapSource) {
        self.hpa = Some(HpaNames {
            map: Some(Arc::new(map)),
            paths: Paths::Root,
        });
        for root in &mut self.roots {
            root.policy.backslashes = false;
        }
    }
}

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

    fn roots(&mut self) -> Vec<RootPlan> {
        let file = self.file();
        let mut tables = vec![(DEFAULT, None)];
        for (name, table) in &file.roots {
            match name.get_ref().as_str() {
                DEFAULT => tables[0].1 = Some((name, table)),
                other => tables.push((other, Some((name, table)))),
            }
        }
        let takes_uploads = file.upload.dir.is_some();
        if takes_uploads && !tables.iter().any(|(name, _)| *name == UPLOAD) {
            tables.push((UPLOAD, None));
        }
        for (place, (name, _)) in tables.iter().enumerate() {
            self.roots.insert(name, RootId(place));
        }
        let mut plans = Vec::new();
        for (place, (name, entry)) in tables.into_iter().enumerate() {
            let path = if place == 0 {
                self.default_path(entry)
            } else if name == UPLOAD && takes_uploads {
                self.upload_path(entry)
            } else {
                entry.and_then(|(name, table)| self.own_path(name, table))
            };
            let table = entry.map(|(_, table)| table);
            let mut policy = self.policy(name, table);
            policy.uploads |= name == UPLOAD && takes_uploads;
            plans.push(RootPlan {
                path: path.unwrap_or_default(),
                policy,
            });
        }
        self.check_fallbacks(&plans);
        plans
    }

    fn default_path(
        &mut self,
        entry: Option<(&'a Spanned<String>, &'a RootTable)>,
    ) -> Option<PathBuf> {
        let of_table = entry.and_then(|(_, table)| table.path.as_ref());
        let of_file = self.file().root.as_ref();
        if let (Some(_), Some(path)) = (of_file, of_table) {
            self.blame(path, "the default root has its path from `root` already");
        }
        if let Some(path) = of_file.or(of_table) {
            return Some(path.get_ref().clone());
        }
        let text = "no directory to serve: say `root = \"/srv/tftp\"` here, or --root DIR";
        let mistake = self.config.mistake(0, text);
        self.mistakes.push(mistake);
        None
    }

    fn upload_path(
        &mut self,
        entry: Option<(&'a Spanned<String>, &'a RootTable)>,
    ) -> Option<PathBuf> {
        if let Some(path) = entry.and_then(|(_, table)| table.path.as_ref()) {
            self.blame(path, "the root `upload` has its path from `[upload] dir`");
        }
        self.file().upload.dir.clone()
    }

    /// Where write requests begin.
    fn upload_root(&self) -> RootId {
        let has_own = self.file().upload.dir.is_some();
        let own = self.roots.get(UPLOAD).filter(|_| has_own);
        own.copied().unwrap_or_default()
    }

    fn own_path(&mut self, name: &Spanned<String>, table: &RootTable) -> Option<PathBuf> {
        if table.path.is_none() {
            let text = format!("the root `{}` has no `path`", name.get_ref());
            self.blame(name, text);
        }
        table.path.as_ref().map(|path| path.get_ref().clone())
    }

    fn policy(&mut self, name: &str, table: Option<&RootTable>) -> RootPolicy {
        let mut policy = RootPolicy {
            name: name.into(),
            ..RootPolicy::default()
        };
        let Some(table) = table else {
            return policy;
        };
        policy.unique = table.unique_root.map(|by| match by {
            UniqueRoot::Ip => UniqueBy::Ip,
            UniqueRoot::Mac => UniqueBy::Mac,
        });
        policy.ignore_case = table.ignore_case;
        policy.lowercase = table.lowercase;
        policy.backslashes = table.backslashes.unwrap_or(policy.backslashes);
        policy.fallback = table.fallback.as_ref().and_then(|name| self.root_id(name));
        policy.uploads = table.uploads;
        policy
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

    /// A root that falls back on itself, by way of others or not, would never end.
    fn check_fallbacks(&mut self, plans: &[RootPlan]) {
        for (name, table) in &self.file().roots {
            let start = self.roots.get(name.get_ref().as_str()).copied();
            let mut next = start.and_then(|id| plans.get(id.0)?.policy.fallback);
            for _ in 0..plans.len() {
                if next.is_some() && next == start {
                    let at = table.fallback.as_ref().unwrap_or(name);
                    let text = format!("the root `{}` falls back on itself", name.get_ref());
                    self.blame(at, text);
                    break;
                }
                next = next.and_then(|id| plans.get(id.0)?.policy.fallback);
            }
        }
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

    fn rules(&mut self) -> Rules {
        let file = self.file();
        if let Some(first_too_many) = file.rule.get(RULES_MAX) {
            self.blame(first_too_many, format!("there may be {RULES_MAX} rules"));
        }
        let rules = file.rule.iter().enumerate();
        Rules(
            rules
                .map(|(place, rule)| self.rule(place + 1, rule))
                .collect(),
        )
    }

    fn rule(&mut self, number: usize, rule: &'a Spanned<RuleTable>) -> Rule {
        let table = rule.get_ref();
        let line = self.config.mistake(rule.span().start, "").line;
        let label = match &table.name {
            Some(name) => format!("rule {number} \"{name}\" (line {line})"),
            None => format!("rule {number} (line {line})"),
        };
        let pattern = table.r#match.as_ref().and_then(|text| self.pattern(text));
        let rewrite = table.rewrite.as_ref();
        let rewrite = rewrite.and_then(|text| self.text(text, pattern.as_ref()));
        if table.repeat && (rewrite.is_none() || pattern.is_none()) {
            self.blame(
                rule,
                "`repeat` repeats a `rewrite` as long as `match` matches; it needs both",
            );
        }
        let root = table.root.as_ref().and_then(|name| self.root_id(name));
        let end = self.end(rule, pattern.as_ref());
        if rewrite.is_none() && root.is_none() && matches!(end, End::GoOn) {
            self.blame(
                rule,
                "this rule does nothing; it may rewrite, root, deny, try, template or stop",
            );
        }
        Rule {
            label: label.into(),
            when: When {
                name: pattern,
                from: table.from.0.clone(),
                to: table.to.0.clone(),
                mac: table.mac.0.clone(),
                operation: table.operation.map(|operation| match operation {
                    OperationName::Read => Operation::Read,
                    OperationName::Write => Operation::Write,
                }),
                options: option_tests(table),
            },
            act: Act {
                rewrite,
                repeat: table.repeat,
                root,
                end,
            },
        }
    }

    fn end(&mut self, rule: &'a Spanned<RuleTable>, pattern: Option<&Pattern>) -> End {
        let table = rule.get_ref();
        let tries = table.r#try.is_some() || table.template.is_some();
        let ends = [table.deny.is_some(), tries, table.stop];
        if ends.iter().filter(|end| **end).count() > 1 {
            self.blame(
                rule,
                "`deny`, `stop` and `try` or `template` end a request, each in its way; choose one",
            );
        }
        if let Some(deny) = &table.deny {
            let text = deny.get_ref().text.as_deref().unwrap_or("Access violation");
            if text.contains(char::is_control) {
                self.blame(deny, "the text of a refusal is one line");
            }
            return End::Deny {
                code: deny.get_ref().code,
                text: text.into(),
            };
        }
        if tries {
            return End::Try(self.attempts(table, pattern));
        }
        if table.stop { End::Stop } else { End::GoOn }
    }

    fn attempts(&mut self, table: &'a RuleTable, pattern: Option<&Pattern>) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        if let Some(names) = &table.r#try {
            if names.get_ref().is_empty() {
                self.blame(names, "`try` names at least one file");
            }
            for name in names.get_ref() {
                attempts.extend(self.text(name, pattern).map(Attempt::File));
            }
        }
        if let Some(name) = &table.template {
            attempts.extend(self.template(name, pattern).map(Attempt::Template));
        }
        attempts
    }

    /// The text of a template; its groups are those of the rule that uses it.
    fn template(&mut self, name: &Spanned<String>, pattern: Option<&Pattern>) -> Option<Text> {
        let Some(table) = self.templates.get(name.get_ref().as_str()).copied() else {
            let known: Vec<&str> = self.templates.keys().copied().collect();
            let text = missing("template", name.get_ref(), &known);
            self.blame(name, text);
            return None;
        };
        if let Some(content) = &table.content {
            return self.text_at(content, content.get_ref(), pattern);
        }
        let file = table.file.as_ref()?;
        match read_template(file.get_ref()) {
            Ok(content) => self.text_at(file, &content, pattern),
            Err(why) => {
                self.blame(file, why);
                None
            }
        }
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<Pattern> {
        match text.get_ref().parse() {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.blame(text, format!("no regular expression: {error}"));
                None
            }
        }
    }

    fn text(&mut self, text: &Spanned<String>, pattern: Option<&Pattern>) -> Option<Text> {
        self.text_at(text, text.get_ref(), pattern)
    }

    fn text_at<T>(
        &mut self,
        at: &Spanned<T>,
        text: &str,
        pattern: Option<&Pattern>,
    ) -> Option<Text> {
        match Text::parse(text, pattern) {
            Ok(text) => Some(text),
            Err(error) => {
                self.blame(at, error.to_string());
                None
            }
        }
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

fn option_tests(table: &RuleTable) -> Vec<OptionTest> {
    let tests = table.options.iter().map(|(name, wanted)| OptionTest {
        name: name.as_str().into(),
        wanted: wanted.0.clone(),
    });
    tests.collect()
}

fn read_template(path: &Path) -> Result<String, String> {
    let failed = |why: String| format!("cannot read the template {}: {why}", path.display());
    let length = fs::metadata(path)
        .map_err(|error| failed(error.to_string()))?
        .len();
    if length > TEMPLATE_MAX as u64 {
        return Err(failed(format!("it is larger than {TEMPLATE_MAX} bytes")));
    }
    fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

fn missing(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`"),
    }
}
