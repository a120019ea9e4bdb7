//! One step of a scenario, made ready: what the request asks for, as bytes and as numbers.
//! It never changes during a run, so all machines share it.

use ringboot::wire::packet::encode_request;

use super::identity::Identity;
use super::waits::nanos;
use crate::scenario::{Expect, Habits, Step, Stop};

/// A step and what can be worked out from it before the start.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub label: String,
    pub file: String,
    pub habits: Habits,
    pub expect: Expect,
    pub pause: u64,
    pub restarts: u32,
    pub(super) asked: Asked,
    pub(super) block_time: u64,
    /// The whole transfer may take so long, in nanoseconds.
    pub(super) limit: Option<u64>,
    /// How far a slow client may be behind before its ACKs wait, in nanoseconds.
    pub(super) queue_time: u64,
}

/// The options of the request, for comparison with what is granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) blksize: Option<u64>,
    pub(super) windowsize: Option<u64>,
    pub(super) timeout: Option<String>,
    /// All names, in lower case.
    pub(super) names: Vec<String>,
}

impl Recipe {
    #[must_use]
    pub fn new(step: &Step) -> Self {
        Self {
            label: step.label.clone(),
            file: step.file.clone(),
            habits: step.habits.clone(),
            expect: step.expect,
            pause: nanos(step.pause),
            restarts: step.restarts,
            asked: Asked::of(&step.habits),
            block_time: nanos(step.habits.block_time),
            limit: step.habits.limit.map(nanos),
            queue_time: nanos(step.habits.block_time)
                .saturating_mul(u64::from(step.habits.queue.saturating_sub(1))),
        }
    }

    /// The name that this machine asks for.
    #[must_use]
    pub fn name_for(&self, identity: &Identity) -> String {
        identity.fill_in(&self.file)
    }

    /// Appends the request to `out`.
    pub fn encode(&self, name: &str, out: &mut Vec<u8>) {
        let habits = &self.habits;
        let mode = if habits.netascii { "netascii" } else { "octet" };
        let options = habits.options.iter();
        let options = options.map(|ask| (ask.name.as_str(), ask.value.as_str()));
        encode_request(out, false, name.as_bytes(), mode, options);
        out.extend_from_slice(&habits.trailing_junk);
    }

    /// The text of the ERROR with which the client stops.
    #[must_use]
    pub fn parting_words(&self) -> &str {
        match &self.habits.stop {
            Stop::AfterOack { text, .. } | Stop::AfterBlocks { text, .. } => text,
            Stop::End | Stop::Vanish { .. } => "",
        }
    }

    /// The largest block that the request allows.
    #[must_use]
    pub fn largest_block(&self) -> u64 {
        self.asked.blksize.unwrap_or(512).max(512)
    }

    /// The largest window that the request allows.
    #[must_use]
    pub fn window(&self) -> u64 {
        self.asked.windowsize.unwrap_or(1).max(1)
    }
}

impl Asked {
    fn of(habits: &Habits) -> Self {
        let mut asked = Self::default();
        for ask in &habits.options {
            let name = ask.name.to_ascii_lowercase();
            match name.as_str() {
                "blksize" | "blksize2" => asked.blksize = ask.value.parse().ok(),
                "windowsize" => asked.windowsize = ask.value.parse().ok(),
                "timeout" => asked.timeout = Some(ask.value.clone()),
                _ => {}
            }
            asked.names.push(name);
        }
        asked
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        let mut names = self.names.iter();
        names.any(|asked| name.eq_ignore_ascii_case(asked.as_bytes()))
    }
}
