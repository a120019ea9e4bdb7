//! Roots: their directories, and how each treats names.
//! It never opens one.

use std::path::PathBuf;

use toml::Spanned;

use super::Builder;
use crate::config::file::{RootTable, UniqueRoot};
use crate::config::{DEFAULT, RootPlan, UPLOAD};
use crate::names::{RootId, RootPolicy, UniqueBy};

impl<'a> Builder<'a> {
    pub(super) fn roots(&mut self) -> Vec<RootPlan> {
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
        let dir = self.file().upload.dir.as_ref();
        dir.map(|dir| dir.get_ref().clone())
    }

    /// Where write requests begin.
    pub(super) fn upload_root(&self) -> RootId {
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
}
