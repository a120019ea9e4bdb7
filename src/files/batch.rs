//! Jobs taken together, so that a burst of requests for one file opens it once.
//! It never decides what a name means, and never opens anything.

use std::sync::Arc;

use crossbeam::channel::Receiver;

use super::finder::Finder;
use super::job::Job;
use crate::limits::{LOADER_BATCH, LOADER_BATCH_FILES};
use crate::names::Verdict;

/// All jobs of a batch were asked before the first of their files is opened, so one open answers
/// each of a group as exactly as its own would. They are together by what the naming policy makes of
/// them, never by the name that they asked for: it may mean another file to another client.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) groups: Vec<Group>,
    /// Those whose names cannot be decided without waiting, each with its lane.
    pub(super) undecided: Vec<(u64, Job)>,
}

pub(super) struct Group {
    pub(super) verdict: Verdict,
    pub(super) netascii: bool,
    /// Whoever asked before the rules were renewed is answered by the former ones.
    pub(super) finder: Arc<Finder>,
    pub(super) askers: Vec<Job>,
}

/// A verdict, or the lane in which it may be waited for.
pub(super) type Decided = Result<Verdict, u64>;

impl Group {
    pub(super) fn is(&self, verdict: &Verdict, netascii: bool, finder: &Arc<Finder>) -> bool {
        let alike = self.netascii == netascii && self.verdict == *verdict;
        alike && Arc::ptr_eq(&self.finder, finder)
    }
}

impl Batch {
    /// Takes a job and those that wait behind it, as far as that is worth it.
    pub(super) fn collect(
        &mut self,
        first: Job,
        more: &Receiver<Job>,
        decide: impl Fn(&Job) -> Decided,
    ) {
        self.add(first, &decide);
        for _ in 1..LOADER_BATCH {
            if self.groups.len() >= LOADER_BATCH_FILES {
                break;
            }
            match more.try_recv() {
                Ok(job) => self.add(job, &decide),
                Err(_) => break,
            }
        }
    }

    pub(super) fn add(&mut self, job: Job, decide: impl Fn(&Job) -> Decided) {
        let verdict = match decide(&job) {
            Ok(verdict) => verdict,
            Err(lane) => return self.undecided.push((lane, job)),
        };
        let same = |group: &&mut Group| group.is(&verdict, job.netascii, &job.finder);
        match self.groups.iter_mut().find(same) {
            Some(group) => group.askers.push(job),
            None => self.groups.push(Group {
                verdict,
                netascii: job.netascii,
                finder: Arc::clone(&job.finder),
                askers: vec![job],
            }),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.undecided.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crossbeam::channel::bounded;

    use super::*;
    use crate::endpoint::Ticket;
    use crate::files::Root;
    use crate::limits::LOADER_QUEUE;
    use crate::names::{Choice, RootId, Target};
    use crate::wire::Mode;

    #[test]
    fn a_burst_for_one_file_is_one_group() {
        let finder = finder();
        let (sender, jobs) = bounded(LOADER_QUEUE);
        for slot in 0..2_000 {
            sender
                .send(job(slot, b"kernel", Mode::Octet, &finder))
                .expect("sent");
        }
        let mut opens = 0;
        while let Ok(first) = jobs.try_recv() {
            let mut batch = Batch::default();
            batch.collect(first, &jobs, plainly);
            opens += batch.groups.len();
        }
        assert_eq!(opens, 2_000_usize.div_ceil(LOADER_BATCH));
    }

    #[test]
    fn mode_and_name_tell_groups_apart() {
        let mut batch = Batch::default();
        let (finder, renewed) = (finder(), finder());
        batch.add(job(1, b"a", Mode::Octet, &finder), plainly);
        batch.add(job(2, b"b", Mode::Octet, &finder), plainly);
        batch.add(job(3, b"a", Mode::Netascii, &finder), plainly);
        batch.add(job(4, b"a", Mode::Octet, &finder), plainly);
        batch.add(job(5, b"a", Mode::Octet, &renewed), plainly);
        let sizes: Vec<_> = batch
            .groups
            .iter()
            .map(|group| group.askers.len())
            .collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }

    #[test]
    fn a_batch_leaves_different_files_to_the_next() {
        let finder = finder();
        let (sender, jobs) = bounded(LOADER_QUEUE);
        for slot in 0..100_u32 {
            let name = slot.to_string();
            sender
                .send(job(slot, name.as_bytes(), Mode::Octet, &finder))
                .expect("sent");
        }
        let mut batch = Batch::default();
        batch.collect(job(0, b"first", Mode::Octet, &finder), &jobs, plainly);
        assert_eq!(batch.groups.len(), LOADER_BATCH_FILES);
    }

    #[test]
    fn what_cannot_be_decided_at_once_holds_nobody_up() {
        let mut batch = Batch::default();
        let decide = |job: &Job| {
            if *job.name == *b"slow" {
                Err(7)
            } else {
                plainly(job)
            }
        };
        let finder = finder();
        batch.add(job(1, b"slow", Mode::Octet, &finder), decide);
        batch.add(job(2, b"quick", Mode::Octet, &finder), decide);
        assert_eq!((batch.groups.len(), batch.undecided.len()), (1, 1));
        assert_eq!(batch.undecided.first().map(|(lane, _)| *lane), Some(7));
    }

    fn plainly(job: &Job) -> Decided {
        let root = RootId::default();
        let name = job.name.to_vec();
        Ok(Ok(vec![Choice::File(Target { root, name })]))
    }

    fn finder() -> Arc<Finder> {
        let root = Root::open("/".as_ref()).expect("a root");
        Arc::new(Arc::new(root).into())
    }

    fn job(slot: u32, name: &[u8], mode: Mode, finder: &Arc<Finder>) -> Job {
        let ticket = Ticket {
            slot,
            generation: 0,
        };
        Job::new(0, ticket, name, mode, finder)
    }
}
