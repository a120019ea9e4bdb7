//! One rule: its conditions and what it does.
//! It never decides the order of rules.

use std::sync::Arc;

use super::When;
use crate::limits::{DENIAL_TEXT_MAX, NAME_MAX, TEMPLATE_MAX};
use crate::names::text::Scope;
use crate::names::{Denial, Needs, RootId, Text, Trace, Use};

/// Conditions, and what becomes of a request for which they all hold.
#[derive(Debug, Clone)]
pub struct Rule {
    /// How the operator finds it: number, name and place in the file.
    pub label: Box<str>,
    pub when: When,
    pub act: Act,
}

/// What a rule does, in this order.
#[derive(Debug, Clone)]
pub struct Act {
    /// Replaces the part of the name that matched, or all of it where nothing is matched.
    pub rewrite: Option<Text>,
    /// Again, as long as the name matches.
    pub repeat: bool,
    pub root: Option<RootId>,
    pub end: End,
}

#[derive(Debug, Clone)]
pub enum End {
    GoOn,
    /// No further rule is asked.
    Stop,
    Deny {
        code: u16,
        text: Box<str>,
    },
    /// The first that exists; no further rule is asked.
    Try(Vec<Attempt>),
}

#[derive(Debug, Clone)]
pub enum Attempt {
    /// A name in the target's root.
    File(Text),
    /// A file that is made for the client.
    Template(Text),
}

pub(super) enum Prepared {
    GoOn,
    Stop,
    Deny(Arc<Denial>),
    Try(Vec<Filled>),
    /// Nothing of what is to be tried exists for this client.
    Nothing,
}

pub(super) enum Filled {
    File(Vec<u8>),
    Content(Arc<[u8]>),
}

impl Rule {
    pub(super) fn needs(&self) -> Needs {
        let mut needs = self.when.needs();
        if let Some(text) = &self.act.rewrite {
            needs = needs | text.needs();
        }
        if let End::Try(attempts) = &self.act.end {
            for Attempt::File(text) | Attempt::Template(text) in attempts {
                needs = needs | text.needs();
            }
        }
        needs
    }
}

impl End {
    pub(super) fn prepare(&self, scope: Scope<'_>, rule: &Rule, trace: &mut Trace<'_>) -> Prepared {
        match self {
            Self::GoOn => Prepared::GoOn,
            Self::Stop => Prepared::Stop,
            Self::Deny { code, text } => Prepared::Deny(Arc::new(Denial {
                code: *code,
                text: text.chars().take(DENIAL_TEXT_MAX).collect(),
                reason: format!("{} refuses it", rule.label).into(),
            })),
            Self::Try(attempts) => {
                let filled: Vec<Filled> = attempts
                    .iter()
                    .filter_map(|attempt| attempt.fill(scope, rule, trace))
                    .collect();
                if filled.is_empty() {
                    Prepared::Nothing
                } else {
                    Prepared::Try(filled)
                }
            }
        }
    }
}

impl Attempt {
    /// What is not known of this client makes the attempt one that does not exist.
    fn fill(&self, scope: Scope<'_>, rule: &Rule, trace: &mut Trace<'_>) -> Option<Filled> {
        let filled = match self {
            Self::File(text) => text.fill(scope, Use::Name, NAME_MAX).map(Filled::File),
            Self::Template(text) => text
                .fill(scope, Use::Content, TEMPLATE_MAX)
                .map(|bytes| Filled::Content(bytes.into())),
        };
        match filled {
            Ok(filled) => Some(filled),
            Err(why) => {
                trace.note(|| format!("{}: passed over, {why}", rule.label));
                None
            }
        }
    }
}
