//! What the configuration makes of names: roots, rules, and what is known about clients.
//! It never opens a root, and never knows where in a file it was said.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::hosts::{Format, Host, Hosts, Leases, Neighbours};
use crate::hpa::{HpaNames, MapSource, Paths};
use crate::names::{Names, RootId, RootPolicy, Rules, Stage};

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
