//! POSIX extended regular expressions over bytes: leftmost-longest, as `regcomp` and `regexec` have them.
//! It never backtracks and never expands a repetition: work is counted and bounded.
//!
//! The `regex` crate prefers the first alternative where POSIX wants the longest, and says that it
//! will not change: `^(x86|x86_64)(.*)` would split other names than in.tftpd does. So this is an
//! engine of its own. A node of the expression maps a *set of places* in the name to the set of
//! places where it can end; sets are bits in words, and there is nothing to go back to. What the
//! groups caught is then found from the outside in, each part as long as the rest allows.

mod caught;
mod node;
mod parse;
mod places;

use node::{Node, NodeId, Part};
use places::Places;

use super::fuel::{Exhausted, Fuel};

pub use caught::Caught;
pub use parse::EreError;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Ere {
    parts: Vec<Part>,
    root: NodeId,
    fold: bool,
}

impl Ere {
    /// `fold` makes no difference between upper and lower case (ASCII; in.tftpd runs in the C locale).
    ///
    /// # Errors
    /// What is wrong, in the words of `regerror`.
    pub fn new(source: &[u8], fold: bool) -> Result<Self, EreError> {
        let (parts, root) = parse::parse(source, fold)?;
        Ok(Self { parts, root, fold })
    }

    /// The leftmost match, of those the longest, and what its groups caught. `from` is where to
    /// look first; only place 0 of the name is its beginning.
    ///
    /// # Errors
    /// When the fuel is used up before that is known.
    pub fn find(
        &self,
        name: &[u8],
        from: usize,
        fuel: &mut Fuel,
    ) -> Result<Option<Caught>, Exhausted> {
        let folded: Vec<u8>;
        let name = if self.fold {
            folded = name.to_ascii_uppercase();
            &folded
        } else {
            name
        };
        let mut search = Search {
            ere: self,
            name,
            fuel,
        };
        let Some((start, end)) = search.span(from)? else {
            return Ok(None);
        };
        search.groups(start, end).map(Some)
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.parts[id.0].node
    }

    fn catches(&self, id: NodeId) -> bool {
        self.parts[id.0].catches
    }
}

/// One expression on one name.
struct Search<'a> {
    ere: &'a Ere,
    name: &'a [u8],
    fuel: &'a mut Fuel,
}

impl Search<'_> {
    /// Where the leftmost-longest match starts and ends.
    fn span(&mut self, from: usize) -> Result<Option<(usize, usize)>, Exhausted> {
        let last = self.name.len();
        if !self.starts_within(from, last)? {
            return Ok(None);
        }
        // "A match starts at one of the first k places" only ever turns true as k grows.
        let (mut low, mut high) = (from, last);
        while low < high {
            let middle = low.midpoint(high);
            if self.starts_within(from, middle)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let ends = self.ends(self.ere.root, low)?;
        Ok(ends.last().map(|end| (low, end)))
    }

    fn starts_within(&mut self, first: usize, last: usize) -> Result<bool, Exhausted> {
        let starts = Places::range(self.name.len(), first, last);
        Ok(!self.advance(self.ere.root, &starts)?.is_empty())
    }

    /// Where a node that starts at `start` can end.
    fn ends(&mut self, id: NodeId, start: usize) -> Result<Places, Exhausted> {
        self.advance(id, &Places::range(self.name.len(), start, start))
    }

    /// Where a node that starts at any of `starts` can end.
    fn advance(&mut self, id: NodeId, starts: &Places) -> Result<Places, Exhausted> {
        self.fuel.burn(starts.cost())?;
        let ere = self.ere;
        match ere.node(id) {
            Node::Empty => Ok(starts.clone()),
            Node::Byte(class) => Ok(starts.step(|at| class.contains(self.name[at]))),
            Node::Look(look) => Ok(starts.filter(|at| look.holds(self.name, at))),
            Node::Group(_, inner) => self.advance(*inner, starts),
            Node::Cat(parts) => self.advance_all(parts, starts),
            Node::Alt(branches) => {
                let mut ends = Places::none(self.name.len());
                for &branch in branches {
                    ends.add(&self.advance(branch, starts)?);
                }
                Ok(ends)
            }
            Node::Repeat { inner, min, max } => self.advance_repeat(*inner, *min, *max, starts),
        }
    }

    fn advance_all(&mut self, parts: &[NodeId], starts: &Places) -> Result<Places, Exhausted> {
        let mut places = starts.clone();
        for &part in parts {
            if places.is_empty() {
                break;
            }
            places = self.advance(part, &places)?;
        }
        Ok(places)
    }

    fn advance_repeat(
        &mut self,
        inner: NodeId,
        min: u32,
        max: Option<u32>,
        starts: &Places,
    ) -> Result<Places, Exhausted> {
        let mut required = starts.clone();
        for _ in 0..min {
            let next = self.advance(inner, &required)?;
            // What does not change any more (empty, or an inner part that matches nothing) stays so.
            if next == required {
                break;
            }
            required = next;
        }
        let mut reached = required.clone();
        let mut fresh = required;
        let mut rounds = 0;
        while !fresh.is_empty() && max.is_none_or(|max| rounds < max.saturating_sub(min)) {
            fresh = self.advance(inner, &fresh)?;
            fresh.remove(&reached);
            reached.add(&fresh);
            rounds += 1;
        }
        Ok(reached)
    }
}

#[cfg(test)]
mod tests;
