//! What a request's name means: rules, per-client directories and fallbacks, as files to try.
//! It never opens a file, a socket or a clock: what it must know of the disk it asks by [`Disk`].
//!
//! A decision passes through *stages*, in order. Each one gets the [`Target`] that the stage before
//! it left and answers with a [`Flow`]: go on with another target, settle the matter, or refuse.
//! The first target is the client's own name in the first root, or, for a write, in the root for
//! uploads. What the last stage leaves is then looked up as the target's [`RootPolicy`] says.
//!
//! A further kind of naming policy (another server's map file, say) is one more [`Stage`]:
//!
//! 1. implement `Stage` for its parsed form; take bytes as they come, the name may be anything;
//! 2. say in `needs` what must be looked up about a client before you are asked;
//! 3. put it into [`Names::new`] before or behind [`Rules`](rules::Rules), whose input it then makes
//!    or whose output it gets.
//!
//! It runs on the file threads, several at once, and must be linear in the length of the name and
//! bounded in its loops (`limits::NAME_STEPS`). Nothing that it answers is trusted: whatever name
//! comes out is parsed and confined like a client's own. Names that clients share are opened once
//! for all of them, by the *answer*, so an answer must depend on nothing but `Asked` and `Disk`.

pub mod canonical;
mod mac;
mod pattern;
mod roots;
pub mod rules;
mod spelling;
mod text;
mod trace;

use core::fmt;
use core::net::IpAddr;
use std::sync::Arc;

pub use mac::{Mac, MacPrefix};
pub use pattern::{Pattern, PatternError};
pub use roots::{RootPolicy, UniqueBy};
pub use rules::Rules;
pub use spelling::{hex_lower, hex_upper, pxelinux_hex};
pub use text::{Text, TextError, Use};
pub use trace::Trace;

use crate::wire::ErrorCode;
use crate::wire::options::Options;

/// All that is known about a request when its name is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// As the client sent it: any bytes but NUL.
    pub name: &'a [u8],
    pub operation: Operation,
    pub client: IpAddr,
    /// The address of ours that was asked, where it is known.
    pub local: Option<IpAddr>,
    /// Looked up only if a stage [needs](Needs) it.
    pub mac: Option<Mac>,
    /// As `mac`; of letters, digits, `-`, `_` and `.` only.
    pub hostname: Option<&'a str>,
    /// The request's options; empty unless a stage needs them.
    pub options: Options<'a>,
}

/// What the client wants to do with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// RRQ
    Read,
    /// WRQ
    Write,
}

/// A root by its place in the configuration. The first one is where read requests begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RootId(pub usize);

/// Where a request has got to: a name in a root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Target {
    pub root: RootId,
    pub name: Vec<u8>,
}

/// What a stage makes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next stage goes on from here.
    Next(Target),
    /// No further stage is asked: these are tried in order.
    Settled(Vec<Choice>),
    Denied(Arc<Denial>),
}

/// One thing that may answer a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Choice {
    File(Target),
    /// Content that is in no file, for reading only.
    Virtual(Arc<[u8]>),
}

/// A refusal, as the client reads it and as the operator does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    pub code: u16,
    /// For the client.
    pub text: Box<str>,
    /// For the operator: the rule or the fault in the name.
    pub reason: Box<str>,
}

impl Denial {
    /// The usual refusal: ERROR 2.
    #[must_use]
    pub fn access(reason: impl Into<Box<str>>) -> Arc<Self> {
        Arc::new(Self {
            code: ErrorCode::ACCESS_VIOLATION.0,
            text: "Access violation".into(),
            reason: reason.into(),
        })
    }
}

/// What to answer: things to try in order, the first that exists wins. Where there is none to try,
/// no such file exists. For a write, the first is where it goes.
pub type Verdict = Result<Vec<Choice>, Arc<Denial>>;

/// What a stage has to know about a client beside its address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    pub mac: bool,
    pub hostname: bool,
    pub options: bool,
}

impl core::ops::BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            mac: self.mac || other.mac,
            hostname: self.hostname || other.hostname,
            options: self.options || other.options,
        }
    }
}

/// What a decision may ask of the disk. Names are confined to their root as for serving.
pub trait Disk {
    fn is_dir(&self, root: RootId, name: &[u8]) -> bool;
    fn is_file(&self, root: RootId, name: &[u8]) -> bool;
}

/// One kind of naming policy.
pub trait Stage: fmt::Debug + Send + Sync {
    fn needs(&self) -> Needs;

    /// `roots` tells how the target's root treats names. What was tried goes to `trace`.
    fn apply(
        &self,
        asked: &Asked<'_>,
        target: Target,
        roots: &[RootPolicy],
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Flow;
}

/// The whole naming policy of a server.
#[derive(Debug)]
pub struct Names {
    stages: Vec<Box<dyn Stage>>,
    roots: Vec<RootPolicy>,
    uploads: RootId,
    needs: Needs,
}

impl Default for Names {
    /// One root, in which a name means the file of that name.
    fn default() -> Self {
        Self::new(Vec::new(), vec![RootPolicy::default()])
    }
}

impl Names {
    /// `roots` are in the order of their [`RootId`]s and not empty; their fallbacks form no ring.
    #[must_use]
    pub fn new(stages: Vec<Box<dyn Stage>>, roots: Vec<RootPolicy>) -> Self {
        let of_stages = stages.iter().map(|stage| stage.needs());
        let needs = of_stages
            .chain(roots.iter().map(RootPolicy::needs))
            .fold(Needs::default(), core::ops::BitOr::bitor);
        Self {
            stages,
            roots,
            uploads: RootId::default(),
            needs,
        }
    }

    /// Lets write requests begin in this root instead of in the first.
    #[must_use]
    pub const fn writing_in(mut self, root: RootId) -> Self {
        self.uploads = root;
        self
    }

    #[must_use]
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    #[must_use]
    pub fn roots(&self) -> &[RootPolicy] {
        &self.roots
    }

    /// Where requests for this begin.
    #[must_use]
    pub const fn start(&self, operation: Operation) -> RootId {
        match operation {
            Operation::Read => RootId(0),
            Operation::Write => self.uploads,
        }
    }

    /// Whether a name means the file of that name for everybody, so that nothing need be decided.
    #[must_use]
    pub fn is_plain(&self, operation: Operation) -> bool {
        let root = self.roots.get(self.start(operation).0);
        self.stages.is_empty() && root.is_none_or(RootPolicy::is_plain)
    }

    /// Decides what a request is answered with.
    ///
    /// # Errors
    /// When a stage refuses it.
    pub fn decide(&self, asked: &Asked<'_>, disk: &dyn Disk, trace: &mut Trace<'_>) -> Verdict {
        let mut target = Target {
            root: self.start(asked.operation),
            name: asked.name.to_vec(),
        };
        for stage in &self.stages {
            match stage.apply(asked, target, &self.roots, disk, trace) {
                Flow::Next(next) => target = next,
                Flow::Settled(choices) => return Ok(self.look_up(asked, choices, disk, trace)),
                Flow::Denied(denial) => return Err(denial),
            }
        }
        Ok(self.look_up(asked, vec![Choice::File(target)], disk, trace))
    }

    /// Applies the roots' own ways to each choice.
    fn look_up(
        &self,
        asked: &Asked<'_>,
        choices: Vec<Choice>,
        disk: &dyn Disk,
        trace: &mut Trace<'_>,
    ) -> Vec<Choice> {
        let mut found = Vec::with_capacity(choices.len());
        for choice in choices {
            match choice {
                Choice::File(target) => {
                    roots::places(asked, target, &self.roots, disk, trace, &mut found);
                }
                Choice::Virtual(_) if asked.operation == Operation::Write => {
                    trace.note(|| "a template cannot be written".into());
                }
                Choice::Virtual(_) => found.push(choice),
            }
        }
        found
    }
}
