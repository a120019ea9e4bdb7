//! The conditions of a rule, all of which must hold.
//! It never looks anything up: what a rule needs to know comes with the request.

use regex::bytes::Captures;

use super::is_in;
use crate::endpoint::Prefix;
use crate::names::{Asked, MacPrefix, Needs, Operation, Pattern};

/// What a request must be like. The default takes every request.
#[derive(Debug, Clone, Default)]
pub struct When {
    pub name: Option<Pattern>,
    /// The client's address; empty: any.
    pub from: Vec<Prefix>,
    /// The address of ours that was asked; empty: any.
    pub to: Vec<Prefix>,
    /// Empty: any, known or not.
    pub mac: Vec<MacPrefix>,
    pub operation: Option<Operation>,
    pub options: Vec<OptionTest>,
}

/// A condition on one option of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionTest {
    /// In any case.
    pub name: Box<str>,
    pub wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Absent,
    Present,
    Value(Box<str>),
}

impl When {
    pub(super) fn needs(&self) -> Needs {
        Needs {
            mac: !self.mac.is_empty(),
            hostname: false,
            options: !self.options.is_empty(),
        }
    }

    /// Everything but the name.
    ///
    /// # Errors
    /// The first condition that does not hold, in words.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> Result<(), &'static str> {
        if self
            .operation
            .is_some_and(|operation| operation != asked.operation)
        {
            return Err("it is for the other operation");
        }
        if !is_in(&self.from, asked.client) {
            return Err("the client's address is another");
        }
        if !self.to.is_empty() && !asked.local.is_some_and(|local| is_in(&self.to, local)) {
            return Err("another address of the server was asked");
        }
        if !self.mac.is_empty() {
            let Some(mac) = asked.mac else {
                return Err("the client's hardware address is not known");
            };
            if !self.mac.iter().any(|prefix| prefix.contains(mac)) {
                return Err("the client's hardware address is another");
            }
        }
        if !self.options.iter().all(|test| test.holds(asked)) {
            return Err("the request's options are others");
        }
        Ok(())
    }

    /// Whether the name fits, and where. No expression fits every name.
    #[expect(
        clippy::option_option,
        reason = "no match, a match without groups, one with groups"
    )]
    pub(super) fn captures<'a>(&self, name: &'a [u8], fold: bool) -> Option<Option<Captures<'a>>> {
        match &self.name {
            None => Some(None),
            Some(pattern) => pattern.captures(name, fold).map(Some),
        }
    }
}

impl OptionTest {
    fn holds(&self, asked: &Asked<'_>) -> bool {
        let named = |(name, _): &(&[u8], &[u8])| name.eq_ignore_ascii_case(self.name.as_bytes());
        let value = asked.options.iter().find(named).map(|(_, value)| value);
        match &self.wanted {
            Wanted::Absent => value.is_none(),
            Wanted::Present => value.is_some(),
            Wanted::Value(text) => value == Some(text.as_bytes()),
        }
    }
}
