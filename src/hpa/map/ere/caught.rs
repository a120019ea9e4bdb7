//! What the groups of a match caught, found from the outside in.
//! It never changes where the match begins and ends.

use core::ops::Range;

use super::node::{Node, NodeId};
use super::{Exhausted, Search};

/// The whole match and the groups `\1` to `\9`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    groups: [Option<(usize, usize)>; Self::GROUPS],
}

impl Caught {
    /// `\0` to `\9`.
    const GROUPS: usize = 10;

    /// Where the group matched; 0 is the whole.
    #[must_use]
    pub fn group(&self, number: usize) -> Option<Range<usize>> {
        let (start, end) = (*self.groups.get(number)?)?;
        Some(start..end)
    }

    fn set(&mut self, number: usize, start: usize, end: usize) {
        if let Some(group) = self.groups.get_mut(number) {
            *group = Some((start, end));
        }
    }
}

impl Search<'_> {
    pub(super) fn groups(&mut self, start: usize, end: usize) -> Result<Caught, Exhausted> {
        let mut caught = Caught::default();
        caught.set(0, start, end);
        self.resolve(self.ere.root, start, end, &mut caught)?;
        Ok(caught)
    }

    /// `id` is known to match from `start` to `end`.
    fn resolve(
        &mut self,
        id: NodeId,
        start: usize,
        end: usize,
        caught: &mut Caught,
    ) -> Result<(), Exhausted> {
        let ere = self.ere;
        match ere.node(id) {
            Node::Empty | Node::Byte(_) | Node::Look(_) => Ok(()),
            Node::Group(number, inner) => {
                caught.set(*number, start, end);
                self.resolve(*inner, start, end, caught)
            }
            Node::Cat(parts) => self.resolve_parts(parts, start, end, caught),
            Node::Alt(branches) => {
                for &branch in branches {
                    if self.ends(branch, start)?.contains(end) {
                        return self.resolve(branch, start, end, caught);
                    }
                }
                Ok(())
            }
            Node::Repeat { inner, min, max } => {
                self.resolve_repeat((*inner, *min, *max), start, end, caught)
            }
        }
    }

    /// Each part is as long as the rest allows.
    fn resolve_parts(
        &mut self,
        parts: &[NodeId],
        mut start: usize,
        end: usize,
        caught: &mut Caught,
    ) -> Result<(), Exhausted> {
        for (index, &part) in parts.iter().enumerate() {
            let rest = &parts[index + 1..];
            let split = self.longest(part, start, end, |search, at| {
                let from = super::Places::range(search.name.len(), at, at);
                Ok(search.advance_all(rest, &from)?.contains(end))
            })?;
            let Some(split) = split else { return Ok(()) };
            self.resolve(part, start, split, caught)?;
            start = split;
        }
        Ok(())
    }

    /// Each round is as long as the later ones allow; the last round's groups stay.
    fn resolve_repeat(
        &mut self,
        (inner, min, max): (NodeId, u32, Option<u32>),
        mut start: usize,
        end: usize,
        caught: &mut Caught,
    ) -> Result<(), Exhausted> {
        if !self.ere.catches(inner) {
            return Ok(());
        }
        let mut rounds = 0_u32;
        // An empty round only where nothing else was caught.
        while start < end || rounds == 0 {
            let (min, max) = (
                min.saturating_sub(rounds + 1),
                max.map(|max| max.saturating_sub(rounds + 1)),
            );
            let split = self.longest(inner, start, end, |search, at| {
                let from = super::Places::range(search.name.len(), at, at);
                Ok(search.advance_repeat(inner, min, max, &from)?.contains(end))
            })?;
            let Some(split) = split else { return Ok(()) };
            if split == start && rounds > 0 {
                return Ok(());
            }
            self.resolve(inner, start, split, caught)?;
            start = split;
            rounds += 1;
        }
        Ok(())
    }

    /// The last place, `end` at most, where `part` can end so that the rest fits.
    fn longest(
        &mut self,
        part: NodeId,
        start: usize,
        end: usize,
        mut fits: impl FnMut(&mut Self, usize) -> Result<bool, Exhausted>,
    ) -> Result<Option<usize>, Exhausted> {
        let ends = self.ends(part, start)?;
        let mut candidate = ends.up_to(end);
        while let Some(at) = candidate {
            if fits(self, at)? {
                return Ok(Some(at));
            }
            candidate = at.checked_sub(1).and_then(|at| ends.up_to(at));
        }
        Ok(None)
    }
}
