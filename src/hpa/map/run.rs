//! Runs a map file's rules on a request's name.
//! It never runs for ever: steps, replacements, the matcher's work and the name's length are bounded.

use core::fmt;
use core::net::IpAddr;

use super::ere::Caught;
use super::file::MapFile;
use super::fuel::{Exhausted, Fuel};
use super::replacement::TooLong;
use super::rule::{Flags, Line, Rule};
use crate::limits::{MAP_NAME_MAX, MAP_REPLACEMENTS};

/// Who asks, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    pub client: IpAddr,
    /// WRQ
    pub writes: bool,
}

/// What the rules must know of the server.
pub trait Host {
    /// Whether a request for this name would be served (`E` rules).
    fn has_file(&mut self, name: &[u8]) -> bool;

    /// The rule in this line did something.
    fn note(&mut self, line: usize, what: fmt::Arguments<'_>);
}

/// A host without files that nobody listens to.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Host for Silent {
    fn has_file(&mut self, _name: &[u8]) -> bool {
        false
    }

    fn note(&mut self, _line: usize, _what: fmt::Arguments<'_>) {}
}

/// What became of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Name(Vec<u8>),
    Refused(Refusal),
}

/// ERROR 2, with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the client.
    pub text: Vec<u8>,
    /// For the operator.
    pub reason: String,
}

impl Refusal {
    /// The text of a rule that has none.
    const DEFAULT: &[u8] = b"Access denied";

    fn failure(reason: impl Into<String>) -> Self {
        Self {
            text: b"Remap table failure".to_vec(),
            reason: reason.into(),
        }
    }
}

impl From<Exhausted> for Refusal {
    fn from(_: Exhausted) -> Self {
        Self::failure("the map file's expressions take too long on this name")
    }
}

impl From<TooLong> for Refusal {
    fn from(_: TooLong) -> Self {
        Self::failure(format!(
            "a rule of the map file makes the name longer than {MAP_NAME_MAX} bytes"
        ))
    }
}

impl MapFile {
    /// Runs the rules from the top.
    pub fn run(&self, name: &[u8], asker: Asker, host: &mut dyn Host) -> Outcome {
        let mut run = Run {
            map: self,
            asker,
            host,
            name: name.to_vec(),
            fuel: Fuel::default(),
            replacements: 0,
        };
        match run.all() {
            Ok(()) => Outcome::Name(run.name),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn label(&self, name: &[u8]) -> Option<usize> {
        let is_it = |(_, line): &(usize, Line)| matches!(line, Line::Label(label) if label == name);
        self.lines.iter().position(is_it)
    }
}

struct Run<'a> {
    map: &'a MapFile,
    asker: Asker,
    host: &'a mut dyn Host,
    name: Vec<u8>,
    fuel: Fuel,
    replacements: u32,
}

/// What a rule leads to.
enum Then {
    Next,
    Exit,
    Restart,
    /// To the line with this place in the file's list.
    Jump(usize),
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), Refusal> {
        let (map, later) = (self.map, self.map.dialect.later);
        let (mut at, mut steps) = (0, 0);
        while let Some((number, line)) = map.lines.get(at) {
            at += 1;
            let Line::Rule(rule) = line else { continue };
            if !rule.flags.apply_to(self.asker, later) {
                continue;
            }
            steps += 1;
            if steps > map.dialect.steps {
                let reason = format!("the map file's rules did not end after {} steps", steps - 1);
                return Err(Refusal::failure(reason));
            }
            match self.rule(*number, rule)? {
                Then::Next => {}
                Then::Exit => return Ok(()),
                // See `Dialect`.
                Then::Restart => at = usize::from(!later),
                Then::Jump(target) => at = target,
            }
        }
        Ok(())
    }

    fn rule(&mut self, line: usize, rule: &Rule) -> Result<Then, Refusal> {
        let found = rule.ere.find(&self.name, 0, &mut self.fuel)?;
        if found.is_some() == rule.flags.inverse {
            return Ok(Then::Next);
        }
        // An inverted rule caught nothing.
        let caught = found.unwrap_or_default();
        if rule.flags.abort && !self.map.dialect.later {
            return Err(self.refusal(line, rule, &caught)?);
        }
        if !self.rewrite(line, rule, &caught)? {
            return Ok(Then::Next);
        }
        if rule.flags.abort {
            return Err(self.refusal(line, rule, &caught)?);
        }
        self.then(line, rule, &caught)
    }

    fn then(&mut self, line: usize, rule: &Rule, caught: &Caught) -> Result<Then, Refusal> {
        let flags = rule.flags;
        if flags.exit || flags.has_file {
            self.host.note(line, format_args!("ends the rules"));
            return Ok(Then::Exit);
        }
        if flags.restart {
            self.host.note(line, format_args!("starts over"));
            return Ok(Then::Restart);
        }
        if flags.jump {
            let label = self.expand(rule, caught)?;
            let Some(target) = self.map.label(&label) else {
                let reason = format!(
                    "line {line} of the map file jumps to the label \"{}\", which it does not have",
                    label.escape_ascii()
                );
                return Err(Refusal::failure(reason));
            };
            self.host
                .note(line, format_args!("jumps to \"{}\"", label.escape_ascii()));
            return Ok(Then::Jump(target));
        }
        Ok(Then::Next)
    }

    /// What an `a` rule answers. An empty text is the usual one.
    fn refusal(&mut self, line: usize, rule: &Rule, caught: &Caught) -> Result<Refusal, Refusal> {
        let text = match caught.group(0) {
            _ if rule.replacement.is_empty() => Vec::new(),
            Some(_) if !self.map.dialect.later => self.replaced(rule, caught)?.0,
            _ => self.expand(rule, caught)?,
        };
        let text = if text.is_empty() {
            Refusal::DEFAULT.to_vec()
        } else {
            text
        };
        Ok(Refusal {
            text,
            reason: format!("line {line} of the map file"),
        })
    }

    /// Applies `r` and `E`. Whether the rule still counts as matched.
    fn rewrite(&mut self, line: usize, rule: &Rule, caught: &Caught) -> Result<bool, Refusal> {
        let flags = rule.flags;
        let before = self.name.clone();
        if flags.rewrite {
            self.replace_all(rule, caught)?;
        }
        if flags.has_file && !self.host.has_file(&self.name) {
            let name = self.name.escape_ascii();
            self.host
                .note(line, format_args!("matches, but there is no \"{name}\""));
            self.name = before;
            return Ok(false);
        }
        if flags.rewrite {
            let name = self.name.escape_ascii();
            self.host.note(line, format_args!("makes it \"{name}\""));
        }
        Ok(true)
    }

    /// Replaces what was caught; with `g` again and again, with `gg` behind what was replaced.
    fn replace_all(&mut self, rule: &Rule, caught: &Caught) -> Result<(), Refusal> {
        let mut caught = caught.clone();
        loop {
            self.replacements += 1;
            if self.replacements > MAP_REPLACEMENTS {
                let reason = format!(
                    "the map file's `g` rules did not end after {MAP_REPLACEMENTS} replacements"
                );
                return Err(Refusal::failure(reason));
            }
            let (name, behind) = self.replaced(rule, &caught)?;
            self.name = name;
            if !rule.flags.global || (rule.flags.sed_global && behind >= self.name.len()) {
                return Ok(());
            }
            let from = if rule.flags.sed_global { behind } else { 0 };
            match rule.ere.find(&self.name, from, &mut self.fuel)? {
                Some(next) => caught = next,
                None => return Ok(()),
            }
        }
    }

    /// The name with the replacement for what was caught, and the place behind it.
    fn replaced(&self, rule: &Rule, caught: &Caught) -> Result<(Vec<u8>, usize), TooLong> {
        let matched = caught.group(0).unwrap_or(0..0);
        let mut name = self.name[..matched.start].to_vec();
        rule.replacement
            .expand(&self.name, caught, self.asker.client, &mut name)?;
        let behind = name.len();
        name.extend_from_slice(&self.name[matched.end..]);
        if name.len() > MAP_NAME_MAX {
            return Err(TooLong);
        }
        Ok((name, behind))
    }

    fn expand(&self, rule: &Rule, caught: &Caught) -> Result<Vec<u8>, TooLong> {
        let mut text = Vec::new();
        rule.replacement
            .expand(&self.name, caught, self.asker.client, &mut text)?;
        Ok(text)
    }
}

impl Flags {
    fn apply_to(self, asker: Asker, later: bool) -> bool {
        let is_ipv4 = asker.client.is_ipv4();
        if (self.ipv4 && !is_ipv4) || (self.ipv6 && is_ipv4) {
            return false;
        }
        if later {
            return !(self.get && asker.writes || self.put && !asker.writes);
        }
        // See `Dialect`.
        match (self.get || self.put, self.put_last) {
            (false, _) => true,
            (true, put) => put == asker.writes,
        }
    }
}

#[cfg(test)]
mod tests;
