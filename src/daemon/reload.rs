//! SIGHUP: reads all settings again, checks them, and has the shards answer by them.
//! It never changes anything by settings that cannot be served by, and never waits for a file system:
//! what may take a while happens on a thread of its own.

use std::sync::Arc;
use std::thread;

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};

use super::sandbox::Grants;
use super::{Asking, News, Options, finder, systemd};
use crate::cli::ServeArgs;
use crate::config::File;
use crate::endpoint::{Guard, Keyed};
use crate::files::Finder;
use crate::hosts::Directory;
use crate::limits::RENEWED_WITHIN;
use crate::observe::log::{self, Level};
use crate::observe::record::RecordSender;
use crate::observe::reloads::Reloads;
use crate::shard::{Address, Terms};

/// Settings that were read again and can be served by.
#[derive(Debug)]
pub(crate) struct Fresh {
    options: Options,
    file: File,
    finder: Finder,
    level: Level,
    warnings: Vec<String>,
    /// Settings that need a restart to change, and were to change.
    kept: Vec<&'static str>,
}

/// What a reading came to; the lines that say what is wrong.
pub(crate) type Reread = Result<Box<Fresh>, Vec<String>>;

/// Keeps what is in force.
pub(super) struct Reloader {
    args: ServeArgs,
    file: Arc<File>,
    terms: Arc<Terms>,
    /// Former rules, as long as somebody is answered by them. They are let go of here: to close a
    /// directory is no work for a shard.
    retired: Vec<Arc<Terms>>,
    work: Work,
    bounds: Bounds,
    told: Told,
}

/// Who hears what a reload came to, beside the shards and the log.
pub(super) struct Told {
    pub metric: Arc<Reloads>,
    /// Where the farm's watcher asks for machines' names.
    pub farm: Arc<Directory>,
    /// What the service manager's status line says when all is well.
    pub status: String,
}

/// What the start has settled for good.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// What Landlock lets us touch; None: anything.
    pub(super) confined: Option<Grants>,
    /// There is somebody to write uploads.
    pub(super) uploads: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Idle,
    Busy,
    /// There was another SIGHUP meanwhile.
    BusyAndAgain,
}

impl Reloader {
    pub(super) fn new(
        args: ServeArgs,
        file: File,
        terms: Arc<Terms>,
        bounds: Bounds,
        told: Told,
    ) -> Self {
        Self {
            args,
            file: Arc::new(file),
            terms,
            retired: Vec::new(),
            work: Work::Idle,
            bounds,
            told,
        }
    }

    /// Begins to read; [`News::Reread`] follows. Of several requests meanwhile one more reading
    /// becomes.
    pub(super) fn begin(&mut self, news: &Sender<News>, log: &RecordSender) {
        if self.work != Work::Idle {
            self.work = Work::BusyAndAgain;
            return;
        }
        self.work = Work::Busy;
        systemd::reloading();
        let (args, running, back) = (self.args.clone(), Arc::clone(&self.file), news.clone());
        let bounds = self.bounds.clone();
        let thread = thread::Builder::new().name("ringboot-reload".into());
        let started = thread.spawn(move || {
            let _ = back.send(News::Reread(read(&args, &running, &bounds)));
        });
        if let Err(error) = started {
            let why = format!("cannot start a thread: {error}");
            self.finish(Err(vec![why]), &[], log, news);
        }
    }

    /// Serves by what was read, if it can be served by.
    pub(super) fn finish(
        &mut self,
        reread: Reread,
        shards: &[Address],
        log: &RecordSender,
        news: &Sender<News>,
    ) {
        self.told.metric.note(reread.is_ok());
        let mut status = self.told.status.clone();
        match reread {
            Ok(fresh) => self.apply(*fresh, shards, log),
            Err(lines) => {
                if let Some(first) = lines.first() {
                    status = format!("{status} by the former configuration: {first}");
                }
                for line in lines {
                    log.warn(&format!("SIGHUP: nothing has changed: {line}"));
                }
            }
        }
        // Succeeded or not: the manager waits for the end.
        systemd::ready(&status);
        let again = self.work == Work::BusyAndAgain;
        self.work = Work::Idle;
        if again {
            self.begin(news, log);
        }
    }

    fn apply(&mut self, fresh: Fresh, shards: &[Address], log: &RecordSender) {
        log::set_level(fresh.level);
        for warning in &fresh.warnings {
            log.warn(&format!("SIGHUP: {warning}"));
        }
        let said = summary(&fresh);
        if !fresh.kept.is_empty() {
            let kept = fresh.kept.join(", ");
            log.warn(&format!(
                "SIGHUP: what has changed of {kept} needs a restart"
            ));
        }
        let guard = Arc::new(self.terms.guard.renewed(&fresh.options.access));
        let terms = Arc::new(terms(&fresh.options, fresh.finder, guard));
        if !in_force(&terms, shards) {
            log.warn(
                "SIGHUP: a shard stands still; it answers by the old settings until it goes on",
            );
        }
        log.notice(&said);
        self.told.farm.renew(fresh.options.naming.hosts());
        self.retired
            .push(core::mem::replace(&mut self.terms, terms));
        self.file = Arc::new(fresh.file);
    }

    /// Lets go of rules by which nobody is answered any more. Says whether there are others.
    pub(super) fn tidy(&mut self) -> bool {
        self.retired
            .retain(|terms| Arc::strong_count(terms) > 1 || Arc::strong_count(&terms.finder) > 1);
        !self.retired.is_empty()
    }

    pub(super) const fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }
}

/// Has the shards answer by these terms. Whoever hears that the reload is over may ask at once, so it
/// is over when they do; false: one of them does not turn.
fn in_force(terms: &Arc<Terms>, shards: &[Address]) -> bool {
    let (taken, all_have) = bounded(0);
    for shard in shards {
        shard.renew(terms, taken.clone());
    }
    drop(taken);
    all_have.recv_timeout(RENEWED_WITHIN.to_duration()) == Err(RecvTimeoutError::Disconnected)
}

impl Bounds {
    /// What cannot be had without a new start: a line for each, for the operator.
    fn lack(&self, asking: &Asking) -> Vec<String> {
        let (naming, config) = (&asking.options.naming, &asking.settings.config);
        let place = |root: &str| config.place_of_root(root);
        let mut lines = Vec::new();
        let taker = naming.roots.iter().find(|root| root.policy.uploads);
        if let Some(root) = taker.filter(|_| !self.uploads) {
            lines.push(format!(
                "{}uploads were off when the server started: restart to take them in {}",
                place(&root.policy.name),
                root.path.display()
            ));
        }
        let beyond = self
            .confined
            .iter()
            .map(|grants| grants.lack(naming, &place));
        lines.extend(beyond.flatten());
        lines
    }
}

/// What the shards are to know of options.
pub(super) fn terms(options: &Options, finder: Finder, guard: Arc<Guard<Keyed>>) -> Terms {
    let settings = &options.settings;
    Terms {
        finder: Arc::new(finder),
        guard,
        max_windowsize: settings.policy.max_windowsize,
        max_blksize: settings.max_blksize,
        drain_timeout: settings.drain_timeout,
        upload: options.upload.clone().map(Arc::new),
    }
}

fn read(args: &ServeArgs, running: &File, bounds: &Bounds) -> Reread {
    let lines = |text: String| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let (asking, kept) =
        Asking::again(args, running).map_err(|unclear| lines(unclear.to_string()))?;
    let finder = finder(&asking.options.naming).map_err(|error| lines(error.to_string()))?;
    let beyond = bounds.lack(&asking);
    if !beyond.is_empty() {
        return Err(beyond);
    }
    Ok(Box::new(Fresh {
        options: asking.options,
        level: asking.level,
        finder,
        kept,
        warnings: asking.settings.warnings,
        file: asking.settings.config.file,
    }))
}

fn summary(fresh: &Fresh) -> String {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        more => format!("{more} {what}s"),
    };
    let naming = &fresh.options.naming;
    let map = naming.hpa.as_ref().and_then(|hpa| hpa.map.as_ref());
    let map = map.map_or_else(String::new, |map| {
        let (path, rules) = (map.path().display(), map.current().len());
        format!(", {} of {path}", count(rules, "rule"))
    });
    format!(
        "SIGHUP: the configuration was read again: {}, {}{map}; transfers under way end as they began",
        count(naming.roots.len(), "root"),
        count(naming.rules.0.len(), "rule"),
    )
}
