//! The configuration and its rules.

use crate::transfer::Nanos;

/// Rewrites of one name by all rules together. Rules that rewrite one another's names for ever end
/// here; nobody writes sixty that follow each other.
pub const NAME_STEPS: usize = 64;

/// Mistakes of one configuration that are named: a screenful.
pub const MISTAKES_MAX: usize = 40;

/// Bytes of the configuration file.
pub const CONFIG_MAX: u64 = 4 << 20;

/// A reload waits this long for the shards to take it; a loop turns in microseconds.
pub const RENEWED_WITHIN: Nanos = Nanos::from_secs(1);

/// Rules of the naming policy. Each request is compared with all of them.
pub const RULES_MAX: usize = 1024;

/// Bytes of a rule's regular expression.
pub const PATTERN_MAX: usize = 4096;

/// Memory of one compiled expression, and again of its lazily built automaton on each file thread.
pub const PATTERN_MEMORY: usize = 1 << 20;

/// Bytes of a virtual file. Boot configurations have a few hundred; each waiting client has its own.
pub const TEMPLATE_MAX: usize = 64 * 1024;

/// Characters of a refusal's text: an ERROR packet should not be larger than the request.
pub const DENIAL_TEXT_MAX: usize = 120;
