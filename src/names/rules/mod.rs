//! The operator's ordered rules: conditions on a request, and what becomes of it.
//! It never loops without bound and never sees two spellings of one name.

mod rule;
mod shadow;
mod when;

use core::net::IpAddr;

pub use rule::{Act, Attempt, End, Rule};
pub use shadow::never;
pub use when::{OptionTest, Wanted, When};

use super::canonical::canonical;
use super::text::Scope;
use super::{Asked, Choice, Denial, Disk, Flow, Needs, RootPolicy, Stage, Target, Trace, Use};
use crate::limits::{NAME_MAX, NAME_STEPS};

/// Rules in their order. Each one sees the name as the rules before it left it.
#[derive(Debug, Clone, Default)]
pub struct Rules(pub Vec<Rule>);

impl Stage for Rules {
    fn needs(&self) -> Needs {
        let each = self.0.iter().map(Rule::needs);
        each.fold(Needs::default(), core::ops::BitOr::bitor)
    }

    fn apply(
        &self,
        asked: &Asked<'_>,
        target: Target,
        roots: &[RootPolicy],
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Flow {
        let _ = disk;
        let mut walk = Walk {
            asked,
            roots,
            target,
            steps: 0,
        };
        if !walk.settle_spelling() {
            return walk.unspellable(trace);
        }
        for rule in &self.0 {
            match walk.try_rule(rule, trace) {
                Turn::GoOn => {}
                Turn::Unspellable => return walk.unspellable(trace),
                Turn::End(flow) => return flow,
            }
        }
        Flow::Next(walk.target)
    }
}

/// One request on its way through the rules.
struct Walk<'a> {
    asked: &'a Asked<'a>,
    roots: &'a [RootPolicy],
    target: Target,
    /// Rewrites so far.
    steps: usize,
}

enum Turn {
    GoOn,
    /// The new name is none that a file can have.
    Unspellable,
    End(Flow),
}

impl Walk<'_> {
    /// Brings the name into the form that rules are matched against.
    fn settle_spelling(&mut self) -> bool {
        let backslashes = self.policy().is_none_or(|policy| policy.backslashes);
        match canonical(&self.target.name, backslashes) {
            Ok(name) => self.target.name = name,
            Err(_) => return false,
        }
        true
    }

    /// Opening such a name is refused with the reason, and nothing else is tried before.
    fn unspellable(self, trace: &mut Trace<'_>) -> Flow {
        trace.note(|| "no file can have this name, so the rules end here".into());
        Flow::Settled(vec![Choice::File(self.target)])
    }

    fn policy(&self) -> Option<&RootPolicy> {
        self.roots.get(self.target.root.0)
    }

    fn ignores_case(&self) -> bool {
        self.policy()
            .is_some_and(|policy| policy.ignore_case || policy.lowercase)
    }

    fn try_rule(&mut self, rule: &Rule, trace: &mut Trace<'_>) -> Turn {
        if let Err(why) = rule.when.holds(self.asked) {
            trace.note(|| format!("{}: no, {why}", rule.label));
            return Turn::GoOn;
        }
        let name = self.target.name.clone();
        let Some(captures) = rule.when.captures(&name, self.ignores_case()) else {
            trace.note(|| format!("{}: no, the name does not match", rule.label));
            return Turn::GoOn;
        };
        match self.rewrite(rule, trace) {
            Turn::GoOn => {}
            other => return other,
        }
        if let Some(root) = rule.act.root {
            self.target.root = root;
            if !self.settle_spelling() {
                return Turn::Unspellable;
            }
        }
        trace.note(|| format!("{}: yes{}", rule.label, self.so_far(&name, rule)));
        let scope = Scope {
            asked: self.asked,
            name: &self.target.name,
            // Of the name as it came to this rule.
            captures: captures.as_ref(),
        };
        match rule.act.end.prepare(scope, rule, trace) {
            rule::Prepared::GoOn => Turn::GoOn,
            rule::Prepared::Stop => {
                Turn::End(Flow::Settled(vec![Choice::File(self.target.clone())]))
            }
            rule::Prepared::Deny(denial) => Turn::End(Flow::Denied(denial)),
            rule::Prepared::Try(attempts) => Turn::End(Flow::Settled(self.choices(attempts))),
            rule::Prepared::Nothing => Turn::End(Flow::Settled(Vec::new())),
        }
    }

    fn choices(&self, attempts: Vec<rule::Filled>) -> Vec<Choice> {
        let root = self.target.root;
        let choice = |attempt| match attempt {
            rule::Filled::File(name) => Choice::File(Target { root, name }),
            rule::Filled::Content(bytes) => Choice::Virtual(bytes),
        };
        attempts.into_iter().map(choice).collect()
    }

    /// Replaces the part of the name that matches, once or until nothing does.
    fn rewrite(&mut self, rule: &Rule, trace: &mut Trace<'_>) -> Turn {
        let Some(text) = &rule.act.rewrite else {
            return Turn::GoOn;
        };
        loop {
            let name = self.target.name.clone();
            let Some(captures) = rule.when.captures(&name, self.ignores_case()) else {
                return Turn::GoOn;
            };
            self.steps += 1;
            if self.steps > NAME_STEPS {
                let reason = format!("{}: rewrites without end", rule.label);
                trace.note(|| reason.clone());
                return Turn::End(Flow::Denied(Denial::access(reason)));
            }
            let range = captures
                .as_ref()
                .and_then(|captures| captures.get(0))
                .map_or(0..name.len(), |found| found.range());
            let scope = Scope {
                asked: self.asked,
                name: &name,
                captures: captures.as_ref(),
            };
            let filled = match text.fill(scope, Use::Name, NAME_MAX) {
                Ok(filled) => filled,
                Err(why) => {
                    trace.note(|| format!("{}: no rewriting, {why}", rule.label));
                    return Turn::GoOn;
                }
            };
            self.target.name = [&name[..range.start], &filled, &name[range.end..]].concat();
            if !self.settle_spelling() {
                return Turn::Unspellable;
            }
            if !rule.act.repeat || self.target.name == name {
                return Turn::GoOn;
            }
        }
    }

    fn so_far(&self, before: &[u8], rule: &Rule) -> String {
        let mut text = String::new();
        if self.target.name != before {
            let name = self.target.name.escape_ascii();
            text.push_str(&format!(", the name is now \"{name}\""));
        }
        if rule.act.root.is_some()
            && let Some(policy) = self.policy()
        {
            text.push_str(&format!(", in root \"{}\"", policy.name));
        }
        text.push_str(match &rule.act.end {
            End::GoOn => "",
            End::Stop => ", and no further rule is asked",
            End::Deny { .. } => ", refused",
            End::Try(_) => ", and these are tried",
        });
        text
    }
}

/// Whether an address is in one of the prefixes; an empty list takes everybody.
fn is_in(prefixes: &[crate::endpoint::Prefix], ip: IpAddr) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.contains(ip))
}
