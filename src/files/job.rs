//! What a shard asks of the file threads, and how it is told.
//! It never opens anything.

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::error::OpenError;
use super::finder::{Finder, Wish, without_end_mark};
use super::image::Image;
use super::upload::News;
use crate::endpoint::Ticket;
use crate::limits::NAME_MAX;
use crate::names::Operation;
use crate::wire::Mode;
use crate::wire::options::Options;

/// A file that a transfer waits for.
#[derive(Debug)]
pub struct Job {
    pub(super) shard: usize,
    pub(super) ticket: Ticket,
    pub(super) name: Box<[u8]>,
    pub(super) netascii: bool,
    client: IpAddr,
    local: Option<IpAddr>,
    options: Box<[u8]>,
    /// The rules that were in force when the request came: it is answered by no others.
    pub(super) finder: Arc<Finder>,
}

impl Job {
    /// `shard` is the place of the asker's [`Deliver`]. A mode that is not netascii means octet.
    /// `finder` says which file the name means.
    #[must_use]
    pub fn new(
        shard: usize,
        ticket: Ticket,
        name: &[u8],
        mode: Mode,
        finder: &Arc<Finder>,
    ) -> Self {
        // One byte more than allowed is refused as surely as sixty thousand more, and waits in
        // less memory.
        let name = &name[..name.len().min(NAME_MAX + 1)];
        Self {
            shard,
            ticket,
            name: name.into(),
            netascii: mode == Mode::Netascii,
            client: Ipv4Addr::UNSPECIFIED.into(),
            local: None,
            options: Box::default(),
            finder: Arc::clone(finder),
        }
    }

    /// Who asks, and which address of ours they asked.
    #[must_use]
    pub const fn between(mut self, client: IpAddr, local: Option<IpAddr>) -> Self {
        self.client = client;
        self.local = local;
        self
    }

    /// The request's options, where the naming policy looks at them.
    #[must_use]
    pub fn options(mut self, options: Options<'_>) -> Self {
        self.options = options.as_bytes().into();
        self
    }

    #[must_use]
    pub const fn ticket(&self) -> Ticket {
        self.ticket
    }

    pub(super) fn wish(&self) -> Wish<'_> {
        Wish {
            name: &self.name,
            operation: Operation::Read,
            client: self.client,
            local: self.local,
            mac: None,
            options: Options::new(&self.options),
        }
    }

    /// The same for the name without its end mark, if it has one.
    pub(super) fn without_end_mark(mut self) -> Result<Self, Self> {
        match without_end_mark(&self.name) {
            Some(name) => {
                self.name = name.into();
                Ok(self)
            }
            None => Err(self),
        }
    }
}

/// The answer to a [`Job`].
#[derive(Debug)]
pub struct Opened {
    pub ticket: Ticket,
    pub result: Result<Arc<Image>, OpenError>,
}

/// Where a shard takes its answers.
pub trait Deliver: Send + Sync {
    /// Puts an answer where the shard will find it.
    fn deliver(&self, opened: Opened);

    /// Tells that what this transfer waited for is in memory, as far as it can be; and, if that was
    /// asked, whether the file is still the same.
    fn loaded(&self, ticket: Ticket, unchanged: Option<bool>);

    /// Tells of an upload.
    fn upload(&self, news: News) {
        let _ = news;
    }

    /// Tells the shard to look. Comes once after a number of answers.
    fn wake(&self);
}

/// Gives each shard its letters, and wakes it once.
pub(super) fn tell<T>(
    shards: &[Arc<dyn Deliver>],
    letters: impl Iterator<Item = (usize, T)>,
    give: impl Fn(&dyn Deliver, T),
) {
    let mut told = vec![false; shards.len()];
    for (number, letter) in letters {
        let Some(shard) = shards.get(number) else {
            debug_assert!(false, "a letter for shard {number}, which does not exist");
            continue;
        };
        give(shard.as_ref(), letter);
        told[number] = true;
    }
    for (shard, _) in shards.iter().zip(told).filter(|(_, told)| *told) {
        shard.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_giant_name_waits_in_little_memory() {
        let ticket = Ticket {
            slot: 0,
            generation: 0,
        };
        let root = crate::files::Root::open("/".as_ref()).expect("a root");
        let finder = Arc::new(Arc::new(root).into());
        let job = Job::new(0, ticket, &[b'a'; 60_000], Mode::Octet, &finder);
        assert_eq!(job.name.len(), NAME_MAX + 1);
    }
}
