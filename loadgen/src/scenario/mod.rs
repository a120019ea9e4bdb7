//! What one machine does from power on to the start of its kernel: steps, each a request.
//! It never says how many machines there are or when they start.

mod habits;
mod placeholder;
mod reader;
mod shipped;

pub use habits::{Acks, Ask, Farewell, Habits, Numbers, Patience, Stop};
pub use reader::{parse_duration, read};
pub use shipped::{SHIPPED, load, text_of};

use std::time::Duration;

/// The boot of one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Short name, as on the command line.
    pub name: String,
    /// One line for people.
    pub title: String,
    pub steps: Vec<Step>,
}

/// One request and what follows from its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What a person calls it: "boot loader", "kernel".
    pub label: String,
    /// File name as the client writes it. `{mac}`, `{MAC}`, `{uuid}`, `{ip}`, `{ip-hex}` and
    /// `{serial}` stand for the machine's own; `{ip-hex:7}` for the first seven digits. See
    /// [`crate::machine::Identity`].
    pub file: String,
    pub habits: Habits,
    pub expect: Expect,
    /// Pause before the request: the firmware works.
    pub pause: Duration,
    /// How often the whole step is tried again before the machine gives up.
    pub restarts: u32,
}

/// What the server is expected to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expect {
    /// The file; anything else ends the boot.
    File,
    /// The file, or ERROR 1: the next step follows either way.
    Optional,
    /// One of a chain of names: the first that is there ends the chain, and the last one missing
    /// ends the boot. Neighbouring steps with this value are one chain.
    Chain,
}
