//! The log: text for people, lines for the journal, JSON for collectors.
//! It never logs a packet, and never passes a client's control characters on.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::thread;

use crossbeam::channel::bounded;
pub use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::journal::{self, Prefixed, Reader};
use crate::limits::LOG_LAST_WORDS;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, the journal's lines where standard error is the journal, else JSON.
    Auto,
    Text,
    Json,
    Journald,
    /// For syslog, by this name.
    Syslog(&'static str),
}

impl Format {
    fn chosen(self, terminal: bool) -> Self {
        match self {
            Self::Auto if terminal => Self::Text,
            Self::Auto if journal::is_stderr() => Self::Journald,
            Self::Auto => Self::Json,
            chosen => chosen,
        }
    }
}

/// Sets the filter of the running log.
static FILTER: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// Directs the log to standard error. Where there is `RUST_LOG`, that filters it and no level does.
pub fn init(format: Format, level: Level) {
    let terminal = io::stderr().is_terminal();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| only(level));
    let builder = tracing_subscriber::fmt()
        .with_target(false)
        // A log that nobody reads any more must not end the server.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    // The handles differ in their types.
    macro_rules! start {
        ($builder:expr) => {{
            let builder = $builder.with_env_filter(filter).with_filter_reloading();
            let handle = builder.reload_handle();
            let _ = FILTER.set(Box::new(move |filter| _ = handle.reload(filter)));
            builder.init();
        }};
    }
    // Its readers have the time, and the level as a number.
    macro_rules! prefixed {
        ($reader:expr) => {
            start!(
                builder
                    .with_ansi(false)
                    .without_time()
                    .with_level(false)
                    .map_event_format(|plain| Prefixed(plain, $reader))
            )
        };
    }
    match format.chosen(terminal) {
        Format::Json => start!(builder.json().flatten_event(true)),
        Format::Journald => prefixed!(Reader::Journal),
        Format::Syslog(name) => prefixed!(Reader::Syslog(name)),
        Format::Auto | Format::Text => {
            let colour = terminal && env::var_os("NO_COLOR").is_none();
            start!(builder.with_ansi(colour));
        }
    }
}

/// Logs this much from now on, unless `RUST_LOG` says otherwise.
pub fn set_level(level: Level) {
    if let Some(filter) = FILTER.get()
        && env::var_os(EnvFilter::DEFAULT_ENV).is_none()
    {
        filter(only(level));
    }
}

fn only(level: Level) -> EnvFilter {
    EnvFilter::new(level.as_str())
}

/// Writes the line that says why the server ends. A log that nobody reads holds every writer up,
/// but not us for long.
pub fn last_words(line: &str) {
    let text = line.to_owned();
    let (writing, written) = bounded::<()>(0);
    let writer = thread::Builder::new().spawn(move || {
        let _ = writeln!(io::stderr(), "{text}");
        drop(writing);
    });
    match writer {
        Ok(_) => _ = written.recv_timeout(LOG_LAST_WORDS.to_duration()),
        // The lack of threads may be the very news.
        Err(_) => _ = writeln!(io::stderr(), "{line}"),
    }
}
